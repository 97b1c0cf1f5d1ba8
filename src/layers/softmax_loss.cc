#include "layers/softmax_loss.h"

namespace rnn {

void SoftmaxLoss::forward(const Sequence& x, View<const std::int32_t> targets, View<float> nats,
                          Call& call) const {
  SoftmaxLossForward<float> args{.x = x.values,
                                 .lengths = x.lengths,
                                 .kernel = call.parameters[kernel],
                                 .transposed = transposed,
                                 .bias = bias ? call.parameters[*bias] : View<const float>(),
                                 .targets = targets,
                                 .nats = nats,
                                 .for_backward = call.training,
                                 .smoothing = call.training ? smoothing : 0.0f,
                                 .weights_version = call.weights_version};
  args.kept = call.memory->floats(kept, {call.backend->kept_floats(args)});
  args.scratch = call.scratch(forward_scratch, call.backend->scratch_bytes(args));
  call.backend->softmax_loss_forward(args);
}

View<float> SoftmaxLoss::backward(const Sequence& x, View<const std::int32_t> targets, float scale,
                                  View<const float> weights, bool wants_dx, Call& call) const {
  SoftmaxLossBackward<float> args{.x = x.values,
                                  .lengths = x.lengths,
                                  .kernel = call.parameters[kernel],
                                  .transposed = transposed,
                                  .targets = targets,
                                  .kept = call.memory->floats(kept),
                                  .scale = scale,
                                  .weights = weights,
                                  .dkernel = call.gradients[kernel],
                                  .dbias = bias ? call.gradients[*bias] : View<float>(),
                                  .smoothing = smoothing};
  if (wants_dx) args.dx = call.memory->floats(dx, x.values.shape());
  args.scratch = call.scratch(backward_scratch, call.backend->scratch_bytes(args));
  call.backend->softmax_loss_backward(args);
  return args.dx;
}

}  // namespace rnn
