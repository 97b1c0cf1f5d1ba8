// LanguageModelScorer: a language model as a decoder asks it, one unit after another.
//
//   rnn::LanguageModelScorer scorer(model);
//   rnn::TextState text = scorer.begin();
//   const auto step = scorer.score(text, model.vocabulary().text_id("fox"));
//   use(step.log_prob);       // natural logarithm of P(fox | the text so far)
//   text = step.next;         // the text with "fox"; `text` as it was can still be gone on from
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "rnn/export.h"
#include "rnn/parameters.h"
#include "rnn/tasks/language_model.h"
#include "rnn/view.h"

namespace rnn {

/// A text so far, as a decoder keeps one for each hypothesis. A value: a copy is another text that
/// goes its own way. Belongs to the model it began with.
class TextState {
 public:
  /// The unit that was read last.
  std::int32_t last() const { return last_; }

 private:
  friend class LanguageModelScorer;
  State state_{};  // before `last_` is read; one row
  std::int32_t last_ = 0;
};

/// Scores for decoders, many hypotheses side by side. A score does not depend on which others are
/// asked for with it, and the scores of a text unit by unit are, bit for bit, those of
/// LanguageModel::score. Keeps the memory of its largest call; one is for one thread at a time, the
/// model may serve many.
class RNN_API LanguageModelScorer {
 public:
  /// The model must live as long.
  explicit LanguageModelScorer(const LanguageModel& model);
  ~LanguageModelScorer();
  LanguageModelScorer(LanguageModelScorer&&) noexcept;

  /// Before the first unit of a text.
  TextState begin() const;

  struct Step {
    double log_prob = 0;  ///< natural logarithm of P(token | state)
    TextState next{};     ///< the text with that token
  };
  /// `token` is an id of the vocabulary, the end of the sentence among them. Throws ConfigError for
  /// another number.
  Step score(const TextState& state, std::int32_t token);
  /// Each token after its own state.
  std::vector<Step> score(std::span<const TextState> states, std::span<const std::int32_t> tokens);
  /// Natural logarithms [N,V] of the probability of every unit after each state: for a decoder that
  /// proposes its own. Those of the softmaxes are, bit for bit, what `score` gives, however small.
  /// Valid until the next call.
  View<const float> log_probs(std::span<const TextState> states);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
