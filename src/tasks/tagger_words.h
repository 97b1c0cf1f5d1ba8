// Words as a tagger's network reads them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/text/normalizer.h"
#include "rnn/text/symbol_table.h"
#include "rnn/text/vocabulary.h"
#include "tasks/tagged_part.h"

namespace rnn {

/// What a tagger knows of words and characters. `</s>` among the characters stands at both ends of
/// a word, so that a window of characters sees where a word begins and ends.
struct TaggerVocabulary {
  Vocabulary words;
  Vocabulary characters;  ///< code points
  NormalizerOptions normal{};

  struct Options {
    bool lowercase = false, fold_digits = true;
    std::int64_t min_count = 1, char_min_count = 1;
  };
  static TaggerVocabulary of(const TaggedPart& part, const Options& options);
};

NormalizerOptions tagger_normalizer(bool lowercase, bool fold_digits);

/// Words, each once, in the order in which they were first seen: the forms that sentences are made
/// of, with all that the network reads of each.
class WordForms {
 public:
  /// The vocabulary must live as long.
  explicit WordForms(const TaggerVocabulary& vocabulary)
      : vocabulary_(vocabulary), normalizer_(vocabulary.normal) {}

  /// The number of a word's form.
  std::int32_t add(std::string_view word);
  std::vector<std::int32_t> add(std::span<const std::string> words);

  std::int32_t size() const { return static_cast<std::int32_t>(forms_.size()); }
  /// The id of the word's vector; that of `<unk>` for an unknown word.
  std::int32_t word(std::int32_t form) const { return forms_[index(form)].word; }
  /// WordShape as a number.
  std::int32_t shape(std::int32_t form) const { return forms_[index(form)].shape; }
  /// Ids with one for each end around them.
  std::span<const std::int32_t> characters(std::int32_t form) const;
  bool is_unknown(std::int32_t form) const { return word(form) == vocabulary_.words.unknown_id(); }

 private:
  struct Form {
    std::int32_t word = 0, shape = 0;
    std::size_t begin = 0;  // in characters_, up to the next one's
  };
  static std::size_t index(std::int32_t form) { return static_cast<std::size_t>(form); }

  const TaggerVocabulary& vocabulary_;
  Normalizer normalizer_;
  SymbolTable numbers_;
  std::vector<Form> forms_;
  std::vector<std::int32_t> characters_;
};

}  // namespace rnn
