#include "rnn/averaging.h"

#include <algorithm>

#include "base/require.h"

namespace rnn {

void Averaging::exchange(Fields& fields) {
  fields.choice("kind", kind, {"none", "ema", "asgd", "nt-asgd"});
  fields("momentum", momentum);
  fields("start", start);
  fields("non_monotone", non_monotone);
}

void Averaging::validate() const {
  require(momentum >= 0 && momentum < 1, "averaging momentum", "in [0, 1)", momentum);
  require(start >= 0, "averaging start", "at least 0", start);
  require(non_monotone >= 1, "averaging non_monotone", "at least 1", non_monotone);
}

bool Averaging::begun(std::int64_t epochs, std::span<const double> validation) const {
  switch (kind) {
    case Kind::kNone:
      return false;
    case Kind::kEma:
      return true;
    case Kind::kAsgd:
      return epochs >= start;
    case Kind::kNtAsgd:
      break;
  }
  const auto endured = static_cast<std::size_t>(non_monotone);
  for (std::size_t i = endured + 1; i < validation.size(); ++i) {
    const auto before = validation.first(i - endured);
    if (validation[i] > *std::min_element(before.begin(), before.end())) return true;
  }
  return false;
}

void average(const Averaging& averaging, const TensorList& parameters, AverageState& state,
             const Backend& backend) {
  if (state.steps == 0) {
    state.values = Parameters();
    for (const NamedTensor& entry : parameters) state.values.add(entry.name, entry.tensor);
  } else {
    const auto n = static_cast<float>(state.steps);
    const float weight = averaging.kind == Averaging::Kind::kEma
                             ? 1 - std::min(averaging.momentum, (1 + n) / (10 + n))
                             : 1 / (n + 1);
    // a + weight * (p - a) is a step of gradient descent on |p - a|^2 / 2.
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      backend.sgd_step({.parameter = state.values[i],
                        .gradient = parameters[i],
                        .learning_rate = weight,
                        .weight_decay = 1,
                        .gradient_scale = -1});
    }
  }
  ++state.steps;
  state.values.changed();
}

}  // namespace rnn
