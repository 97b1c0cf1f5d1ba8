#include "rnn/dense.h"

#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kDy, kDx };
enum Buffer : std::size_t { kForwardScratch, kBackwardScratch };

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
  const View<float> y = call.memory->floats(kY, {x.time(), x.batch(), options_.units});
  DenseForward<float> args{.x = x.values,
                           .lengths = x.lengths,
                           .kernel = call.parameters[0],
                           .bias = options_.use_bias ? call.parameters[1] : View<const float>(),
                           .y = y,
                           .weights_version = call.weights_version};
  args.scratch = call.memory->bytes(kForwardScratch, call.backend->scratch_bytes(args));
  call.backend->dense_forward(args);
  if (options_.activation) {
    call.backend->activation_forward({.activation = *options_.activation, .x = y, .y = y});
    if (*options_.activation == Activation::kSigmoid) clear_padding(y, x.lengths);
  }
  return {.values = y, .lengths = x.lengths, .examples = x.examples};
}

View<const float> Dense::backward(const Sequence& x, View<const float> dy, Call& call) const {
  if (options_.activation) {
    const View<float> pre = call.memory->floats(kDy, dy.shape());
    call.backend->activation_backward(
        {.activation = *options_.activation, .y = call.memory->floats(kY), .dy = dy, .dx = pre});
    dy = pre;
  }
  DenseBackward<float> args{.x = x.values,
                            .lengths = x.lengths,
                            .kernel = call.parameters[0],
                            .dy = dy,
                            .dkernel = call.gradients[0],
                            .dbias = options_.use_bias ? call.gradients[1] : View<float>(),
                            .weights_version = call.weights_version};
  if (call.wants_dx) args.dx = call.memory->floats(kDx, x.values.shape());
  args.scratch = call.memory->bytes(kBackwardScratch, call.backend->scratch_bytes(args));
  call.backend->dense_backward(args);
  return args.dx;
}

}  // namespace rnn
