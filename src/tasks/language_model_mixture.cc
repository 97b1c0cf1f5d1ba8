#include "rnn/tasks/language_model_mixture.h"

#include <cmath>

#include "base/number.h"
#include "rnn/error.h"
#include "rnn/tasks/sentence_reader.h"
#include "rnn/text/lane_dataset.h"
#include "tasks/language_model_impl.h"
#include "tasks/language_model_recipe.h"
#include "tasks/mixture_scorer.h"
#include "tasks/sentence_scores.h"

namespace rnn {
namespace {

using Components = std::vector<LanguageModelMixture::Component>;

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
  return SentenceReader(*this).score(sentences);
}

}  // namespace rnn
