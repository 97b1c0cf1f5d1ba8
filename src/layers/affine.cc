#include "layers/affine.h"

#include "layers/option_fields.h"

namespace rnn {

View<float> Affine::forward(const Sequence& x, Call& call) const {
  const View<const float> weights = call.parameters[kernel];
  const Index units = weights.extent(transposed ? 0 : 1);
  DenseForward<float> args{.x = x.values,
                           .lengths = x.lengths,
                           .kernel = weights,
                           .transposed = transposed,
                           .bias = bias ? call.parameters[*bias] : View<const float>(),
                           .y = call.memory->floats(y, {x.time(), x.batch(), units}),
                           .weights_version = call.weights_version};
  args.scratch = call.scratch(forward_scratch, call.backend->scratch_bytes(args));
  call.backend->dense_forward(args);
  if (activation) {
    call.backend->activation_forward({.activation = *activation, .x = args.y, .y = args.y});
    if (*activation == Activation::kSigmoid) clear_padding(args.y, x.lengths);
  }
  return args.y;
}

View<float> Affine::backward(const Sequence& x, View<const float> dy, bool wants_dx,
                             Call& call) const {
  if (activation) {
    const View<float> before = call.memory->floats(activated, dy.shape());
    call.backend->activation_backward(
        {.activation = *activation, .y = call.memory->floats(y), .dy = dy, .dx = before});
    dy = before;
  }
  DenseBackward<float> args{.x = x.values,
                            .lengths = x.lengths,
                            .kernel = call.parameters[kernel],
                            .transposed = transposed,
                            .dy = dy,
                            .dkernel = call.gradients[kernel],
                            .dbias = bias ? call.gradients[*bias] : View<float>()};
  if (wants_dx) args.dx = call.memory->floats(dx, x.values.shape());
  args.scratch = call.scratch(backward_scratch, call.backend->scratch_bytes(args));
  call.backend->dense_backward(args);
  return args.dx;
}

}  // namespace rnn
