#include "tasks/tagger_words.h"

#include <algorithm>

#include "rnn/text/word_shape.h"
#include "text/utf8.h"

namespace rnn {
namespace {

template <class Function>
void each_character(std::string_view word, Function function) {
  for (std::size_t at = 0; at < word.size();) {
    const auto length = decode_utf8(word, at).length;
    function(word.substr(at, length));
    at += length;
  }
}

}  // namespace

NormalizerOptions tagger_normalizer(bool lowercase, bool fold_digits) {
  return {.lowercase = lowercase, .digits = fold_digits ? "zero" : "keep"};
}

TaggerVocabulary TaggerVocabulary::of(const TaggedPart& part, const Options& options) {
  VocabularyBuilder words, characters;
  std::int64_t most = 1;  // occurrences of a character
  const NormalizerOptions normal = tagger_normalizer(options.lowercase, options.fold_digits);
  const Normalizer normalizer(normal);
  part.each_word([&](std::string_view word, std::int64_t count) {
    words.add(normalizer.normalize(word), count);
    each_character(word, [&](std::string_view one) {
      characters.add(one, count);
      most = std::max(most, characters.count(one));
    });
  });
  // In a tiny text every character may be rare.
  const std::int64_t char_min_count = std::min(options.char_min_count, most);
  return {words.build({.minimum_count = options.min_count}),
          characters.build({.minimum_count = char_min_count}), normal};
}

std::int32_t WordForms::add(std::string_view word) {
  const std::int32_t number = numbers_.insert(word);
  if (number < size()) return number;
  const Vocabulary& characters = vocabulary_.characters;
  forms_.push_back({vocabulary_.words.text_id(normalizer_.normalize(word)),
                    static_cast<std::int32_t>(word_shape(word)), characters_.size()});
  characters_.push_back(characters.end_id());
  each_character(word, [&](std::string_view one) { characters_.push_back(characters.id(one)); });
  characters_.push_back(characters.end_id());
  return number;
}

std::vector<std::int32_t> WordForms::add(std::span<const std::string> words) {
  std::vector<std::int32_t> forms;
  forms.reserve(words.size());
  for (const std::string& word : words) forms.push_back(add(word));
  return forms;
}

std::span<const std::int32_t> WordForms::characters(std::int32_t form) const {
  const std::size_t begin = forms_[index(form)].begin;
  const std::size_t end =
      index(form) + 1 < forms_.size() ? forms_[index(form) + 1].begin : characters_.size();
  return {characters_.data() + begin, end - begin};
}

}  // namespace rnn
