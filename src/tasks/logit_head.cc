#include "tasks/logit_head.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kLogits, kDFeatures };

}  // namespace

std::vector<ParameterSpec> LogitHead::parameters(const Signal& features) const {
  return {{"kernel", {features.size, units_}}, {"bias", {units_}}};
}

View<const float> LogitHead::predict(const Sequence& features, Call& call) const {
  const View<float> y = call.memory->floats(kLogits, {features.time(), features.batch(), units_});
  DenseForward<float> args{.x = features.values,
                           .lengths = features.lengths,
                           .kernel = call.parameters[0],
                           .bias = call.parameters[1],
                           .y = y,
                           .weights_version = call.weights_version};
  args.scratch = call.memory->bytes(0, call.backend->scratch_bytes(args));
  call.backend->dense_forward(args);
  return y;
}

LossSum LogitHead::loss(const Sequence& features, View<const std::int32_t> targets,
                        View<float> nats, Call& call) const {
  const View<const float> logits = predict(features, call);
  LossSum sum;
  for (Index t = 0; t < features.time(); ++t) {
    for (Index b = 0; b < features.batch(); ++b) {
      const std::int32_t target = targets(t, b);
      nats(t, b) = target < 0 ? 0 : -logits(t, b, target);
      sum.nats += static_cast<double>(nats(t, b));
      sum.targets += target >= 0;
    }
  }
  return sum;
}

View<const float> LogitHead::backward(const Sequence& features, View<const std::int32_t> targets,
                                      float scale, Call& call) const {
  const View<float> dx = call.memory->floats(kDFeatures, features.values.shape());
  const View<const float> kernel = call.parameters[0];
  for (Index t = 0; t < features.time(); ++t) {
    for (Index b = 0; b < features.batch(); ++b) {
      const std::int32_t target = targets(t, b);
      for (Index f = 0; f < dx.extent(2); ++f) {
        dx(t, b, f) = target < 0 ? 0 : -scale * kernel(f, target);
      }
    }
  }
  return dx;
}

}  // namespace rnn
