#include "rnn/dense.h"

#include "layers/affine.h"
#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kDy, kDx };
enum Buffer : std::size_t { kForwardScratch, kBackwardScratch };

Affine affine(const DenseOptions& options) {
  return {.bias = bias_after_kernel(options.use_bias),
          .activation = options.activation,
          .y = kY,
          .dx = kDx,
          .activated = kDy,
          .forward_scratch = kForwardScratch,
          .backward_scratch = kBackwardScratch};
}

}  // namespace

void DenseOptions::exchange(Fields& fields) {
  fields("units", units);
  fields("use_bias", use_bias);
  exchange_activation(fields, "activation", activation);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

Dense::Dense(const DenseOptions& options) : options_(options) {
  require_size(type(), "units", options.units);
}

void Dense::describe(Fields& fields) const { show(options_, fields); }

Signal Dense::output(const Signal& input) const {
  require_vectors(type(), input);
  return Signal::vectors(options_.units);
}

std::vector<ParameterSpec> Dense::parameters(const Signal& input) const {
  std::vector<ParameterSpec> specs{
      {"kernel", {input.size, options_.units}, options_.kernel_initializer}};
  if (options_.use_bias) specs.push_back({"bias", {options_.units}});
  return specs;
}

Sequence Dense::forward(const Sequence& x, Call& call) const {
  return {
      .values = affine(options_).forward(x, call), .lengths = x.lengths, .examples = x.examples};
}

View<const float> Dense::backward(const Sequence& x, View<const float> dy, Call& call) const {
  return affine(options_).backward(x, dy, call.wants_dx, call);
}

}  // namespace rnn
