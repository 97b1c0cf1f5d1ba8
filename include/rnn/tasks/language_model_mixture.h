// LanguageModelMixture: several language models as one.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "rnn/export.h"
#include "rnn/tasks/language_model.h"

namespace rnn {

/// Linear interpolation (Jelinek and Mercer 1980):
///   P(unit | text) = sum_k weight_k P_k(unit | text)
/// of models that read text in the same way and have the same vocabulary, whatever their networks.
/// Immutable: one may be used from many threads.
class RNN_API LanguageModelMixture {
 public:
  struct Component {
    LanguageModel model;
    double weight = 1;  ///< relative to the others
  };
  /// Throws ConfigError when there is no model, a weight is not positive and finite, or the models
  /// differ in normalizer, tokenizer or vocabulary.
  explicit LanguageModelMixture(std::vector<Component> components);

  /// As LanguageModel::evaluate.
  LanguageModelEvaluation evaluate(std::span<const std::string> paths, StatePolicy policy,
                                   const TextPolicy& text) const;
  /// As LanguageModel::score: each sentence from the beginning of a text.
  std::vector<SentenceScore> score(std::span<const std::string> sentences) const;

  /// The first of the models, for what all have in common.
  const LanguageModel& first() const { return components_.front().model; }

 private:
  friend class SentenceReader;
  std::vector<Component> components_;  // weights add up to 1
};

}  // namespace rnn
