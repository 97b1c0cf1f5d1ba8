#include "network/output_pass.h"

#include <algorithm>

namespace rnn {

OutputPass::OutputPass(const Network::Head& output, std::pmr::memory_resource* memory)
    : output_(output), frame_{.memory = CallMemory(memory)}, nats_(memory) {}

void OutputPass::begin(const Sequence& features, std::span<const std::int32_t> targets,
                       const Parameters& parameters, const Backend& backend, bool training,
                       const Random& random) {
  features_ = features;
  if (!output_.head) return;
  frame_.bind(output_.parameters, parameters, backend, training, random);
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
}

LossSum OutputPass::loss() {
  if (targets_.empty() && features_.time() * features_.batch() > 0) {
    throw ShapeError("output '" + output_.name +
                     "': a loss needs targets; -1 stands for a step that has none");
  }
  nats_.resize({features_.time(), features_.batch()});
  return in_layer(output_.name, output_.head->type(),
                  [&] { return output_.head->loss(features_, target_view_, nats_, frame_.call); });
}

View<const float> OutputPass::predict() {
  if (!output_.head) return features_.values;
  return in_layer(output_.name, output_.head->type(),
                  [&] { return output_.head->predict(features_, frame_.call); });
}

View<const float> OutputPass::backward(float scale, TensorList& gradients) {
  frame_.bind_gradients(output_.parameters, gradients);
  return output_.head->backward(features_, target_view_, scale, frame_.call);
}

}  // namespace rnn
