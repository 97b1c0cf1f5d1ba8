// AdaptiveLanguageModel: a language model that goes on learning from the text it reads.
//
//   rnn::AdaptiveLanguageModel reader(model, {.cache = {.size = 500}});
//   for (const std::string& sentence : sentences) use(reader.score(sentence).log_prob);
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "rnn/export.h"
#include "rnn/fields.h"
#include "rnn/tasks/language_model.h"

namespace rnn {

/// Dynamic evaluation (Krause, Kahembwe, Murray and Renals 2018): after each segment of the text,
/// which has been scored by then, the weights make a step of gradient descent on its loss, divided
/// by the root of the mean square of each weight's gradient in training, and are drawn back to the
/// trained ones:
///
///   w += decay * min(r / mean(r), 1 / decay) * (w_trained - w) - lr * g / (r + epsilon)
///   r = sqrt(mean(g^2)) over the windows of a text like the training text
///
/// g is the gradient of the summed loss over `steps`, so that a segment which a sentence ends early
/// counts for as many units as it has. Regularizers are off.
struct RNN_API DynamicEvaluation {
  float lr = 0;  ///< 0: off
  float decay = 0.005f;
  float epsilon = 0.001f;
  std::int64_t steps = 5;  ///< units of a segment; the end of a sentence ends one early
  void exchange(Fields& fields);
};

/// Neural cache (Grave, Joulin and Usunier 2017): units that followed a similar state of the last
/// layer become likelier.
///
///   P(v) = (1 - weight) P_model(v) + weight * P_cache(v)
///   P_cache(v) proportional to the sum of exp(theta * h . h_i) over remembered i with unit v
struct RNN_API NeuralCache {
  std::int64_t size = 0;  ///< units remembered; 0: off
  float theta = 0.3f;     ///< how much likeness counts; 0: all alike, a unigram cache
  float weight = 0.1f;
  void exchange(Fields& fields);
};

/// How a model adapts to a text.
struct RNN_API Adaptation {
  DynamicEvaluation dynamic{};
  NeuralCache cache{};
  bool any() const { return dynamic.lr > 0 || cache.size > 0; }
  void exchange(Fields& fields);
  /// Throws ConfigError, naming the member.
  void validate() const;
};

/// Reads one stream of sentences, each with its end, and adapts to it; what a unit costs depends on
/// those before it alone. It changes as it reads: one is for one thread and one text. The model
/// itself stays as it is, and must live as long.
class RNN_API AdaptiveLanguageModel {
 public:
  /// `statistics` are text files like those of the training, over which dynamic evaluation measures
  /// gradients; the cache needs none. Throws ConfigError for options out of range, for dynamic
  /// evaluation without statistics, in int8 and of a network with zoneout; and what reading text
  /// throws.
  AdaptiveLanguageModel(const LanguageModel& model, const Adaptation& adaptation,
                        std::span<const std::string> statistics = {});
  ~AdaptiveLanguageModel();
  AdaptiveLanguageModel(AdaptiveLanguageModel&&) noexcept;

  /// The next sentence of the stream.
  SentenceScore score(std::string_view sentence);
  /// The next text files of the stream, as LanguageModel::evaluate counts them.
  LanguageModelEvaluation evaluate(std::span<const std::string> paths, const TextPolicy& text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
