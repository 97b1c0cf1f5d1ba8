#include "rnn/sampled_softmax.h"

#include <algorithm>
#include <cmath>

#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t {
  kSampledKernel,  // [S,1,F]
  kSampledBias,    // [S] with the correction
  kSampledLogits,  // [T,B,S]
  kTargetKernel,   // [T,B,F]
  kTargetProduct,  // [T,B,F]
  kTargetLogit,    // [T,B,1]
  kTargetBias,     // [T,B,1] with the correction
  kLogits,         // [T,B,1+S], the target first
  kNormalizer,
  kOnes,  // [F,1]: a dense product with it adds up a row
  kDTargetLogit,
  kDSampledLogits,
  kDTargetProduct,
  kDTargetKernel,
  kDSampledKernel,
  kDSampledBias,
  kDxSampled,
  kDx
};
enum Buffer : std::size_t {
  kClasses,  // [S]
  kColumns,  // [V] where a class stands among those drawn, counted from 1; 0: it was not
  kTargets,  // [T*B] 0, the target's place among the logits, or masked
  kTries,
  kSampledScratch,
  kSampledBackwardScratch,
  kTargetScratch,
  kTargetBackwardScratch
};

/// As good as minus infinity, and finite.
constexpr float kNever = -1e30f;

template <class T>
std::span<T> buffer(Call& call, std::size_t which, Index count) {
  const auto bytes = call.memory->bytes(which, static_cast<std::size_t>(count) * sizeof(T));
  return {reinterpret_cast<T*>(bytes.data()), static_cast<std::size_t>(count)};
}

template <class T>
std::span<T> buffer(Call& call, std::size_t which) {
  const auto bytes = call.memory->bytes(which);
  return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
}

/// A vector [V] as a table of rows of one number.
template <class T>
View<T> as_table(View<T> vector) {
  return vector.reshaped({vector.size(), 1});
}

template <class T>
View<T> as_rows(View<T> values) {
  return values.reshaped({values.extent(0) * values.extent(1), values.extent(2)});
}

/// log pi of a class with probability q.
double log_inclusion(double q, std::int64_t tries) {
  return tries == 0 ? 0 : std::log(-std::expm1(static_cast<double>(tries) * std::log1p(-q)));
}

/// The call of the softmax over all classes, with memory of its own.
Call inner(Call& call) {
  Call full = call;
  full.memory = &call.memory->child(0);
  return full;
}

}  // namespace

void SampledSoftmaxOptions::exchange(Fields& fields) {
  fields("units", units);
  fields("num_sampled", num_sampled);
  fields.choice("proposal", proposal, {"log-uniform", "uniform"});
  fields("use_bias", use_bias);
  fields("tied_to", tied_to);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

// A kernel of its own is a table of rows, as a tied one is.
SampledSoftmax::SampledSoftmax(const SampledSoftmaxOptions& options)
    : options_(options),
      full_({.units = options.units, .use_bias = options.use_bias, .tied_to = "kernel"}) {
  require(options.num_sampled >= 1 &&
              (options.num_sampled <= options.units / 2 || options.num_sampled == options.units),
          "SampledSoftmax num_sampled",
          "1 to units / 2, or units, which is " + to_text(options.units), options.num_sampled);
}

void SampledSoftmax::describe(Fields& fields) const { show(options_, fields); }

Index SampledSoftmax::classes(const Signal& features) const { return full_.classes(features); }

std::vector<ParameterSpec> SampledSoftmax::parameters(const Signal& features) const {
  const std::string kernel = options_.tied_to.empty() ? "kernel" : options_.tied_to + "/embeddings";
  std::vector<ParameterSpec> specs{
      {kernel, {options_.units, features.size}, options_.kernel_initializer}};
  if (options_.use_bias) specs.push_back({"bias", {options_.units}});
  return specs;
}

double SampledSoftmax::proposal(Index v) const {
  const auto V = static_cast<double>(options_.units);
  if (options_.proposal == Proposal::kUniform) return 1 / V;
  return std::log1p(1 / (static_cast<double>(v) + 1)) / std::log(V + 1);
}

void SampledSoftmax::draw(Call& call) const {
  const Index S = options_.num_sampled, V = options_.units;
  const auto classes = buffer<std::int32_t>(call, kClasses, S);
  const auto columns = buffer<std::int32_t>(call, kColumns, V);
  std::int64_t& tries = buffer<std::int64_t>(call, kTries, 1)[0];
  std::fill(columns.begin(), columns.end(), 0);
  tries = 0;
  for (std::int32_t found = 0; found < S;) {
    std::int32_t drawn = found;  // all of them, one after another
    if (S < V) {
      const auto at = static_cast<std::uint64_t>(tries++);
      const Random::Block block =
          call.random.block(static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at >> 32));
      const double u = Random::to_uniform(block[0], block[1]), size = static_cast<double>(V);
      const double place =
          options_.proposal == Proposal::kUniform ? u * size : std::exp(u * std::log(size + 1)) - 1;
      drawn = static_cast<std::int32_t>(std::min(place, size - 1));
    }
    if (columns[static_cast<std::size_t>(drawn)] != 0) continue;
    classes[static_cast<std::size_t>(found)] = drawn;
    columns[static_cast<std::size_t>(drawn)] = ++found;
  }
}

