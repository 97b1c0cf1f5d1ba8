// Losses of sentences by several models whose probabilities are mixed.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "rnn/tasks/language_model_mixture.h"
#include "tasks/sentence_scorer.h"

namespace rnn {

/// -log sum_k w_k exp(-nats_k), term by term; the loss of model k is at k.
class Mixed {
 public:
  explicit Mixed(std::span<const LanguageModelMixture::Component> components) {
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
  explicit MixtureScorer(std::span<const LanguageModelMixture::Component> components)
      : mixed_(components) {
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

}  // namespace rnn
