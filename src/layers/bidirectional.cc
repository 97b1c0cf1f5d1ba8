#include "rnn/bidirectional.h"

#include "layers/inner_layer.h"
#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kA, kB, kDa, kDb, kDx };

InnerShare forward_share(std::size_t parameters, std::size_t states) {
  return {.number = 0, .parameters = parameters, .states = states};
}
InnerShare backward_share(std::size_t parameters, std::size_t states) {
  return {.number = 1, .first_parameter = parameters, .first_state = states};
}

template <class Spec>
void append(std::vector<Spec>& all, std::vector<Spec> more) {
  all.insert(all.end(), more.begin(), more.end());
}

/// Backward needs both factors of a product, and an inner layer's output is gone by then.
void keep(const Call& call, std::size_t slot, const Sequence& from) {
  call.backend->merge_forward({.a = from.values,
                               .lengths = from.lengths,
                               .y = call.memory->floats(slot, from.values.shape())});
}

}  // namespace

void BidirectionalOptions::exchange(Fields& fields) {
  fields.choice("merge", merge, {"concat", "sum", "mean", "mul"});
  exchange_layer(fields, "layer", layer);
  exchange_layer(fields, "backward", backward);
}

Bidirectional::Bidirectional(const BidirectionalOptions& options) : options_(options) {
  require_layer(type(), "layer", options.layer);
  if (options.merge == Merge::kGate) {
    throw ConfigError("Bidirectional: merge must be concat, sum, mean or mul");
  }
  if (!options_.backward) options_.backward = reversed(*options_.layer);
  const Signal any = Signal::vectors(1);
  forward_parameters_ = options_.layer->parameters(any).size();
  forward_states_ = options_.layer->states(any).size();
}

void Bidirectional::describe(Fields& fields) const { show(options_, fields); }

bool Bidirectional::causal() const { return false; }

Signal Bidirectional::output(const Signal& input) const {
  require_vectors(type(), input);
  const Signal a = options_.layer->output(input), b = options_.backward->output(input);
  if (options_.merge == Merge::kConcat) return Signal::vectors(a.size + b.size);
  if (a != b) {
    throw ConfigError(
        "Bidirectional: unless merge is concat both directions must be equally wide, "
        "got " +
        std::to_string(a.size) + " and " + std::to_string(b.size));
  }
  return a;
}

std::vector<ParameterSpec> Bidirectional::parameters(const Signal& input) const {
  auto specs = prefixed("forward", options_.layer->parameters(input));
  append(specs, prefixed("backward", options_.backward->parameters(input)));
  return specs;
}

std::vector<StateSpec> Bidirectional::states(const Signal& input) const {
  auto specs = prefixed("forward", options_.layer->states(input));
  append(specs, prefixed("backward", options_.backward->states(input)));
  return specs;
}

KernelPath Bidirectional::path(const Backend& backend, const Signal& input) const {
  KernelPath both = options_.layer->path(backend, input);
  add_path(both, options_.backward->path(backend, input));
  return both;
}

Sequence Bidirectional::forward(const Sequence& x, Call& call) const {
  Call one = inner_call(call, forward_share(forward_parameters_, forward_states_));
  Call other = inner_call(call, backward_share(forward_parameters_, forward_states_));
  const Sequence a = options_.layer->forward(x, one), b = options_.backward->forward(x, other);
  if (a.time() != b.time()) {
    throw ShapeError("Bidirectional: the directions must give the same number of steps, got " +
                     std::to_string(a.time()) + " and " + std::to_string(b.time()) +
                     "; is return_sequences the same?");
  }
  if (call.training && options_.merge == Merge::kMul) {
    keep(call, kA, a);
    keep(call, kB, b);
  }
  const Index width = options_.merge == Merge::kConcat ? a.values.extent(2) + b.values.extent(2)
                                                       : a.values.extent(2);
  const View<float> y = call.memory->floats(kY, {a.time(), a.batch(), width});
  call.backend->merge_forward(
      {.merge = options_.merge, .a = a.values, .b = b.values, .lengths = a.lengths, .y = y});
  return {.values = y, .lengths = a.lengths, .examples = x.examples};
}

View<const float> Bidirectional::backward(const Sequence& x, View<const float> dy,
                                          Call& call) const {
  const Signal input = Signal::vectors(x.values.extent(2));
  const Index F = options_.layer->output(input).size;
  const Index G = options_.backward->output(input).size;
  const View<float> da = call.memory->floats(kDa, {dy.extent(0), dy.extent(1), F});
  const View<float> db = call.memory->floats(kDb, {dy.extent(0), dy.extent(1), G});
  // Without lengths: those of y are not x's when y is one step, and the layers skip padding anyway.
  MergeBackward<float> split{.merge = options_.merge, .dy = dy, .da = da, .db = db};
  if (options_.merge == Merge::kMul) {
    split.a = call.memory->floats(kA);
    split.b = call.memory->floats(kB);
  }
  call.backend->merge_backward(split);
  Call one = inner_call(call, forward_share(forward_parameters_, forward_states_));
  Call other = inner_call(call, backward_share(forward_parameters_, forward_states_));
  const View<const float> dx_one = options_.layer->backward(x, da, one);
  const View<const float> dx_other = options_.backward->backward(x, db, other);
  if (!call.wants_dx) return {};
  const View<float> dx = call.memory->floats(kDx, x.values.shape());
  call.backend->merge_forward(
      {.merge = Merge::kSum, .a = dx_one, .b = dx_other, .lengths = x.lengths, .y = dx});
  return dx;
}

}  // namespace rnn
