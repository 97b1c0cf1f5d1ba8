#include "rnn/layer_normalization.h"

#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kDx };

}  // namespace

void LayerNormalizationOptions::exchange(Fields& fields) { fields("epsilon", epsilon); }

LayerNormalization::LayerNormalization(const LayerNormalizationOptions& options)
    : options_(options) {
  if (!(options.epsilon > 0)) {
    throw ConfigError("LayerNormalization: epsilon must be above 0, got " +
                      std::to_string(options.epsilon));
  }
}

void LayerNormalization::describe(Fields& fields) const { show(options_, fields); }

Signal LayerNormalization::output(const Signal& input) const {
  require_vectors(type(), input);
  return input;
}

std::vector<ParameterSpec> LayerNormalization::parameters(const Signal& input) const {
  return {{"gamma", {input.size}, Initializer::constant(1)}, {"beta", {input.size}}};
}

Sequence LayerNormalization::forward(const Sequence& x, Call& call) const {
  const View<float> y = call.memory->floats(kY, x.values.shape());
  call.backend->layer_norm_forward({.x = x.values,
                                    .lengths = x.lengths,
                                    .gamma = call.parameters[0],
                                    .beta = call.parameters[1],
                                    .epsilon = options_.epsilon,
                                    .y = y});
  return {.values = y, .lengths = x.lengths, .examples = x.examples};
}

View<const float> LayerNormalization::backward(const Sequence& x, View<const float> dy,
                                               Call& call) const {
  LayerNormBackward<float> args{.x = x.values,
                                .lengths = x.lengths,
                                .gamma = call.parameters[0],
                                .epsilon = options_.epsilon,
                                .dy = dy,
                                .dgamma = call.gradients[0],
                                .dbeta = call.gradients[1]};
  if (call.wants_dx) args.dx = call.memory->floats(kDx, dy.shape());
  call.backend->layer_norm_backward(args);
  return args.dx;
}

}  // namespace rnn
