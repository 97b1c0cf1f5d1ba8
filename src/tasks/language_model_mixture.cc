#include "rnn/tasks/language_model_mixture.h"

#include <algorithm>
#include <cmath>

#include "base/number.h"
#include "rnn/error.h"
#include "rnn/text/lane_dataset.h"
#include "tasks/language_model_impl.h"
#include "tasks/language_model_recipe.h"
#include "tasks/sentence_scores.h"

namespace rnn {
namespace {

using Components = std::vector<LanguageModelMixture::Component>;

/// -log sum_k w_k exp(-nats_k), term by term; the loss of model k is at k.
class Mixed {
 public:
  explicit Mixed(const Components& components) {
    for (const auto& component : components) logs_.push_back(std::log(component.weight));
  }
  template <class Nats>
  double operator()(Nats nats) const {
    double top = -HUGE_VAL;
    for (std::size_t k = 0; k < logs_.size(); ++k) top = std::max(top, logs_[k] - nats(k));
    double sum = 0;
    for (std::size_t k = 0; k < logs_.size(); ++k) sum += std::exp(logs_[k] - nats(k) - top);
    return -(top + std::log(sum));
  }

 private:
  std::vector<double> logs_;
};

/// SentenceScorer for all models at once.
class MixtureScorer {
 public:
  explicit MixtureScorer(const Components& components) : mixed_(components) {
    for (const auto& [model, weight] : components) {
      scorers_.emplace_back(model.network(), model.parameters(), model.backend(),
                            model.vocabulary().end_id());
    }
  }

  const std::vector<std::vector<float>>& nats(
      std::span<const std::span<const std::int32_t>> sentences) {
    std::vector<const std::vector<std::vector<float>>*> parts;
    for (SentenceScorer& scorer : scorers_) parts.push_back(&scorer.nats(sentences));
    nats_ = *parts.front();
    for (std::size_t b = 0; b < nats_.size(); ++b) {
      for (std::size_t t = 0; t < nats_[b].size(); ++t) {
        nats_[b][t] = static_cast<float>(
            mixed_([&](std::size_t k) { return static_cast<double>((*parts[k])[b][t]); }));
      }
    }
    return nats_;
  }

 private:
  Mixed mixed_;
  std::vector<SentenceScorer> scorers_;
  std::vector<std::vector<float>> nats_;
};

double nats_of_stream(const Components& components, const TokenFile& text) {
  const Mixed mixed(components);
  std::vector<Inference> inferences;
  std::vector<State> states;
  for (const auto& [model, weight] : components) {
    inferences.emplace_back(model.network(), model.parameters(), model.backend());
    states.push_back(model.initial_state());
  }
  LaneDataset stream(text.ids(), components.front().model.vocabulary().end_id(),
                     {.batch = 1, .bptt = kEvaluationWindow});
  double total = 0;
  for (Batch batch; stream.next(batch);) {
    for (std::size_t k = 0; k < inferences.size(); ++k) inferences[k].evaluate(batch, states[k]);
    for (Index t = 0; t < batch.time; ++t) {
      total +=
          mixed([&](std::size_t k) { return static_cast<double>(inferences[k].nats()(t, 0)); });
    }
  }
  return total;
}

}  // namespace

LanguageModelMixture::LanguageModelMixture(std::vector<Component> components)
    : components_(std::move(components)) {
  if (components_.empty()) throw ConfigError("mixture: expected at least one model");
  double sum = 0;
  for (const Component& component : components_) {
    if (!(component.weight > 0) || !std::isfinite(component.weight)) {
      throw ConfigError("mixture: expected weights above 0 and finite, got " +
                        to_text(component.weight));
    }
    sum += component.weight;
    const auto& ours = *first().impl_;
    const auto& theirs = *component.model.impl_;
    ours.text.require_same(theirs.text, "mixture: a model");
    if (ours.vocabulary.fingerprint() != theirs.vocabulary.fingerprint()) {
      throw ConfigError(
          "mixture: the models have different vocabularies; train the others with --init-from or "
          "on the same text");
    }
  }
  for (Component& component : components_) component.weight /= sum;
}

LanguageModelEvaluation LanguageModelMixture::evaluate(std::span<const std::string> paths,
                                                       StatePolicy policy,
                                                       const TextPolicy& text_policy) const {
  const TokenFile text = first().impl_->tokens_of(paths, text_policy);
  LanguageModelEvaluation result = evaluation_of(text);
  if (policy == StatePolicy::kCarry) {
    result.nats = nats_of_stream(components_, text);
  } else {
    MixtureScorer scorer(components_);
    result.nats = nats_by_sentence(scorer, text.ids(), first().vocabulary().end_id());
  }
  return result;
}

std::vector<SentenceScore> LanguageModelMixture::score(
    std::span<const std::string> sentences) const {
  MixtureScorer scorer(components_);
  return score_sentences(scorer, first().impl_->text, first().vocabulary(), sentences);
}

}  // namespace rnn
