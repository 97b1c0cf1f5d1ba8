// From a text to the numbers that a classifier's network reads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/tasks/text_classifier_recipe.h"
#include "rnn/text/normalizer.h"
#include "rnn/text/tokenizer.h"
#include "rnn/text/vocabulary.h"

namespace rnn {

/// A unit that the network reads and where it stands in the source: bytes [begin, end).
struct EncodedUnit {
  std::int32_t id = 0;
  std::size_t begin = 0, end = 0;
};

struct EncodedText {
  std::vector<EncodedUnit> units{};
  bool cut = false;  ///< the middle was left out
};

/// Immutable: one may be used from many threads.
class TextEncoder {
 public:
  TextEncoder(const TextClassifierRecipe& recipe, const std::string& tokenizer_model);

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  void count(std::string_view text, VocabularyBuilder& builder) const;
  /// Replaces `ids` by those of the text; returns how many units were unknown. Of a text longer
  /// than max_units the middle is left out. A text without units is the end symbol alone, so that
  /// there is a step to read.
  std::int64_t encode(std::string_view text, const Vocabulary& vocabulary,
                      std::vector<std::int32_t>& ids) const;
  /// The same with places; the end symbol of an empty text stands at [0, 0).
  EncodedText units(std::string_view text, const Vocabulary& vocabulary) const;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  Normalizer normalizer_;
  bool rewrites_;
  std::size_t max_units_;
};

}  // namespace rnn
