// Any bytes as labelled text of every format: examples with labels, or an error.
#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/text/labelled_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rnn::MemoryFile file(data, size);
  for (const char* format : {"tab", "csv", "tsv", "tsv-plain", "jsonl", "fasttext"}) {
    try {
      rnn::LabelledReader reader(file.path(), {.format = format});
      rnn::LabelledText example;
      while (reader.next(example)) {
        for (const std::string& label : example.labels) rnn::require(!label.empty());
        rnn::require(example.line > 0);
      }
    } catch (const rnn::Error&) {
    }
  }
  return 0;
}
