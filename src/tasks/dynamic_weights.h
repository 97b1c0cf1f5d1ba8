// The weights that dynamic evaluation moves, and how far each of them goes in a step.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "rnn/session.h"
#include "rnn/tasks/adaptive_language_model.h"

namespace rnn {

/// The network with everything off that acts in training alone, so that the loss which a Session
/// gives is that of an evaluation. Throws ConfigError for zoneout, which acts in both.
Network without_regularizers(const Network& network);

class DynamicWeights {
 public:
  /// `statistics` is the text over which gradients are measured, with `end_id` as its first input.
  DynamicWeights(const LanguageModel& model, const DynamicEvaluation& options,
                 std::span<const std::int32_t> statistics, std::int32_t end_id);

  /// As they are now.
  const Parameters& weights() const { return weights_; }
  /// The loss of a segment with the weights as they are. They then learn from it.
  void read(const Batch& segment, State& state, const Observer& observer);

 private:
  void measure(const DynamicEvaluation& options, std::span<const std::int32_t> statistics,
               std::int32_t end_id);
  void step();

  std::int64_t steps_;
  Network network_;
  std::shared_ptr<const Backend> backend_;
  Parameters trained_, weights_;
  Session session_;
  ThreadPool pool_;
  TensorList rates_{}, pulls_{};  // of each weight: lr / (r + epsilon), decay * min(..)
};

}  // namespace rnn
