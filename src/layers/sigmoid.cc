#include "rnn/sigmoid.h"

#include "layers/affine.h"
#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kLogits, kDx };
enum Buffer : std::size_t { kForwardScratch, kBackwardScratch };

Affine affine(const SigmoidOptions& options) {
  return {.bias = bias_after_kernel(options.use_bias),
          .y = kLogits,
          .dx = kDx,
          .forward_scratch = kForwardScratch,
          .backward_scratch = kBackwardScratch};
}

/// [T,B,V] as [T*B,V].
template <class T>
View<T> as_rows(View<T> values) {
  return values.reshaped({values.extent(0) * values.extent(1), values.extent(2)});
}

}  // namespace

void SigmoidOptions::exchange(Fields& fields) {
  fields("units", units);
  fields("use_bias", use_bias);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

Sigmoid::Sigmoid(const SigmoidOptions& options) : options_(options) {
  require_size(type(), "units", options.units);
}

void Sigmoid::describe(Fields& fields) const { show(options_, fields); }

Index Sigmoid::classes(const Signal& features) const {
  require_vectors(type(), features);
  return options_.units;
}

std::vector<ParameterSpec> Sigmoid::parameters(const Signal& features) const {
  std::vector<ParameterSpec> specs{
      {"kernel", {features.size, options_.units}, options_.kernel_initializer}};
  if (options_.use_bias) specs.push_back({"bias", {options_.units}});
  return specs;
}

View<float> Sigmoid::logits(const Sequence& features, Call& call) const {
  return affine(options_).forward(features, call);
}

LossSum Sigmoid::loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
                      Call& call) const {
  LossSum sum;
  for (std::int32_t target : targets) {
    if (target > 1) {
      throw ShapeError("Sigmoid: expected targets 0, 1 or below 0 (masked), got " +
                       std::to_string(target));
    }
    sum.targets += target >= 0;
  }
  call.backend->binary_cross_entropy_forward(
      {.logits = as_rows<const float>(logits(features, call)),
       .targets = as_rows(targets),
       .nats = nats.reshaped({nats.size()})});
  for (float value : nats) sum.nats += static_cast<double>(value);
  return sum;
}

View<const float> Sigmoid::backward(const Sequence& features, View<const std::int32_t> targets,
                                    float scale, Call& call) const {
  const View<float> dlogits = call.memory->floats(kLogits);
  call.backend->binary_cross_entropy_backward({.logits = as_rows<const float>(dlogits),
                                               .targets = as_rows(targets),
                                               .scale = scale,
                                               .weights = call.target_weights,
                                               .dlogits = as_rows(dlogits)});
  return affine(options_).backward(features, dlogits, call.wants_dx, call);
}

View<const float> Sigmoid::predict(const Sequence& features, Call& call) const {
  const View<float> y = logits(features, call);
  call.backend->activation_forward({.activation = Activation::kSigmoid, .x = y, .y = y});
  clear_padding(y, features.lengths);
  return y;
}

}  // namespace rnn
