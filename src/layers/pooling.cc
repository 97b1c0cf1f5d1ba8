#include "rnn/pooling.h"

#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kHidden, kScores, kWeights, kDx, kDScores, kDHidden, kDxScores };
enum Buffer : std::size_t { kHiddenScratch, kScoreScratch, kDHiddenScratch, kDScoreScratch };

}  // namespace

void PoolOverTimeOptions::exchange(Fields& fields) {
  fields.choice("pooling", pooling, {"max", "mean", "last", "attention"});
  fields("attention_units", attention_units);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

PoolOverTime::PoolOverTime(const PoolOverTimeOptions& options) : options_(options) {
  if (options.attention_units < 0) {
    throw ConfigError("PoolOverTime: attention_units must be at least 0, got " +
                      std::to_string(options.attention_units));
  }
}

void PoolOverTime::describe(Fields& fields) const { show(options_, fields); }

bool PoolOverTime::causal() const { return false; }

Signal PoolOverTime::output(const Signal& input) const {
  require_vectors(type(), input);
  return input;
}

std::vector<ParameterSpec> PoolOverTime::parameters(const Signal& input) const {
  if (options_.pooling != Pooling::kAttention) return {};
  const Index units = options_.attention_units > 0 ? options_.attention_units : input.size;
  return {{"kernel", {input.size, units}, options_.kernel_initializer},
          {"bias", {units}},
          {"context", {units, 1}, options_.kernel_initializer}};
}

void PoolOverTime::attend(const Sequence& x, Call& call) const {
  const Index units = call.parameters[1].size();
  DenseForward<float> hidden{.x = x.values,
                             .lengths = x.lengths,
                             .kernel = call.parameters[0],
                             .bias = call.parameters[1],
                             .y = call.memory->floats(kHidden, {x.time(), x.batch(), units}),
                             .weights_version = call.weights_version};
  hidden.scratch = call.memory->bytes(kHiddenScratch, call.backend->scratch_bytes(hidden));
  call.backend->dense_forward(hidden);
  call.backend->activation_forward({.x = hidden.y, .y = hidden.y});
  DenseForward<float> scores{.x = hidden.y,
                             .lengths = x.lengths,
                             .kernel = call.parameters[2],
                             .y = call.memory->floats(kScores, {x.time(), x.batch(), 1}),
                             .weights_version = call.weights_version};
  scores.scratch = call.memory->bytes(kScoreScratch, call.backend->scratch_bytes(scores));
  call.backend->dense_forward(scores);
}

Sequence PoolOverTime::forward(const Sequence& x, Call& call) const {
  const View<float> y = call.memory->floats(kY, {1, x.batch(), x.values.extent(2)});
  PoolForward<float> args{
      .pooling = options_.pooling, .x = x.values, .lengths = x.lengths, .y = y.slice(0)};
  if (options_.pooling == Pooling::kAttention) {
    attend(x, call);
    args.scores = call.memory->floats(kScores);
    args.weights = call.memory->floats(kWeights, {x.time(), x.batch(), 1});
  }
  call.backend->pool_forward(args);
  return {.values = y, .examples = x.examples};
}

View<const float> PoolOverTime::backward(const Sequence& x, View<const float> dy,
                                         Call& call) const {
  PoolBackward<float> args{.pooling = options_.pooling,
                           .x = x.values,
                           .lengths = x.lengths,
                           .y = call.memory->floats(kY).slice(0),
                           .dy = dy.slice(0)};
  if (call.wants_dx) args.dx = call.memory->floats(kDx, x.values.shape());
  if (options_.pooling != Pooling::kAttention) {
    if (call.wants_dx) call.backend->pool_backward(args);
    return args.dx;
  }
  args.weights = call.memory->floats(kWeights);
  args.dscores = call.memory->floats(kDScores, {x.time(), x.batch(), 1});
  call.backend->pool_backward(args);

  const View<float> hidden = call.memory->floats(kHidden);
  const View<float> dhidden = call.memory->floats(kDHidden, hidden.shape());
  DenseBackward<float> scores{.x = hidden,
                              .lengths = x.lengths,
                              .kernel = call.parameters[2],
                              .dy = args.dscores,
                              .dx = dhidden,
                              .dkernel = call.gradients[2],
                              .weights_version = call.weights_version};
  scores.scratch = call.memory->bytes(kDScoreScratch, call.backend->scratch_bytes(scores));
  call.backend->dense_backward(scores);
  call.backend->activation_backward({.y = hidden, .dy = dhidden, .dx = dhidden});
  DenseBackward<float> inner{.x = x.values,
                             .lengths = x.lengths,
                             .kernel = call.parameters[0],
                             .dy = dhidden,
                             .dkernel = call.gradients[0],
                             .dbias = call.gradients[1],
                             .weights_version = call.weights_version};
  if (call.wants_dx) inner.dx = call.memory->floats(kDxScores, x.values.shape());
  inner.scratch = call.memory->bytes(kDHiddenScratch, call.backend->scratch_bytes(inner));
  call.backend->dense_backward(inner);
  if (!call.wants_dx) return {};
  call.backend->merge_forward(
      {.merge = Merge::kSum, .a = args.dx, .b = inner.dx, .lengths = x.lengths, .y = args.dx});
  return args.dx;
}

}  // namespace rnn
