// Any bytes as CoNLL columns and CoNLL-U, and any columns as tags.
#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/text/conll_reader.h"
#include "rnn/text/entity_tags.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rnn::MemoryFile file(data, size);
  try {
    rnn::ConllReader reader(file.path(), {.policy = {.replace_invalid = true}});
    rnn::ConllSentence sentence;
    while (reader.next(sentence)) {
      std::vector<std::string> tags;
      for (const auto& row : sentence.rows) tags.push_back(row.back());
      const auto entities = rnn::entities_of_any(tags);
      const auto again = rnn::tags_of(entities, tags.size(), rnn::TagScheme::kBioes);
      rnn::require(rnn::entities_of(again, rnn::TagScheme::kBioes) == entities);
    }
  } catch (const rnn::Error&) {
  }
  try {
    rnn::ConlluReader reader(file.path());
    rnn::ConlluSentence sentence;
    while (reader.next(sentence)) {
      rnn::require(!sentence.words.empty());
      static_cast<void>(sentence.spelled());
      static_cast<void>(sentence.comment("text"));
    }
  } catch (const rnn::Error&) {
  }
  return 0;
}
