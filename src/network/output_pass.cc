#include "network/output_pass.h"

#include <algorithm>
#include <cmath>

namespace rnn {

OutputPass::OutputPass(const Network::Head& output, std::pmr::memory_resource* memory)
    : output_(output), frame_{.memory = CallMemory(memory)}, nats_(memory) {}

void OutputPass::begin(const Sequence& features, std::span<const std::int32_t> targets,
                       std::span<const float> weights, const Parameters& parameters,
                       const Backend& backend, bool training, const Random& random,
                       CallMemory* shared_scratch) {
  features_ = features;
  if (!output_.head) return;
  frame_.bind(output_.parameters, parameters, backend, training, random, shared_scratch);
  const Index time = features.time(), batch = features.batch();
  const Index width = output_.head->targets_per_step(), size = time * batch * width;
  targets_.assign(targets.begin(), targets.end());
  if (!targets_.empty() && static_cast<Index>(targets_.size()) != size) {
    throw ShapeError("output '" + output_.name + "': expected " + std::to_string(size) +
                     " targets for features " + features.values.shape().to_string() + ", got " +
                     std::to_string(targets_.size()));
  }
  for (Index b = 0; !targets_.empty() && b < batch; ++b) {
    for (Index t = length_of(features.lengths, b, time); t < time; ++t) {
      std::fill_n(targets_.begin() + (t * batch + b) * width, width, -1);
    }
  }
  target_view_ = {targets_.data(), width == 1 ? Shape{time, batch} : Shape{time, batch, width}};
  take_weights(weights);
}

/// One weight for each target or, given for each sequence, repeated.
void OutputPass::take_weights(std::span<const float> weights) {
  weights_.clear();
  if (weights.empty()) return;
  const auto steps = static_cast<std::size_t>(features_.time() * features_.batch());
  const auto sequences = static_cast<std::size_t>(features_.batch());
  if (weights.size() != steps && weights.size() != sequences) {
    throw ShapeError("output '" + output_.name + "': expected " + std::to_string(steps) +
                     " weights, one a target, or " + std::to_string(sequences) +
                     ", one a sequence, got " + std::to_string(weights.size()));
  }
  for (std::size_t i = 0; i < steps; ++i) {
    const float weight = weights[i % weights.size()];  // sequence b stands at t * B + b
    if (!(weight >= 0 && std::isfinite(weight))) {
      throw ShapeError("output '" + output_.name +
                       "': a weight must be finite and at least 0, got " + std::to_string(weight));
    }
    weights_.push_back(weight);
  }
}

LossSum OutputPass::loss() {
  if (targets_.empty() && features_.time() * features_.batch() > 0) {
    throw ShapeError("output '" + output_.name +
                     "': a loss needs targets; -1 stands for a step that has none");
  }
  nats_.resize({features_.time(), features_.batch()});
  LossSum sum = in_layer(output_.name, output_.head->type(), [&] {
    return output_.head->loss(features_, target_view_, nats_, frame_.call);
  });
  if (weights_.empty()) return sum;
  sum.nats = 0;
  const std::size_t width = targets_.size() / weights_.size();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const double weight = weights_[i];
    sum.nats += weight * static_cast<double>(nats_[static_cast<Index>(i)]);
    const auto first = targets_.begin() + static_cast<std::ptrdiff_t>(i * width);
    const auto counted = std::count_if(first, first + static_cast<std::ptrdiff_t>(width),
                                       [](std::int32_t target) { return target >= 0; });
    sum.excess += (weight - 1) * static_cast<double>(counted);
  }
  return sum;
}

View<const float> OutputPass::predict() {
  if (!output_.head) return features_.values;
  return in_layer(output_.name, output_.head->type(),
                  [&] { return output_.head->predict(features_, frame_.call); });
}

View<const float> OutputPass::backward(float scale, TensorList& gradients) {
  frame_.bind_gradients(output_.parameters, gradients);
  if (!weights_.empty()) {
    frame_.call.target_weights = {weights_.data(), {static_cast<Index>(weights_.size())}};
  }
  return output_.head->backward(features_, target_view_, scale, frame_.call);
}

}  // namespace rnn
