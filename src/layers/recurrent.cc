#include "rnn/recurrent.h"

#include "layers/option_fields.h"

namespace rnn {
namespace {

/// Slots of CallMemory: floats, then bytes.
enum Slot : std::size_t { kY, kGates, kExtra, kDx, kHn, kDhn };
enum Buffer : std::size_t { kForwardScratch, kBackwardScratch };

template <class Views>
auto view_or_null(const Views& views, std::size_t i) {
  using V = std::remove_cvref_t<decltype(views[i])>;
  return i < views.size() ? views[i] : V{};
}

/// The fields that every recurrent layer's options share.
template <class Options>
void exchange_shared(Options& options, Fields& fields) {
  fields("units", options.units);
  fields("use_bias", options.use_bias);
  fields("return_sequences", options.return_sequences);
  fields("go_backwards", options.go_backwards);
  exchange_initializer(fields, "kernel_initializer", options.kernel_initializer);
  exchange_initializer(fields, "recurrent_initializer", options.recurrent_initializer);
}

}  // namespace

RecurrentLayer::RecurrentLayer(const Options& shared) : shared_(shared) {
  require_size(name_of(shared.cell), "units", shared.units);
}

bool RecurrentLayer::causal() const { return shared_.return_sequences && !shared_.go_backwards; }

Signal RecurrentLayer::output(const Signal& input) const {
  require_vectors(type(), input);
  return Signal::vectors(shared_.units);
}

std::vector<ParameterSpec> RecurrentLayer::parameters(const Signal& input) const {
  const Index H = shared_.units;
  const int gates = gates_of(shared_.cell);
  std::vector<ParameterSpec> specs{
      {"kernel", {input.size, gates * H}, shared_.kernel_initializer, gates},
      {"recurrent_kernel", {H, gates * H}, shared_.recurrent_initializer, gates}};
  if (shared_.use_bias) {
    specs.push_back({"bias", bias_shape(shared_.cell, H)});
    if (shared_.forget_bias != 0) {
      specs.back().initializer = Initializer::constant(shared_.forget_bias);
      specs.back().only_block = 1;  // gates are i, f, g, o
      specs.back().blocks = gates;
    }
  }
  return specs;
}

std::vector<StateSpec> RecurrentLayer::states(const Signal&) const {
  std::vector<StateSpec> states{{"h", shared_.units}};
  if (has_cell_state(shared_.cell)) states.push_back({"c", shared_.units});
  return states;
}

KernelPath RecurrentLayer::path(const Backend& backend, const Signal& input) const {
  const Index H = shared_.units, width = gates_of(shared_.cell) * H;
  // Only shapes are looked at: one step of one sequence stands for any.
  float none = 0;
  return backend.supports({.cell = shared_.cell,
                           .go_backwards = shared_.go_backwards,
                           .x = {&none, {1, 1, input.size}},
                           .kernel = {&none, {input.size, width}},
                           .recurrent_kernel = {&none, {H, width}},
                           .y = {&none, {1, 1, H}}});
}

Sequence RecurrentLayer::forward(const Sequence& x, Call& call) const {
  const Index time = x.time(), batch = x.batch(), H = shared_.units;
  RecurrentForward<float> args{.cell = shared_.cell,
                               .go_backwards = shared_.go_backwards,
                               .x = x.values,
                               .lengths = x.lengths,
                               .kernel = call.parameters[0],
                               .recurrent_kernel = call.parameters[1],
                               .bias = view_or_null(call.parameters, 2),
                               .h0 = view_or_null(call.state, 0),
                               .c0 = view_or_null(call.state, 1),
                               .y = call.memory->floats(kY, {time, batch, H}),
                               .hn = view_or_null(call.new_state, 0),
                               .cn = view_or_null(call.new_state, 1),
                               .weights_version = call.weights_version};
  if (!shared_.return_sequences) {
    const View<float> hn = call.memory->floats(kHn, {1, batch, H});
    if (!args.hn) args.hn = hn.slice(0);
  }
  if (call.training) {
    args.gates = call.memory->floats(kGates, {time, batch, gates_of(shared_.cell) * H});
    if (keeps_extra(shared_.cell)) args.extra = call.memory->floats(kExtra, {time, batch, H});
  }
  args.scratch = call.memory->bytes(kForwardScratch, call.backend->scratch_bytes(args));
  call.backend->recurrent_forward(args);
  if (shared_.return_sequences) {
    return {.values = args.y, .lengths = x.lengths, .examples = x.examples};
  }
  const View<float> last = call.memory->floats(kHn);
  if (args.hn.data() != last.data()) std::copy(args.hn.begin(), args.hn.end(), last.begin());
  return {.values = last, .examples = x.examples};
}

View<const float> RecurrentLayer::backward(const Sequence& x, View<const float> dy,
                                           Call& call) const {
  const Index time = x.time(), batch = x.batch(), H = shared_.units;
  RecurrentBackward<float> args{.cell = shared_.cell,
                                .go_backwards = shared_.go_backwards,
                                .x = x.values,
                                .lengths = x.lengths,
                                .kernel = call.parameters[0],
                                .recurrent_kernel = call.parameters[1],
                                .h0 = view_or_null(call.state, 0),
                                .c0 = view_or_null(call.state, 1),
                                .y = call.memory->floats(kY),
                                .gates = call.memory->floats(kGates),
                                .dy = dy,
                                .dhn = view_or_null(call.dnew_state, 0),
                                .dcn = view_or_null(call.dnew_state, 1),
                                .dh0 = view_or_null(call.dstate, 0),
                                .dc0 = view_or_null(call.dstate, 1),
                                .dkernel = call.gradients[0],
                                .drecurrent_kernel = call.gradients[1],
                                .dbias = view_or_null(call.gradients, 2),
                                .weights_version = call.weights_version};
  if (keeps_extra(shared_.cell)) args.extra = call.memory->floats(kExtra);
  if (!shared_.return_sequences) {
    // The one output is the final h: its gradient joins that of the final state.
    args.dy = {};
    View<const float> last = dy.slice(0);
    if (args.dhn) {
      const View<float> sum = call.memory->floats(kDhn, {batch, H});
      for (Index i = 0; i < sum.size(); ++i) sum[i] = last[i] + args.dhn[i];
      last = sum;
    }
    args.dhn = last;
  }
  if (call.wants_dx) args.dx = call.memory->floats(kDx, {time, batch, x.values.extent(2)});
  args.scratch = call.memory->bytes(kBackwardScratch, call.backend->scratch_bytes(args));
  call.backend->recurrent_backward(args);
  return args.dx;
}

void LSTMOptions::exchange(Fields& fields) {
  exchange_shared(*this, fields);
  fields("forget_bias", forget_bias);
}
LSTM::LSTM(const LSTMOptions& o)
    : RecurrentLayer({Cell::kLstm, o.units, o.use_bias, o.return_sequences, o.go_backwards,
                      o.kernel_initializer, o.recurrent_initializer, o.forget_bias}),
      options_(o) {}
void LSTM::describe(Fields& fields) const { show(options_, fields); }

void GRUOptions::exchange(Fields& fields) {
  exchange_shared(*this, fields);
  fields("reset_after", reset_after);
}
GRU::GRU(const GRUOptions& o)
    : RecurrentLayer({o.reset_after ? Cell::kGru : Cell::kGruResetBefore, o.units, o.use_bias,
                      o.return_sequences, o.go_backwards, o.kernel_initializer,
                      o.recurrent_initializer, 0}),
      options_(o) {}
void GRU::describe(Fields& fields) const { show(options_, fields); }

void SimpleRNNOptions::exchange(Fields& fields) {
  exchange_shared(*this, fields);
  fields("relu", relu);
}
SimpleRNN::SimpleRNN(const SimpleRNNOptions& o)
    : RecurrentLayer({o.relu ? Cell::kRnnRelu : Cell::kRnnTanh, o.units, o.use_bias,
                      o.return_sequences, o.go_backwards, o.kernel_initializer,
                      o.recurrent_initializer, 0}),
      options_(o) {}
void SimpleRNN::describe(Fields& fields) const { show(options_, fields); }

}  // namespace rnn
