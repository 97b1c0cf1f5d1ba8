#include "rnn/pooling.h"

#include "layers/affine.h"
#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kHidden, kScores, kWeights, kDx, kDScores, kDHidden, kDxScores };
enum Buffer : std::size_t { kHiddenScratch, kScoreScratch, kDHiddenScratch, kDScoreScratch };

// Attention: scores = tanh(x W + b) v.
constexpr Affine kHiddenOf{.kernel = 0,
                           .bias = 1,
                           .y = kHidden,
                           .dx = kDxScores,
                           .forward_scratch = kHiddenScratch,
                           .backward_scratch = kDHiddenScratch};
constexpr Affine kScoresOf{.kernel = 2,
                           .y = kScores,
                           .dx = kDHidden,
                           .forward_scratch = kScoreScratch,
                           .backward_scratch = kDScoreScratch};

}  // namespace

void PoolOverTimeOptions::exchange(Fields& fields) {
  fields.choice("pooling", pooling, {"max", "mean", "last", "attention", "sum"});
  fields("attention_units", attention_units);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

PoolOverTime::PoolOverTime(const PoolOverTimeOptions& options) : options_(options) {
  if (options.attention_units != 0) {
    require_size(type(), "attention_units", options.attention_units);
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
  const View<float> hidden = kHiddenOf.forward(x, call);
  call.backend->activation_forward({.x = hidden, .y = hidden});
  kScoresOf.forward({.values = hidden, .lengths = x.lengths}, call);
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
  const View<float> dhidden =
      kScoresOf.backward({.values = hidden, .lengths = x.lengths}, args.dscores, true, call);
  call.backend->activation_backward({.y = hidden, .dy = dhidden, .dx = dhidden});
  const View<float> dx = kHiddenOf.backward(x, dhidden, call.wants_dx, call);
  if (!call.wants_dx) return {};
  call.backend->merge_forward(
      {.merge = Merge::kSum, .a = args.dx, .b = dx, .lengths = x.lengths, .y = args.dx});
  return args.dx;
}

}  // namespace rnn
