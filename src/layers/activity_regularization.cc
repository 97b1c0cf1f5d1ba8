#include "rnn/activity_regularization.h"

#include <cmath>

#include "layers/option_fields.h"

namespace rnn {

void ActivityRegularizationOptions::exchange(Fields& fields) {
  fields("l2", l2);
  fields("temporal_l2", temporal_l2);
}

ActivityRegularization::ActivityRegularization(const ActivityRegularizationOptions& options)
    : options_(options) {
  const auto check = [](float value, std::string_view name) {
    require(value >= 0 && std::isfinite(value), "ActivityRegularization " + std::string(name),
            "a finite number, at least 0", value);
  };
  check(options.l2, "l2");
  check(options.temporal_l2, "temporal_l2");
}

void ActivityRegularization::describe(Fields& fields) const { show(options_, fields); }

Signal ActivityRegularization::output(const Signal& input) const {
  require_vectors(type(), input);
  return input;
}

Sequence ActivityRegularization::forward(const Sequence& x, Call&) const { return x; }

View<const float> ActivityRegularization::backward(const Sequence& x, View<const float> dy,
                                                   Call& call) const {
  if (!call.wants_dx) return {};
  const View<float> dx = call.memory->floats(0, dy.shape());
  call.backend->activity_gradient({.x = x.values,
                                   .lengths = x.lengths,
                                   .l2 = options_.l2,
                                   .temporal_l2 = options_.temporal_l2,
                                   .scale = call.loss_scale,
                                   .dy = dy,
                                   .dx = dx});
  return dx;
}

}  // namespace rnn
