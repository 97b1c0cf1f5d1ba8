#include "rnn/adaptive_softmax.h"

#include <algorithm>

#include "base/number_list.h"
#include "layers/affine.h"
#include "layers/log_softmax.h"
#include "layers/option_fields.h"
#include "layers/softmax_loss.h"

namespace rnn {
namespace {

/// Slots of the head; those of cluster c begin at kSlots * (c + 1).
enum Slot : std::size_t {
  kLogits,
  kNormalizer,
  kDx,
  kProbabilities,
  kHeadNats,
  kKept,
  kX = 0,
  kHidden = 2,
  kNats = 3,
  kTailLogits = 4,
  kTailNormalizer = 5,
  kDHidden = 6,
  kTailDx = 7,
  kWeights = 8,
  kTailKept = 9
};
constexpr std::size_t kSlots = 10;
enum Buffer : std::size_t {
  kTargets,
  kRows,
  kForwardScratch,
  kBackwardScratch,
  kProjectionScratch,
  kProjectionBackward,
  kLogitsScratch
};
constexpr std::size_t kBuffers = 7;

constexpr std::size_t kMostCutoffs = 1024;

std::size_t floats_of(Index cluster, std::size_t slot) {
  return kSlots * static_cast<std::size_t>(cluster + 1) + slot;
}
std::size_t bytes_of(Index cluster, std::size_t buffer) {
  return kBuffers * static_cast<std::size_t>(cluster + 1) + buffer;
}

/// A buffer as numbers of targets or rows.
std::int32_t* integers(Call& call, std::size_t buffer, Index count) {
  return reinterpret_cast<std::int32_t*>(
      call.memory->bytes(buffer, static_cast<std::size_t>(count) * sizeof(std::int32_t)).data());
}

/// [T,B,F] as [T*B,F].
template <class T>
View<T> as_rows(View<T> values) {
  return values.reshaped({values.extent(0) * values.extent(1), values.extent(2)});
}

/// Position of the projection of a cluster among the parameters; its kernel comes after it.
std::size_t tail_parameter(const Call& call, Index cluster, Index clusters) {
  return call.parameters.size() - 2 * static_cast<std::size_t>(clusters - cluster);
}

Affine head_affine(bool use_bias) {
  return {.bias = bias_after_kernel(use_bias), .y = kLogits, .forward_scratch = kLogitsScratch};
}
SoftmaxLoss head_loss(bool use_bias) {
  return {.bias = bias_after_kernel(use_bias),
          .kept = kKept,
          .dx = kDx,
          .forward_scratch = kForwardScratch,
          .backward_scratch = kBackwardScratch};
}
/// The two products of a tail, with W at place `p` of the parameters.
Affine projection_affine(std::size_t p, Index c) {
  return {.kernel = p,
          .y = floats_of(c, kHidden),
          .dx = floats_of(c, kTailDx),
          .forward_scratch = bytes_of(c, kProjectionScratch),
          .backward_scratch = bytes_of(c, kProjectionBackward)};
}
Affine tail_affine(std::size_t p, Index c) {
  return {
      .kernel = p, .y = floats_of(c, kTailLogits), .forward_scratch = bytes_of(c, kLogitsScratch)};
}
SoftmaxLoss tail_loss(std::size_t p, Index c) {
  return {.kernel = p,
          .kept = floats_of(c, kTailKept),
          .dx = floats_of(c, kDHidden),
          .forward_scratch = bytes_of(c, kForwardScratch),
          .backward_scratch = bytes_of(c, kBackwardScratch)};
}

}  // namespace

void AdaptiveSoftmaxOptions::exchange(Fields& fields) {
  fields("units", units);
  std::string text = text_of(cutoffs);
  fields("cutoffs", text);
  cutoffs = numbers_of(text, "AdaptiveSoftmax: cutoffs");
  fields("divisor", divisor);
  fields("use_bias", use_bias);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

AdaptiveSoftmax::AdaptiveSoftmax(const AdaptiveSoftmaxOptions& options) : options_(options) {
  require_size(type(), "units", options.units);
  require_size(type(), "divisor", options.divisor);
  // Each has parameters of its own, and is looked for among all targets.
  require(options.cutoffs.size() <= kMostCutoffs, "AdaptiveSoftmax cutoffs",
          "at most " + to_text(kMostCutoffs) + " of them", options.cutoffs.size());
  Index before = 0;
  for (Index cutoff : options.cutoffs) {
    if (cutoff <= before || cutoff >= options.units) {
      throw ConfigError("AdaptiveSoftmax: cutoffs must ascend between 0 and units " +
                        std::to_string(options.units) + ", got " + std::to_string(cutoff) +
                        " after " + std::to_string(before));
    }
    before = cutoff;
  }
  if (before == 0) throw ConfigError("AdaptiveSoftmax: expected at least one cutoff");
}

void AdaptiveSoftmax::describe(Fields& fields) const { show(options_, fields); }

Index AdaptiveSoftmax::classes(const Signal& features) const {
  require_vectors(type(), features);
  return options_.units;
}

Index AdaptiveSoftmax::size_of(Index cluster) const {
  const Index end = cluster + 1 < clusters() ? first_of(cluster + 1) : options_.units;
  return end - first_of(cluster);
}

std::vector<ParameterSpec> AdaptiveSoftmax::parameters(const Signal& features) const {
  const Index outputs = frequent() + clusters();
  std::vector<ParameterSpec> specs{
      {"kernel", {features.size, outputs}, options_.kernel_initializer}};
  if (options_.use_bias) specs.push_back({"bias", {outputs}});
  Index width = features.size;
  for (Index c = 0; c < clusters(); ++c) {
    width = std::max<Index>(1, width / options_.divisor);
    const std::string name = "tail_" + std::to_string(c);
    specs.push_back({name + "_projection", {features.size, width}, options_.kernel_initializer});
    specs.push_back({name + "_kernel", {width, size_of(c)}, options_.kernel_initializer});
  }
  return specs;
}

View<float> AdaptiveSoftmax::head_logits(const Sequence& features, Call& call) const {
  return head_affine(options_.use_bias).forward(features, call);
}

View<float> AdaptiveSoftmax::tail_logits(const Sequence& x, Index c, Call& call) const {
  const std::size_t p = tail_parameter(call, c, clusters());
  const View<float> hidden = projection_affine(p, c).forward(x, call);
  return tail_affine(p + 1, c).forward({.values = hidden, .lengths = x.lengths}, call);
}

LossSum AdaptiveSoftmax::loss(const Sequence& features, View<const std::int32_t> targets,
                              View<float> nats, Call& call) const {
  const Index N = targets.size();
  std::int32_t* head_targets = integers(call, kTargets, N);
  LossSum sum;
  for (Index n = 0; n < N; ++n) {
    const std::int32_t target = targets[n];
    if (target >= options_.units) {
      throw ShapeError("AdaptiveSoftmax: target " + std::to_string(target) +
                       " is not below units " + std::to_string(options_.units));
    }
    Index output = target;
    for (Index c = 0; c < clusters() && target >= first_of(c); ++c) output = frequent() + c;
    head_targets[n] = static_cast<std::int32_t>(output);
    sum.targets += target >= 0;
  }
  head_loss(options_.use_bias).forward(features, {head_targets, {N}}, nats.reshaped({N}), call);
  for (Index c = 0; c < clusters(); ++c) {
    Index count = 0;
    for (Index n = 0; n < N; ++n) count += head_targets[n] == frequent() + c;
    std::int32_t* rows = integers(call, bytes_of(c, kRows), count);
    std::int32_t* inside = integers(call, bytes_of(c, kTargets), count);
    if (count == 0) continue;
    for (Index n = 0, i = 0; n < N; ++n) {
      if (head_targets[n] != frequent() + c) continue;
      rows[i] = static_cast<std::int32_t>(n);
      inside[i++] = static_cast<std::int32_t>(targets[n] - first_of(c));
    }
    const View<float> x =
        call.memory->floats(floats_of(c, kX), {count, 1, features.values.extent(2)});
    call.backend->embedding_forward(
        {.ids = {rows, {count, 1}}, .table = as_rows(features.values), .y = x});
    const View<float> tail_nats = call.memory->floats(floats_of(c, kNats), {count});
    const std::size_t p = tail_parameter(call, c, clusters());
    const View<float> hidden = projection_affine(p, c).forward({.values = x}, call);
    tail_loss(p + 1, c).forward({.values = hidden}, {inside, {count}}, tail_nats, call);
    for (Index i = 0; i < count; ++i) nats[rows[i]] += tail_nats[i];
  }
  for (float value : nats) sum.nats += static_cast<double>(value);
  return sum;
}

View<const float> AdaptiveSoftmax::backward(const Sequence& features,
                                            View<const std::int32_t> targets, float scale,
                                            Call& call) const {
  const Index N = targets.size();
  const View<float> dfeatures = head_loss(options_.use_bias)
                                    .backward(features, {integers(call, kTargets, N), {N}}, scale,
                                              call.target_weights, call.wants_dx, call);
  for (Index c = 0; c < clusters(); ++c) {
    const auto count =
        static_cast<Index>(call.memory->bytes(bytes_of(c, kRows)).size() / sizeof(std::int32_t));
    if (count == 0) continue;
    View<float> weights;
    if (call.target_weights) {
      weights = call.memory->floats(floats_of(c, kWeights), {count});
      const std::int32_t* rows = integers(call, bytes_of(c, kRows), count);
      for (Index i = 0; i < count; ++i) weights[i] = call.target_weights[rows[i]];
    }
    const std::size_t p = tail_parameter(call, c, clusters());
    const View<float> hidden = call.memory->floats(floats_of(c, kHidden));
    const View<float> dhidden = tail_loss(p + 1, c).backward(
        {.values = hidden}, {integers(call, bytes_of(c, kTargets), count), {count}}, scale, weights,
        true, call);
    const View<const float> x = call.memory->floats(floats_of(c, kX));
    const View<float> dx =
        projection_affine(p, c).backward({.values = x}, dhidden, call.wants_dx, call);
    if (!call.wants_dx) continue;
    call.backend->embedding_backward(
        {.ids = {integers(call, bytes_of(c, kRows), count), {count, 1}},
         .dy = dx,
         .dtable = as_rows(dfeatures)});
  }
  return dfeatures;
}

View<const float> AdaptiveSoftmax::predict(const Sequence& features, Call& call) const {
  const View<float> head = as_rows(head_logits(features, call));
  call.backend->softmax({.logits = head, .y = head});
  const View<float> y =
      call.memory->floats(kProbabilities, {features.time(), features.batch(), options_.units});
  const View<float> all = as_rows(y);
  for (Index n = 0; n < head.extent(0); ++n) std::copy_n(&head(n, 0), frequent(), &all(n, 0));
  for (Index c = 0; c < clusters(); ++c) {
    const View<float> tail = as_rows(tail_logits(features, c, call));
    call.backend->softmax({.logits = tail, .y = tail});
    for (Index n = 0; n < head.extent(0); ++n) {
      for (Index v = 0; v < size_of(c); ++v) {
        all(n, first_of(c) + v) = head(n, frequent() + c) * tail(n, v);
      }
    }
  }
  clear_padding(y, features.lengths);
  return y;
}

void AdaptiveSoftmax::log_predict(const Sequence& features, View<float> logs, Call& call) const {
  const View<float> head = as_rows(head_logits(features, call));
  log_softmax(head, {.normalizer = kNormalizer, .nats = kHeadNats, .targets = kTargets}, call);
  const View<float> all = as_rows(logs);
  for (Index n = 0; n < head.extent(0); ++n) std::copy_n(&head(n, 0), frequent(), &all(n, 0));
  for (Index c = 0; c < clusters(); ++c) {
    const View<float> tail = as_rows(tail_logits(features, c, call));
    log_softmax(tail,
                {.normalizer = floats_of(c, kTailNormalizer),
                 .nats = floats_of(c, kNats),
                 .targets = bytes_of(c, kTargets)},
                call);
    for (Index n = 0; n < head.extent(0); ++n) {
      for (Index v = 0; v < size_of(c); ++v) {
        all(n, first_of(c) + v) = head(n, frequent() + c) + tail(n, v);
      }
    }
  }
}

}  // namespace rnn
