// Any bytes as a vocabulary file: refused, or read and written back to the same vocabulary.
#include "rnn/text/vocabulary.h"

#include "fuzz/memory_file.h"
#include "rnn/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rnn::MemoryFile file(data, size);
  try {
    const rnn::Vocabulary vocabulary = rnn::Vocabulary::load(file.path());
    const std::string text = vocabulary.to_text();
    const rnn::MemoryFile written(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    rnn::require(rnn::Vocabulary::load(written.path()).to_text() == text);
  } catch (const rnn::Error&) {
  }
  return 0;
}
