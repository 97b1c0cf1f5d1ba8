#include "rnn/tasks/adaptive_language_model.h"

#include <cmath>
#include <optional>

#include "base/prefixed_fields.h"
#include "base/require.h"
#include "tasks/dynamic_weights.h"
#include "tasks/language_model_impl.h"
#include "tasks/language_model_recipe.h"
#include "tasks/neural_cache.h"
#include "tasks/sentence_scores.h"

namespace rnn {
namespace {

/// Loss of each unit, in the order of the text. As a SentenceScorer has it for `sentence_scores.h`,
/// but sentences follow each other.
class AdaptiveScorer {
 public:
  AdaptiveScorer(const LanguageModel& model, const Adaptation& adaptation,
                 const std::optional<TokenFile>& statistics)
      : end_id_(model.vocabulary().end_id()),
        window_(statistics ? adaptation.dynamic.steps : kEvaluationWindow),
        state_(model.initial_state()),
        last_(end_id_) {
    if (statistics) {
      weights_.emplace(model, adaptation.dynamic, statistics->ids(), end_id_);
    } else {
      inference_.emplace(model.network(), model.parameters(), model.backend());
    }
    if (adaptation.cache.size > 0) {
      cache_.emplace(adaptation.cache, model.network().head().features.size);
    }
    observer_ = [this, head = model.network().head().name](const LayerEvent& event) {
      if (event.name == head && !event.backward) take(event);
    };
    if (inference_) inference_->observe(observer_);
  }
  AdaptiveScorer(const AdaptiveScorer&) = delete;
  AdaptiveScorer& operator=(const AdaptiveScorer&) = delete;

  const std::vector<std::vector<float>>& nats(
      std::span<const std::span<const std::int32_t>> sentences) {
    nats_.clear();
    for (const auto& ids : sentences) {
      nats_.emplace_back();
      const auto units = static_cast<std::int64_t>(ids.size()) + 1;  // with its end
      for (std::int64_t first = 0; first < units; first += window_) {
        batch_.clear();
        batch_.batch = 1;
        batch_.time = std::min(window_, units - first);
        for (std::int64_t t = first; t < first + batch_.time; ++t) {
          batch_.ids.push_back(last_);
          last_ = t + 1 < units ? ids[static_cast<std::size_t>(t)] : end_id_;
          batch_.targets.push_back(last_);
        }
        if (weights_) {
          weights_->read(batch_, state_, observer_);
        } else {
          inference_->evaluate(batch_, state_);
        }
      }
    }
    return nats_;
  }

 private:
  /// What a window cost the model, and what it costs with the cache.
  void take(const LayerEvent& event) {
    const View<const float> features = event.inputs[0].values;
    for (Index t = 0; t < batch_.time; ++t) {
      const float nats = event.values(t, 0);
      const std::int32_t unit = batch_.targets[static_cast<std::size_t>(t)];
      nats_.back().push_back(cache_ ? cache_->read(&features(t, 0, 0), unit, nats) : nats);
    }
  }

  std::int32_t end_id_;
  std::int64_t window_;
  std::optional<DynamicWeights> weights_{};
  std::optional<Inference> inference_{};  // when the weights stay
  std::optional<CacheMemory> cache_{};
  State state_;
  std::int32_t last_;  // the unit read last
  Observer observer_{};
  Batch batch_{};
  std::vector<std::vector<float>> nats_{};
};

}  // namespace

void DynamicEvaluation::exchange(Fields& fields) {
  fields("lr", lr);
  fields("decay", decay);
  fields("epsilon", epsilon);
  fields("steps", steps);
}

void NeuralCache::exchange(Fields& fields) {
  fields("size", size);
  fields("theta", theta);
  fields("weight", weight);
}

void Adaptation::exchange(Fields& fields) {
  PrefixedFields dynamic_fields(fields, "dynamic"), cache_fields(fields, "cache");
  dynamic.exchange(dynamic_fields);
  cache.exchange(cache_fields);
}

void Adaptation::validate() const {
  require(dynamic.lr >= 0 && std::isfinite(dynamic.lr), "dynamic-lr", "at least 0 and finite",
          dynamic.lr);
  require(dynamic.decay >= 0 && dynamic.decay <= 1, "dynamic-decay", "0 to 1", dynamic.decay);
  require(dynamic.epsilon > 0 && std::isfinite(dynamic.epsilon), "dynamic-epsilon",
          "more than 0 and finite", dynamic.epsilon);
  require(dynamic.steps >= 1 && dynamic.steps <= 65536, "dynamic-steps", "1 to 65536",
          dynamic.steps);
  require(cache.size >= 0 && cache.size <= 1 << 20, "cache-size", "0 to 1048576", cache.size);
  require(cache.theta >= 0 && std::isfinite(cache.theta), "cache-theta", "at least 0 and finite",
          cache.theta);
  require(cache.weight >= 0 && cache.weight < 1, "cache-weight", "at least 0 and below 1",
          cache.weight);
}

struct AdaptiveLanguageModel::Impl {
  const LanguageModel::Impl& model;
  AdaptiveScorer scorer;
};

AdaptiveLanguageModel::AdaptiveLanguageModel(const LanguageModel& model,
                                             const Adaptation& adaptation,
                                             std::span<const std::string> statistics) {
  adaptation.validate();
  std::optional<TokenFile> text;
  if (adaptation.dynamic.lr > 0) {
    if (statistics.empty()) {
      throw ConfigError(
          "dynamic-statistics: dynamic evaluation divides by the size of gradients in training; "
          "give the training text, or one like it");
    }
    text = model.impl_->tokens_of(statistics, model.text_policy());
  }
  impl_.reset(new Impl{*model.impl_, {model, adaptation, text}});
}
AdaptiveLanguageModel::~AdaptiveLanguageModel() = default;
AdaptiveLanguageModel::AdaptiveLanguageModel(AdaptiveLanguageModel&&) noexcept = default;

SentenceScore AdaptiveLanguageModel::score(std::string_view sentence) {
  const std::string one[] = {std::string(sentence)};
  const LanguageModel::Impl& m = impl_->model;
  return std::move(score_sentences(impl_->scorer, m.text, m.vocabulary, one).front());
}

LanguageModelEvaluation AdaptiveLanguageModel::evaluate(std::span<const std::string> paths,
                                                        const TextPolicy& text_policy) {
  const TokenFile text = impl_->model.tokens_of(paths, text_policy);
  LanguageModelEvaluation result = evaluation_of(text);
  result.nats = nats_by_sentence(impl_->scorer, text.ids(), impl_->model.vocabulary.end_id());
  return result;
}

}  // namespace rnn