void SampledSoftmax::sampled_logits(const Sequence& x, Call& call) const {
  const Index S = options_.num_sampled, F = x.values.extent(2);
  const auto classes = buffer<std::int32_t>(call, kClasses);
  const std::int64_t tries = buffer<std::int64_t>(call, kTries)[0];
  const View<const std::int32_t> ids(classes.data(), {S, 1});
  const View<float> kernel = call.memory->floats(kSampledKernel, {S, 1, F});
  call.backend->embedding_forward({.ids = ids, .table = call.parameters[0], .y = kernel});
  const View<float> bias = call.memory->floats(kSampledBias, {S, 1, 1});
  if (options_.use_bias) {
    call.backend->embedding_forward({.ids = ids, .table = as_table(call.parameters[1]), .y = bias});
  } else {
    std::fill(bias.begin(), bias.end(), 0.0f);
  }
  for (Index s = 0; s < S; ++s) {
    bias[s] -= static_cast<float>(log_inclusion(proposal(ids[s]), tries));
  }
  DenseForward<float> args{.x = x.values,
                           .lengths = x.lengths,
                           .kernel = kernel.reshaped({S, F}),
                           .transposed = true,
                           .bias = bias.reshaped({S}),
                           .y = call.memory->floats(kSampledLogits, {x.time(), x.batch(), S})};
  args.scratch = call.scratch(kSampledScratch, call.backend->scratch_bytes(args));
  call.backend->dense_forward(args);
}

void SampledSoftmax::target_logits(const Sequence& x, View<const std::int32_t> targets,
                                   Call& call) const {
  const Index T = x.time(), B = x.batch(), F = x.values.extent(2);
  const std::int64_t tries = buffer<std::int64_t>(call, kTries)[0];
  const View<float> kernel = call.memory->floats(kTargetKernel, {T, B, F});
  call.backend->embedding_forward(
      {.ids = targets, .lengths = x.lengths, .table = call.parameters[0], .y = kernel});
  const View<float> product = call.memory->floats(kTargetProduct, {T, B, F});
  call.backend->merge_forward(
      {.merge = Merge::kMul, .a = x.values, .b = kernel, .lengths = x.lengths, .y = product});
  const View<float> ones = call.memory->floats(kOnes, {F, 1});
  std::fill(ones.begin(), ones.end(), 1.0f);
  DenseForward<float> args{.x = product,
                           .lengths = x.lengths,
                           .kernel = ones,
                           .y = call.memory->floats(kTargetLogit, {T, B, 1})};
  args.scratch = call.scratch(kTargetScratch, call.backend->scratch_bytes(args));
  call.backend->dense_forward(args);
  const View<float> bias = call.memory->floats(kTargetBias, {T, B, 1});
  if (options_.use_bias) {
    call.backend->embedding_forward(
        {.ids = targets, .lengths = x.lengths, .table = as_table(call.parameters[1]), .y = bias});
  } else {
    std::fill(bias.begin(), bias.end(), 0.0f);
  }
  for (Index n = 0; n < targets.size(); ++n) {
    if (targets[n] < 0) continue;
    bias[n] -= static_cast<float>(log_inclusion(proposal(targets[n]), tries));
  }
  call.backend->merge_forward(
      {.merge = Merge::kSum, .a = args.y, .b = bias, .lengths = x.lengths, .y = args.y});
}

LossSum SampledSoftmax::loss(const Sequence& features, View<const std::int32_t> targets,
                             View<float> nats, Call& call) const {
  if (!call.training) {
    Call full = inner(call);
    return full_.loss(features, targets, nats, full);
  }
  const Index N = targets.size(), S = options_.num_sampled;
  LossSum sum;
  const auto places = buffer<std::int32_t>(call, kTargets, N);
  for (Index n = 0; n < N; ++n) {
    if (targets[n] >= options_.units) {
      throw ShapeError("SampledSoftmax: target " + std::to_string(targets[n]) +
                       " is not below units " + std::to_string(options_.units));
    }
    places[static_cast<std::size_t>(n)] = targets[n] < 0 ? -1 : 0;
    sum.targets += targets[n] >= 0;
  }
  draw(call);
  sampled_logits(features, call);
  target_logits(features, targets, call);
  const View<float> logits =
      call.memory->floats(kLogits, {features.time(), features.batch(), 1 + S});
  call.backend->merge_forward({.merge = Merge::kConcat,
                               .a = call.memory->floats(kTargetLogit),
                               .b = call.memory->floats(kSampledLogits),
                               .lengths = features.lengths,
                               .y = logits});
  // A target that was drawn too counts once.
  const View<float> rows = as_rows(logits);
  const auto columns = buffer<std::int32_t>(call, kColumns);
  for (Index n = 0; n < N; ++n) {
    if (targets[n] < 0) continue;
    const std::int32_t column = columns[static_cast<std::size_t>(targets[n])];
    if (column > 0) rows(n, column) = kNever;
  }
  call.backend->cross_entropy_forward({.logits = rows,
                                       .targets = {places.data(), {N}},
                                       .nats = nats.reshaped({N}),
                                       .log_normalizer = call.memory->floats(kNormalizer, {N})});
  for (float value : nats) sum.nats += static_cast<double>(value);
  return sum;
}

