// Any bytes as a list of hypotheses (`rnn lm score --nbest`): fields of their lines, or an error.
#include "apps/hypothesis_reader.h"
#include "fuzz/memory_file.h"
#include "rnn/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rnn::MemoryFile file(data, size);
  for (const bool scored : {false, true}) {
    try {
      rnn::HypothesisReader reader(file.path(), {}, scored);
      rnn::Hypothesis hypothesis;
      while (reader.next(hypothesis)) {
        rnn::require(hypothesis.line.starts_with(hypothesis.id + " ||| " + hypothesis.text));
      }
    } catch (const rnn::Error&) {
    }
  }
  return 0;
}
