#include "rnn/dropout.h"

#include "layers/option_fields.h"

namespace rnn {

void DropoutOptions::exchange(Fields& fields) {
  fields("rate", rate);
  fields("shared_over_time", shared_over_time);
}

Dropout::Dropout(const DropoutOptions& options) : options_(options) {
  require_rate(type(), "rate", options.rate);
}

void Dropout::describe(Fields& fields) const { show(options_, fields); }

Signal Dropout::output(const Signal& input) const {
  require_vectors(type(), input);
  return input;
}

Sequence Dropout::forward(const Sequence& x, Call& call) const {
  if (!call.training || options_.rate == 0) return x;
  const View<float> y = call.memory->floats(0, x.values.shape());
  call.backend->dropout({.x = x.values,
                         .lengths = x.lengths,
                         .examples = x.examples,
                         .rate = options_.rate,
                         .shared_over_time = options_.shared_over_time,
                         .random = call.random,
                         .y = y});
  return {.values = y, .lengths = x.lengths, .examples = x.examples};
}

View<const float> Dropout::backward(const Sequence& x, View<const float> dy, Call& call) const {
  if (options_.rate == 0 || !call.wants_dx) return call.wants_dx ? dy : View<const float>();
  const View<float> dx = call.memory->floats(1, dy.shape());
  call.backend->dropout({.x = dy,
                         .lengths = x.lengths,
                         .examples = x.examples,
                         .rate = options_.rate,
                         .shared_over_time = options_.shared_over_time,
                         .random = call.random,
                         .y = dx});
  return dx;
}

}  // namespace rnn
