// Accuracy.
#include <algorithm>
#include <span>

#include "rnn/error.h"
#include "training/model_impl.h"

namespace rnn {
namespace {

struct Hits {
  std::int64_t right = 0, all = 0;
};

/// Targets [T,B], or [T,B,C] of yes-or-no labels, against probabilities [T,B,C]. `lengths`: of what
/// the head read, which may be shorter than the batch's.
void count(const Batch& batch, View<const float> probabilities,
           std::span<const std::int32_t> lengths, bool labels, Hits& hits) {
  const Index time = probabilities.extent(0), rows = probabilities.extent(1);
  const Index classes = probabilities.extent(2), width = labels ? classes : 1;
  if (static_cast<Index>(batch.targets.size()) != time * rows * width) {
    throw ShapeError("score: expected " + std::to_string(time * rows * width) + " targets, got " +
                     std::to_string(batch.targets.size()));
  }
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < rows; ++b) {
      if (t >= length_of(lengths, b, time)) continue;
      const float* p = &probabilities(t, b, 0);
      const std::int32_t* targets = batch.targets.data() + (t * rows + b) * width;
      for (Index i = 0; i < width; ++i) {
        if (targets[i] < 0) continue;
        ++hits.all;
        hits.right += labels ? (p[i] >= 0.5f) == (targets[i] == 1)
                             : std::max_element(p, p + classes) - p == targets[i];
      }
    }
  }
}

}  // namespace

double Model::score(BatchSource& data, StatePolicy policy) {
  Inference& inference = impl_->infer();
  const auto& head = impl_->network.head().head;
  if (!head) throw ConfigError("score: the network has no output head");
  Hits hits;
  State state;
  Index rows = -1;
  Batch batch;
  data.seek({});
  while (data.next(batch)) {
    if (rows != batch.batch || policy == StatePolicy::kReset) {
      state = impl_->network.zero_state(batch.batch, *impl_->backend);
      rows = batch.batch;
    }
    const View<const float> probabilities = inference.predict(batch, state);
    count(batch, probabilities, inference.head_input().features.lengths,
          head->targets_per_step() != 1, hits);
  }
  return hits.all > 0 ? static_cast<double>(hits.right) / static_cast<double>(hits.all) : 0;
}

}  // namespace rnn
