// OutputPass: what a pass does at one output of a network.
#pragma once

#include <span>
#include <vector>

#include "network/frame.h"
#include "rnn/network.h"

namespace rnn {

class OutputPass {
 public:
  OutputPass(const Network::Head& output, std::pmr::memory_resource* memory);

  /// Takes what reached the output, and a copy of the targets and their weights: empty when no loss
  /// is wanted, or when all weigh the same.
  void begin(const Sequence& features, std::span<const std::int32_t> targets,
             std::span<const float> weights, const Parameters& parameters, const Backend& backend,
             bool training, const Random& random, CallMemory* shared_scratch = nullptr);
  /// Loss of the targets. Throws ShapeError when there are none.
  LossSum loss();
  View<const float> nats() const { return nats_; }
  /// The head's probabilities, or the features.
  View<const float> predict();
  const Sequence& features() const { return features_; }
  Call& call() { return frame_.call; }
  /// dfeatures of `scale` times the summed loss.
  View<const float> backward(float scale, TensorList& gradients);
  std::size_t memory() const { return frame_.memory.size(); }

 private:
  void take_weights(std::span<const float> weights);

  const Network::Head& output_;
  Frame frame_;
  Sequence features_;
  std::vector<std::int32_t> targets_;
  View<const std::int32_t> target_view_;
  std::vector<float> weights_;  // [T*B], empty: all 1
  Tensor nats_;
};

}  // namespace rnn
