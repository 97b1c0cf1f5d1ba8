#include "tasks/text_encoder.h"

#include <algorithm>

namespace rnn {
namespace {

/// Keeps the first and the last half of so many.
template <class Unit>
void cut_middle(std::vector<Unit>& units, std::size_t limit) {
  if (units.size() <= limit) return;
  const auto first = static_cast<std::ptrdiff_t>(limit - limit / 2);
  const auto last = static_cast<std::ptrdiff_t>(limit / 2);
  units.erase(units.begin() + first, units.end() - last);
}

}  // namespace

TextEncoder::TextEncoder(const TextClassifierRecipe& recipe, const std::string& tokenizer_model)
    : tokenizer_(make_tokenizer({.unit = recipe.unit,
                                 .locale = recipe.locale,
                                 .model = tokenizer_model,
                                 .pattern = recipe.pattern})),
      normalizer_({.form = recipe.form, .lowercase = recipe.lowercase, .locale = recipe.locale}),
      rewrites_(!normalizer_.options().is_identity()),
      max_units_(static_cast<std::size_t>(recipe.max_units)) {}

void TextEncoder::count(std::string_view text, VocabularyBuilder& builder) const {
  if (rewrites_) {
    tokenizer_->count(normalizer_.normalize(text), builder);
  } else {
    tokenizer_->count(text, builder);
  }
}

std::int64_t TextEncoder::encode(std::string_view text, const Vocabulary& vocabulary,
                                 std::vector<std::int32_t>& ids) const {
  ids.clear();
  std::int64_t unknown = rewrites_
                             ? tokenizer_->encode(normalizer_.normalize(text), vocabulary, ids)
                             : tokenizer_->encode(text, vocabulary, ids);
  if (ids.size() > max_units_) {
    cut_middle(ids, max_units_);
    unknown = std::count(ids.begin(), ids.end(), vocabulary.unknown_id());
  }
  if (ids.empty()) ids.push_back(vocabulary.end_id());
  return unknown;
}

EncodedText TextEncoder::units(std::string_view text, const Vocabulary& vocabulary) const {
  EncodedText encoded;
  std::vector<EncodedUnit>& units = encoded.units;
  std::vector<Token> tokens;
  const auto take = [&](std::string_view read, const NormalizedText* normalized) {
    tokenizer_->tokenize(read, tokens);
    for (const Token& token : tokens) {
      NormalizedText::Range place{token.begin, token.end};
      if (normalized) place = normalized->source(token.begin, token.end);
      units.push_back({vocabulary.text_id(token.text), place.begin, place.end});
    }
  };
  if (rewrites_) {
    const NormalizedText normalized = normalizer_.align(text);
    take(normalized.text(), &normalized);
  } else {
    take(text, nullptr);
  }
  encoded.cut = units.size() > max_units_;
  cut_middle(units, max_units_);
  if (units.empty()) units.push_back({vocabulary.end_id(), 0, 0});
  return encoded;
}

}  // namespace rnn
