// An output head of a program's own: the squared error of one number.
#pragma once

#include <cmath>
#include <vector>

#include "rnn/output_head.h"

namespace rnn::test {

/// (x - y)^2 of features [T,B,1], the loss standing where nats do. Targets are whole numbers in a
/// Batch, so y is given in steps of 2^-20 and has to be positive.
class SquaredError : public OutputHead {
 public:
  static std::int32_t target(float y) { return static_cast<std::int32_t>(std::lround(y * kSteps)); }

  std::string_view type() const noexcept override { return "SquaredError"; }
  void describe(Fields&) const override {}
  Index classes(const Signal& features) const override { return features.size; }
  std::vector<ParameterSpec> parameters(const Signal&) const override { return {}; }

  LossSum loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
               Call&) const override {
    LossSum sum;
    for (Index i = 0; i < targets.size(); ++i) {
      const float error = targets[i] < 0 ? 0 : error_of(features, targets, i);
      nats[i] = error * error;
      sum.nats += static_cast<double>(nats[i]);
      sum.targets += targets[i] >= 0;
    }
    return sum;
  }
  View<const float> backward(const Sequence& features, View<const std::int32_t> targets,
                             float scale, Call& call) const override {
    const View<float> dx = call.memory->floats(0, features.values.shape());
    for (Index i = 0; i < targets.size(); ++i) {
      dx[i] = targets[i] < 0 ? 0 : 2 * scale * error_of(features, targets, i);
    }
    return dx;
  }
  View<const float> predict(const Sequence& features, Call&) const override {
    return features.values;
  }

 private:
  static constexpr float kSteps = 1 << 20;
  static float error_of(const Sequence& features, View<const std::int32_t> targets, Index i) {
    return features.values[i] - static_cast<float>(targets[i]) / kSteps;
  }
};

}  // namespace rnn::test
