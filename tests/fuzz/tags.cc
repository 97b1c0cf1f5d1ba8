// Any bytes as sentences of tagged words, in columns and as CoNLL-U: read, and written again with
// their own tags as the same bytes, or an error.
#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/text/tag_reader.h"

namespace {

void read_and_rewrite(const std::string& path, const rnn::TagReaderOptions& options) {
  std::string same, other;
  bool has_missing_tags = false;
  try {
    rnn::TagReader reader(path, options);
    rnn::TaggedSentence sentence;
    while (reader.next(sentence)) {
      const std::size_t words = sentence.words.size();
      rnn::require(sentence.tags.size() == words || (!options.needs_tags && words > 0));
      rnn::require(sentence.lines.size() == words);
      for (std::size_t i = 0; i < words; ++i) {
        rnn::require(i == 0 || sentence.lines[i - 1] < sentence.lines[i]);
      }
      const std::vector<std::string> tags(words, "X");
      other += reader.lines().with_tags(tags);
      if (sentence.tags.size() == words) {
        same += reader.lines().with_tags(sentence.tags);
      } else {
        has_missing_tags = true;
      }
    }
    same += reader.lines().with_tags({});
    other += reader.lines().with_tags({});
  } catch (const rnn::Error&) {
    return;
  }
  if (!has_missing_tags) {
    // The second reading finds what the first wrote; what comes before it may be what only the
    // first one drops, such as a byte-order mark.
    const rnn::MemoryFile written(reinterpret_cast<const std::uint8_t*>(same.data()), same.size());
    rnn::TagReader again(written.path(), options);
    rnn::TaggedSentence sentence;
    std::string third;
    while (again.next(sentence)) third += again.lines().with_tags(sentence.tags);
    rnn::require(third + again.lines().with_tags({}) == same);
  }
  const rnn::MemoryFile written(reinterpret_cast<const std::uint8_t*>(other.data()), other.size());
  rnn::TagReader changed(written.path(), options);
  rnn::TaggedSentence sentence;
  while (changed.next(sentence)) {
    for (const std::string& tag : sentence.tags) rnn::require(tag == "X");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rnn::MemoryFile file(data, size);
  read_and_rewrite(file.path(), {.field = "upos"});
  read_and_rewrite(file.path(), {.field = "feats", .needs_tags = false});
  read_and_rewrite(file.path(), {.column = 2});
  read_and_rewrite(file.path(), {.column = 3, .needs_tags = false});
  read_and_rewrite(file.path(), {.column = 1, .word_column = 2});
  return 0;
}
