// Any bytes as a file of word vectors: refused, or read into finite numbers.
#include <cmath>
#include <vector>

#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/text/vectors_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const rnn::VocabularyEntry kEntries[] = {{"<unk>"}, {"</s>"}, {"the"}, {"fox"}, {"a b"}};
  static const rnn::Vocabulary vocabulary(kEntries);
  const rnn::MemoryFile file(data, size);
  try {
    const rnn::Index width = rnn::vectors_width(file.path());
    std::vector<float> values(static_cast<std::size_t>(5 * width));
    const rnn::VectorsReport report =
        rnn::load_vectors(file.path(), vocabulary, {values.data(), {5, width}});
    rnn::require(report.used + report.missing == 5 && report.used <= report.vectors);
    for (float value : values) rnn::require(std::isfinite(value));
  } catch (const rnn::Error&) {
  }
  return 0;
}