View<const float> SampledSoftmax::backward(const Sequence& x, View<const std::int32_t> targets,
                                           float scale, Call& call) const {
  const Index T = x.time(), B = x.batch(), F = x.values.extent(2), S = options_.num_sampled;
  const View<float> logits = call.memory->floats(kLogits);
  call.backend->cross_entropy_backward(
      {.logits = as_rows(logits),
       .targets = {buffer<std::int32_t>(call, kTargets).data(), {targets.size()}},
       .log_normalizer = call.memory->floats(kNormalizer),
       .scale = scale,
       .weights = call.target_weights,
       .dlogits = as_rows(logits)});
  const View<float> dtarget = call.memory->floats(kDTargetLogit, {T, B, 1});
  const View<float> dsampled = call.memory->floats(kDSampledLogits, {T, B, S});
  call.backend->merge_backward(
      {.merge = Merge::kConcat, .lengths = x.lengths, .dy = logits, .da = dtarget, .db = dsampled});

  // Through the classes that were drawn.
  const View<const std::int32_t> ids(buffer<std::int32_t>(call, kClasses).data(), {S, 1});
  const View<float> dkernel = call.memory->floats(kDSampledKernel, {S, F});
  const View<float> dbias = call.memory->floats(kDSampledBias, {S});
  std::fill(dkernel.begin(), dkernel.end(), 0.0f);
  std::fill(dbias.begin(), dbias.end(), 0.0f);
  DenseBackward<float> sampled{.x = x.values,
                               .lengths = x.lengths,
                               .kernel = call.memory->floats(kSampledKernel).reshaped({S, F}),
                               .transposed = true,
                               .dy = dsampled,
                               .dx = call.memory->floats(kDxSampled, {T, B, F}),
                               .dkernel = dkernel,
                               .dbias = dbias};
  sampled.scratch = call.scratch(kSampledBackwardScratch, call.backend->scratch_bytes(sampled));
  call.backend->dense_backward(sampled);

  // Through the targets.
  DenseBackward<float> summed{.x = call.memory->floats(kTargetProduct),
                              .lengths = x.lengths,
                              .kernel = call.memory->floats(kOnes),
                              .dy = dtarget,
                              .dx = call.memory->floats(kDTargetProduct, {T, B, F})};
  summed.scratch = call.scratch(kTargetBackwardScratch, call.backend->scratch_bytes(summed));
  call.backend->dense_backward(summed);
  const View<float> dx = call.memory->floats(kDx, {T, B, F});
  const View<float> dtarget_kernel = call.memory->floats(kDTargetKernel, {T, B, F});
  call.backend->merge_backward({.merge = Merge::kMul,
                                .a = x.values,
                                .b = call.memory->floats(kTargetKernel),
                                .lengths = x.lengths,
                                .dy = summed.dx,
                                .da = dx,
                                .db = dtarget_kernel});
  call.backend->merge_forward(
      {.merge = Merge::kSum, .a = dx, .b = sampled.dx, .lengths = x.lengths, .y = dx});

  if (call.gradients[0]) {
    call.backend->embedding_backward(
        {.ids = ids, .dy = dkernel.reshaped({S, 1, F}), .dtable = call.gradients[0]});
    call.backend->embedding_backward(
        {.ids = targets, .lengths = x.lengths, .dy = dtarget_kernel, .dtable = call.gradients[0]});
  }
  if (options_.use_bias && call.gradients[1]) {
    const View<float> table = as_table(call.gradients[1]);
    call.backend->embedding_backward(
        {.ids = ids, .dy = dbias.reshaped({S, 1, 1}), .dtable = table});
    call.backend->embedding_backward(
        {.ids = targets, .lengths = x.lengths, .dy = dtarget, .dtable = table});
  }
  return call.wants_dx ? View<const float>(dx) : View<const float>();
}

View<const float> SampledSoftmax::predict(const Sequence& features, Call& call) const {
  Call full = inner(call);
  return full_.predict(features, full);
}

void SampledSoftmax::log_predict(const Sequence& features, View<float> logs, Call& call) const {
  Call full = inner(call);
  full_.log_predict(features, logs, full);
}

}  // namespace rnn
