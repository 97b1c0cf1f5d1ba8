#include "rnn/softmax.h"

#include <algorithm>

#include "layers/affine.h"
#include "layers/log_softmax.h"
#include "layers/option_fields.h"
#include "layers/softmax_loss.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kLogits, kNormalizer, kNats, kKept, kDx };
enum Buffer : std::size_t { kLogitsScratch, kTargets, kForwardScratch, kBackwardScratch };

SoftmaxLoss softmax_loss(const SoftmaxOptions& options) {
  return {.bias = bias_after_kernel(options.use_bias),
          .transposed = !options.tied_to.empty(),
          .smoothing = options.label_smoothing,
          .kept = kKept,
          .dx = kDx,
          .forward_scratch = kForwardScratch,
          .backward_scratch = kBackwardScratch};
}

View<float> as_rows(View<float> values) {
  return values.reshaped({values.extent(0) * values.extent(1), values.extent(2)});
}

template <class T>
View<T> as_row(View<T> values) {
  return values.reshaped({values.size()});
}

}  // namespace

void SoftmaxOptions::exchange(Fields& fields) {
  fields("units", units);
  fields("use_bias", use_bias);
  fields("tied_to", tied_to);
  fields("label_smoothing", label_smoothing);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

Softmax::Softmax(const SoftmaxOptions& options) : options_(options) {
  require_size(type(), "units", options.units);
  require(options.label_smoothing >= 0 && options.label_smoothing < 1, "Softmax label_smoothing",
          "at least 0 and below 1", options.label_smoothing);
}

void Softmax::describe(Fields& fields) const { show(options_, fields); }

Index Softmax::classes(const Signal& features) const {
  require_vectors(type(), features);
  return options_.units;
}

std::vector<ParameterSpec> Softmax::parameters(const Signal& features) const {
  std::vector<ParameterSpec> specs;
  if (options_.tied_to.empty()) {
    specs.push_back({"kernel", {features.size, options_.units}, options_.kernel_initializer});
  } else {
    specs.push_back({options_.tied_to + "/embeddings", {options_.units, features.size}});
  }
  if (options_.use_bias) specs.push_back({"bias", {options_.units}});
  return specs;
}

View<float> Softmax::logits(const Sequence& features, Call& call) const {
  return Affine{.bias = bias_after_kernel(options_.use_bias),
                .transposed = !options_.tied_to.empty(),
                .y = kLogits,
                .forward_scratch = kLogitsScratch}
      .forward(features, call);
}

LossSum Softmax::loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
                      Call& call) const {
  for (std::int32_t target : targets) {
    if (target >= options_.units) {
      throw ShapeError("Softmax: target " + std::to_string(target) + " is not below units " +
                       std::to_string(options_.units));
    }
  }
  softmax_loss(options_).forward(features, as_row(targets), as_row(nats), call);
  LossSum sum;
  for (Index i = 0; i < targets.size(); ++i) {
    sum.nats += static_cast<double>(nats[i]);
    sum.targets += targets[i] >= 0;
  }
  return sum;
}

View<const float> Softmax::backward(const Sequence& features, View<const std::int32_t> targets,
                                    float scale, Call& call) const {
  return softmax_loss(options_).backward(features, as_row(targets), scale, call.target_weights,
                                         call.wants_dx, call);
}

View<const float> Softmax::predict(const Sequence& features, Call& call) const {
  const View<float> y = logits(features, call);
  call.backend->softmax({.logits = as_rows(y), .y = as_rows(y)});
  clear_padding(y, features.lengths);
  return y;
}

void Softmax::log_predict(const Sequence& features, View<float> logs, Call& call) const {
  const View<float> y = logits(features, call);
  log_softmax(as_rows(y), {.normalizer = kNormalizer, .nats = kNats, .targets = kTargets}, call);
  std::copy(y.begin(), y.end(), logs.begin());
}

}  // namespace rnn
