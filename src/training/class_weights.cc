#include "training/class_weights.h"

#include <cmath>
#include <vector>

#include "base/require.h"

namespace rnn {

void check_class_weights(std::span<const float> class_weights, const Network::Head& head) {
  if (class_weights.empty()) return;
  if (!head.head || head.head->targets_per_step() != 1) {
    throw ConfigError("class_weights: expected an output head with one target a step");
  }
  require(static_cast<Index>(class_weights.size()) == head.classes, "class_weights",
          to_text(head.classes) + ", one a class", class_weights.size());
  for (float weight : class_weights) {
    require(weight >= 0 && std::isfinite(weight), "class_weights", "finite numbers of at least 0",
            weight);
  }
}

void weigh(Batch& batch, std::span<const float> class_weights) {
  if (class_weights.empty()) return;
  const std::vector<float> before = batch.weights;
  if (!before.empty() && batch.targets.size() % before.size() != 0) {
    throw ShapeError("class_weights: expected a weight for each of the batch's " +
                     std::to_string(batch.targets.size()) +
                     " targets or one for each sequence, got " + std::to_string(before.size()));
  }
  batch.weights.assign(batch.targets.size(), 1.0f);
  for (std::size_t i = 0; i < batch.targets.size(); ++i) {
    const std::int32_t target = batch.targets[i];
    // A target that is no class is for the head to refuse.
    if (target < 0 || static_cast<std::size_t>(target) >= class_weights.size()) continue;
    const float own = before.empty() ? 1.0f : before[i % before.size()];
    batch.weights[i] = own * class_weights[static_cast<std::size_t>(target)];
  }
}

}  // namespace rnn
