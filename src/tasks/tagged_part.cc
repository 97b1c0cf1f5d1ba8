#include "tasks/tagged_part.h"

#include "rnn/error.h"

namespace rnn {

void TaggedSentences::add(const TaggedSentence& sentence, const std::string& file) {
  files_.add(size(), file);
  std::vector<std::int32_t> words, tags;
  for (const std::string& word : sentence.words) words.push_back(word_names_.insert(word));
  for (const std::string& tag : sentence.tags) tags.push_back(tag_names_.insert(tag));
  words_.append(words);
  tags_.append(tags);
  lines_.append(sentence.lines);
}

void TaggedSentences::get(std::int64_t i, TaggedSentence& sentence) const {
  const auto name = [](const SymbolTable& names, std::span<const std::int32_t> numbers,
                       std::vector<std::string>& to) {
    to.resize(numbers.size());
    for (std::size_t t = 0; t < numbers.size(); ++t) to[t] = names[numbers[t]];
  };
  name(word_names_, words_[i], sentence.words);
  name(tag_names_, tags_[i], sentence.tags);
  const std::span<const std::int64_t> lines = lines_[i];
  sentence.lines.assign(lines.begin(), lines.end());
}

std::int64_t TaggedPart::words() const {
  if (size() == 0) return 0;
  return sentences_->words_before(end_ - 1) + sentences_->length(end_ - 1) -
         sentences_->words_before(begin_);
}

TaggedPart read_tagged(std::span<const std::string> paths, const TagReaderOptions& options,
                       const Storage& storage) {
  const auto sentences = std::make_shared<TaggedSentences>(storage);
  std::string first = "no file";
  for (const std::string& path : paths) {
    TagReader reader(path, options);
    if (&path == paths.data()) first = reader.name();
    TaggedSentence sentence;
    while (reader.next(sentence)) sentences->add(sentence, reader.name());
  }
  if (sentences->size() == 0) {
    throw TextError(first +
                    ": there is no sentence; expected words, one a line, with an empty line after "
                    "each sentence");
  }
  return TaggedPart(sentences);
}

}  // namespace rnn
