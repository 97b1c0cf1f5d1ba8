#include "rnn/residual.h"

#include "layers/inner_layer.h"
#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kY, kDa, kDb, kDx };

}  // namespace

void ResidualOptions::exchange(Fields& fields) {
  int choice = merge == Merge::kConcat ? 1 : 0;
  fields.choice("merge", choice, {"sum", "concat"});
  merge = choice == 1 ? Merge::kConcat : Merge::kSum;
  exchange_layer(fields, "layer", layer);
}

Residual::Residual(const ResidualOptions& options) : options_(options) {
  require_layer(type(), "layer", options.layer);
  if (options.merge != Merge::kSum && options.merge != Merge::kConcat) {
    throw ConfigError("Residual: merge must be sum or concat");
  }
}

void Residual::describe(Fields& fields) const { show(options_, fields); }

bool Residual::causal() const { return options_.layer->causal(); }

Signal Residual::output(const Signal& input) const {
  require_vectors(type(), input);
  const Signal inner = options_.layer->output(input);
  if (options_.merge == Merge::kConcat) return Signal::vectors(input.size + inner.size);
  if (inner != input) {
    throw ConfigError("Residual: to be added, " + std::string(options_.layer->type()) +
                      " must give " + input.to_string() + ", not " + inner.to_string());
  }
  return inner;
}

std::vector<ParameterSpec> Residual::parameters(const Signal& input) const {
  return options_.layer->parameters(input);
}

std::vector<StateSpec> Residual::states(const Signal& input) const {
  return options_.layer->states(input);
}

KernelPath Residual::path(const Backend& backend, const Signal& input) const {
  return options_.layer->path(backend, input);
}

Sequence Residual::forward(const Sequence& x, Call& call) const {
  Call inner = inner_call(call);
  const Sequence out = options_.layer->forward(x, inner);
  if (out.time() != x.time()) {
    throw ShapeError("Residual: " + std::string(options_.layer->type()) + " must keep the " +
                     std::to_string(x.time()) + " steps, got " + std::to_string(out.time()));
  }
  const Index width = options_.merge == Merge::kConcat ? x.values.extent(2) + out.values.extent(2)
                                                       : x.values.extent(2);
  const View<float> y = call.memory->floats(kY, {x.time(), x.batch(), width});
  call.backend->merge_forward(
      {.merge = options_.merge, .a = x.values, .b = out.values, .lengths = x.lengths, .y = y});
  return {.values = y, .lengths = x.lengths, .examples = x.examples};
}

View<const float> Residual::backward(const Sequence& x, View<const float> dy, Call& call) const {
  const Index F = x.values.extent(2);
  const bool concat = options_.merge == Merge::kConcat;
  View<const float> round = dy, through = dy;
  if (concat) {
    const View<float> da = call.memory->floats(kDa, x.values.shape());
    const View<float> db = call.memory->floats(kDb, {dy.extent(0), dy.extent(1), dy.extent(2) - F});
    call.backend->merge_backward({.lengths = x.lengths, .dy = dy, .da = da, .db = db});
    round = da;
    through = db;
  }
  Call inner = inner_call(call);
  const View<const float> dx_inner = options_.layer->backward(x, through, inner);
  if (!call.wants_dx) return {};
  const View<float> dx = call.memory->floats(kDx, x.values.shape());
  call.backend->merge_forward(
      {.merge = Merge::kSum, .a = round, .b = dx_inner, .lengths = x.lengths, .y = dx});
  return dx;
}

}  // namespace rnn
