#include "rnn/recurrent.h"

#include "layers/option_fields.h"
#include "layers/recurrent_parameters.h"

namespace rnn {
namespace {

/// Slots of CallMemory: floats, then bytes.
enum Slot : std::size_t {
  kY,
  kGates,
  kExtra,
  kKernelNormal,
  kRecurrentNormal,
  kCellNormal,
  kInverseDeviation,
  kOutput,
  kDx,
  kHn,
  kCn,
  kFinal,
  kDhn,
  kDcn,
  kH0,
  kC0,
  kDh0,
  kDc0,
  kX,
  kRecurrentMask,
  kZoneoutH,
  kZoneoutC,
  kDropped,
  kDdropped
};
enum Buffer : std::size_t { kForwardScratch, kBackwardScratch };

/// Keys of the random draws of a call.
enum Draw : std::uint64_t { kInputDraw, kRecurrentDraw, kWeightDraw, kZoneoutHDraw, kZoneoutCDraw };

template <class Views>
auto view_or_null(const Views& views, std::size_t i) {
  using V = std::remove_cvref_t<decltype(views[i])>;
  return i < views.size() ? views[i] : V{};
}

/// One mask for all steps: of x, or of its gradient.
void drop_input(View<const float> from, const Sequence& x, float rate, View<float> to, Call& call) {
  call.backend->dropout({.x = from,
                         .lengths = x.lengths,
                         .examples = x.examples,
                         .rate = rate,
                         .shared_over_time = true,
                         .random = call.random.fold(kInputDraw),
                         .y = to});
}

/// One mask for the whole matrix: of the weights, or of their gradient.
void drop_weights(View<const float> from, float rate, View<float> to, Call& call) {
  const Shape one_step{1, from.extent(0), from.extent(1)};
  call.backend->dropout({.x = from.reshaped(one_step),
                         .rate = rate,
                         .random = call.random.fold(kWeightDraw),
                         .y = to.reshaped(one_step)});
}

/// z of every step and unit: 1 with probability `rate`, else 0.
View<const float> draw_zoneout(const Sequence& x, float rate, Draw draw, View<float> z,
                               const Call& call) {
  call.backend->dropout({.lengths = x.lengths,
                         .examples = x.examples,
                         .rate = 1 - rate,
                         .scaled = false,
                         .random = call.random.fold(draw),
                         .y = z});
  return z;
}

/// The sum of two gradients of a final state, where there are two.
View<const float> sum_of(View<const float> a, View<const float> b, View<float> sum) {
  for (Index i = 0; i < sum.size(); ++i) sum[i] = a[i] + (b ? b[i] : 0);
  return sum;
}

}  // namespace

RecurrentLayer::RecurrentLayer(const Options& shared) : shared_(shared) {
  const std::string_view name = name_of(shared.cell);
  require_size(name, "units", shared.units);
  require_rate(name, "dropout", shared.dropout);
  require_rate(name, "recurrent_dropout", shared.recurrent_dropout);
  require_rate(name, "weight_drop", shared.weight_drop);
  require_rate(name, "zoneout_h", shared.zoneout_h);
  require_rate(name, "zoneout_c", shared.zoneout_c);
  if (shared.projection != 0) require_size(name, "projection", shared.projection);
  if (shared.layer_normalization) {
    require(shared.epsilon > 0, std::string(name) + " epsilon", "a positive number",
            shared.epsilon);
  }
  if (shared.layer_normalization && shared.cell == Cell::kGruResetBefore) {
    throw ConfigError(std::string(name) +
                      " layer_normalization: its gates are not known at once, so they cannot be "
                      "normalised together; set reset_after to true");
  }
  if (shared.return_state && shared.return_sequences) {
    throw ConfigError(std::string(name) +
                      " return_state: a layer has one output, the final state or h of every step; "
                      "set return_sequences to false");
  }
}

bool RecurrentLayer::causal() const { return shared_.return_sequences && !shared_.go_backwards; }

Signal RecurrentLayer::output(const Signal& input) const {
  require_vectors(type(), input);
  const bool with_c = shared_.return_state && has_cell_state(shared_.cell);
  return Signal::vectors(width() + (with_c ? shared_.units : 0));
}

std::vector<ParameterSpec> RecurrentLayer::parameters(const Signal& input) const {
  std::vector<ParameterSpec> specs;
  for (const RecurrentParameter parameter : parameters_of(shared_)) {
    specs.push_back(spec_of(parameter, shared_, input.size, width()));
  }
  return specs;
}

std::vector<StateSpec> RecurrentLayer::states(const Signal&) const {
  std::vector<StateSpec> states{{"h", width()}};
  if (has_cell_state(shared_.cell)) states.push_back({"c", shared_.units});
  if (shared_.learn_initial_state) states.push_back({"started", 1});
  return states;
}

KernelPath RecurrentLayer::path(const Backend& backend, const Signal& input) const {
  const Index H = shared_.units, P = width(), gates = gates_of(shared_.cell) * H;
  // Only shapes are looked at: one step of one sequence stands for any.
  float none = 0;
  RecurrentForward<float> args{.cell = shared_.cell,
                               .go_backwards = shared_.go_backwards,
                               .x = {&none, {1, 1, input.size}},
                               .kernel = {&none, {input.size, gates}},
                               .recurrent_kernel = {&none, {P, gates}},
                               .y = {&none, {1, 1, P}}};
  CellOptions<float>& options = args.options;
  if (shared_.recurrent_dropout > 0) options.recurrent_mask = {&none, {1, P}};
  if (shared_.peepholes) options.peephole = {&none, {gates_of(shared_.cell) - 1, H}};
  if (shared_.projection > 0) options.projection = {&none, {H, P}};
  options.zoneout_h_rate = shared_.zoneout_h;
  options.zoneout_c_rate = shared_.zoneout_c;
  if (shared_.layer_normalization) {
    options.kernel_gamma = options.recurrent_gamma = {&none, {gates}};
    if (has_cell_state(shared_.cell)) options.cell_gamma = options.cell_beta = {&none, {H}};
  }
  return backend.supports(args);
}

/// The options that are parameters.
CellOptions<float> RecurrentLayer::cell_options(const Call& call) const {
  using P = RecurrentParameter;
  const auto parameter = [&](P role) { return view_of(role, shared_, call.parameters); };
  return {.kernel_gamma = parameter(P::kKernelGamma),
          .recurrent_gamma = parameter(P::kRecurrentGamma),
          .cell_gamma = parameter(P::kCellGamma),
          .cell_beta = parameter(P::kCellBeta),
          .epsilon = shared_.epsilon,
          .peephole = parameter(P::kPeephole),
          .projection = parameter(P::kProjection)};
}

/// Everything random of a training call; in evaluation, what to expect of it.
void RecurrentLayer::draw_masks(const Sequence& x, RecurrentForward<float>& args,
                                Call& call) const {
  const Index time = x.time(), batch = x.batch(), P = width();
  CellOptions<float>& options = args.options;
  if (!call.training) {
    options.zoneout_h_rate = shared_.zoneout_h;
    options.zoneout_c_rate = shared_.zoneout_c;
    return;
  }
  if (shared_.dropout > 0) {
    const View<float> dropped = call.memory->floats(kX, x.values.shape());
    drop_input(x.values, x, shared_.dropout, dropped, call);
    args.x = dropped;
  }
  if (shared_.recurrent_dropout > 0) {
    const View<float> mask = call.memory->floats(kRecurrentMask, {1, batch, P});
    call.backend->dropout({.examples = x.examples,
                           .rate = shared_.recurrent_dropout,
                           .random = call.random.fold(kRecurrentDraw),
                           .y = mask});
    options.recurrent_mask = mask.slice(0);
  }
  if (shared_.zoneout_h > 0) {
    options.zoneout_h = draw_zoneout(x, shared_.zoneout_h, kZoneoutHDraw,
                                     call.memory->floats(kZoneoutH, {time, batch, P}), call);
  }
  if (shared_.zoneout_c > 0) {
    options.zoneout_c =
        draw_zoneout(x, shared_.zoneout_c, kZoneoutCDraw,
                     call.memory->floats(kZoneoutC, {time, batch, shared_.units}), call);
  }
  if (shared_.weight_drop > 0) {
    const View<float> dropped = call.memory->floats(kDropped, args.recurrent_kernel.shape());
    drop_weights(args.recurrent_kernel, shared_.weight_drop, dropped, call);
    args.recurrent_kernel = dropped;
    args.weights_version = 0;  // each call has weights of its own
  }
}

void RecurrentLayer::keep_for_backward(RecurrentForward<float>& args, Call& call) const {
  const Index time = args.x.extent(0), batch = args.x.extent(1), H = shared_.units;
  const Index gates = gates_of(shared_.cell) * H;
  args.gates = call.memory->floats(kGates, {time, batch, gates});
  if (keeps_extra(shared_.cell)) args.extra = call.memory->floats(kExtra, {time, batch, H});
  if (shared_.layer_normalization) {
    args.kept.kernel_normal = call.memory->floats(kKernelNormal, {time, batch, gates});
    args.kept.recurrent_normal = call.memory->floats(kRecurrentNormal, {time, batch, gates});
    args.kept.inverse_deviation = call.memory->floats(kInverseDeviation, {time, batch, 3});
    if (has_cell_state(shared_.cell)) {
      args.kept.cell_normal = call.memory->floats(kCellNormal, {time, batch, H});
    }
  }
  if (shared_.projection > 0) args.kept.output = call.memory->floats(kOutput, {time, batch, H});
}

/// The state that the first step sees: the learned one for sequences that have not started.
void RecurrentLayer::start_state(RecurrentForward<float>& args, Call& call) const {
  const Index time = args.x.extent(0), batch = args.x.extent(1);
  const std::size_t place = has_cell_state(shared_.cell) ? 2 : 1;
  const View<const float> started = view_or_null(call.state, place);
  const View<float> now = view_or_null(call.new_state, place);
  const auto learned = [&](RecurrentParameter role, Slot slot, View<const float> given) {
    const View<const float> initial = view_of(role, shared_, call.parameters);
    const View<float> to = call.memory->floats(slot, {batch, initial.size()});
    for (Index b = 0; b < batch; ++b) {
      const bool carried = started && started[b] != 0;
      std::copy_n(carried ? &given(b, 0) : initial.data(), initial.size(), &to(b, 0));
    }
    return View<const float>(to);
  };
  args.h0 = learned(RecurrentParameter::kInitialH, kH0, args.h0);
  if (has_cell_state(shared_.cell)) {
    args.c0 = learned(RecurrentParameter::kInitialC, kC0, args.c0);
  }
  for (Index b = 0; now && b < batch; ++b) {
    const bool steps = length_of(args.lengths, b, time) > 0;
    now[b] = steps ? 1 : started ? started[b] : 0;
  }
}

/// After backward: the gradient of the first state goes to where that came from.
void RecurrentLayer::finish_start(RecurrentBackward<float>& args, Call& call) const {
  const Index batch = args.x.extent(1);
  const std::size_t place = has_cell_state(shared_.cell) ? 2 : 1;
  const View<const float> started = view_or_null(call.state, place);
  const auto divide = [&](RecurrentParameter role, View<const float> dfirst, View<float> dstate) {
    const View<float> dinitial = view_of(role, shared_, call.gradients);
    const Index width = dfirst.extent(1);
    for (Index b = 0; b < batch; ++b) {
      const bool carried = started && started[b] != 0;
      for (Index u = 0; u < width; ++u) {
        if (!carried && dinitial) dinitial[u] += dfirst(b, u);
        if (dstate) dstate(b, u) = carried ? dfirst(b, u) : 0;
      }
    }
  };
  divide(RecurrentParameter::kInitialH, args.dh0, view_or_null(call.dstate, 0));
  if (has_cell_state(shared_.cell)) {
    divide(RecurrentParameter::kInitialC, args.dc0, view_or_null(call.dstate, 1));
  }
  const View<float> dstarted = view_or_null(call.dstate, place);
  std::fill(dstarted.begin(), dstarted.end(), 0.0f);
}

Sequence RecurrentLayer::forward(const Sequence& x, Call& call) const {
  const Index time = x.time(), batch = x.batch(), P = width();
  using Role = RecurrentParameter;
  RecurrentForward<float> args{
      .cell = shared_.cell,
      .go_backwards = shared_.go_backwards,
      .x = x.values,
      .lengths = x.lengths,
      .kernel = view_of(Role::kKernel, shared_, call.parameters),
      .recurrent_kernel = view_of(Role::kRecurrentKernel, shared_, call.parameters),
      .bias = view_of(Role::kBias, shared_, call.parameters),
      .h0 = view_or_null(call.state, 0),
      .y = call.memory->floats(kY, {time, batch, P}),
      .hn = view_or_null(call.new_state, 0),
      .options = cell_options(call),
      .weights_version = call.weights_version};
  if (const LookUp* look_up = x.looked_up(); look_up && !call.training) {
    args.symbols = look_up->ids;
    args.table = look_up->table;
  }
  if (has_cell_state(shared_.cell)) {
    args.c0 = view_or_null(call.state, 1);
    args.cn = view_or_null(call.new_state, 1);
  }
  if (!shared_.return_sequences) {
    if (!args.hn) args.hn = call.memory->floats(kHn, {batch, P});
    if (shared_.return_state && has_cell_state(shared_.cell) && !args.cn) {
      args.cn = call.memory->floats(kCn, {batch, shared_.units});
    }
  }
  if (shared_.learn_initial_state) start_state(args, call);
  draw_masks(x, args, call);
  if (call.training) keep_for_backward(args, call);
  args.scratch = call.scratch(kForwardScratch, call.backend->scratch_bytes(args));
  call.backend->recurrent_forward(args);
  if (!shared_.return_sequences) return final_output(x, args, call);
  return {.values = args.y, .lengths = x.lengths, .examples = x.examples};
}

/// The final state as one step: h, or h and c side by side.
Sequence RecurrentLayer::final_output(const Sequence& x, const RecurrentForward<float>& args,
                                      Call& call) const {
  const Index batch = x.batch(), H = shared_.units, P = width();
  const bool with_c = shared_.return_state && has_cell_state(shared_.cell);
  const View<float> last = call.memory->floats(kFinal, {1, batch, with_c ? P + H : P});
  call.backend->merge_forward({.merge = Merge::kConcat,
                               .a = args.hn.reshaped({1, batch, P}),
                               .b = with_c ? args.cn.reshaped({1, batch, H}) : View<float>(),
                               .y = last});
  return {.values = last, .examples = x.examples};
}

/// The gradient of the one output joins that of the final state.
void RecurrentLayer::take_final_gradient(View<const float> dy, RecurrentBackward<float>& args,
                                         Call& call) const {
  const Index batch = args.x.extent(1), H = shared_.units, P = width();
  const bool with_c = shared_.return_state && has_cell_state(shared_.cell);
  const View<float> dhn = call.memory->floats(kDhn, {batch, P});
  View<const float> last = dy.slice(0);
  if (with_c) {
    const View<float> dcn = call.memory->floats(kDcn, {batch, H});
    call.backend->merge_backward({.merge = Merge::kConcat,
                                  .dy = dy,
                                  .da = dhn.reshaped({1, batch, P}),
                                  .db = dcn.reshaped({1, batch, H})});
    last = dhn;
    args.dcn = sum_of(dcn, args.dcn, dcn);
  }
  args.dy = {};
  args.dhn = sum_of(last, args.dhn, dhn);
}

View<const float> RecurrentLayer::backward(const Sequence& x, View<const float> dy,
                                           Call& call) const {
  const Index time = x.time(), batch = x.batch();
  const bool drops_input = shared_.dropout > 0, drops_weights = shared_.weight_drop > 0;
  const bool with_c = has_cell_state(shared_.cell), learns = shared_.learn_initial_state;
  using Role = RecurrentParameter;
  const auto parameter = [&](Role role) { return view_of(role, shared_, call.parameters); };
  const auto gradient = [&](Role role) { return view_of(role, shared_, call.gradients); };
  CallMemory& memory = *call.memory;
  RecurrentBackward<float> args{.cell = shared_.cell,
                                .go_backwards = shared_.go_backwards,
                                .x = drops_input ? memory.floats(kX) : x.values,
                                .lengths = x.lengths,
                                .kernel = parameter(Role::kKernel),
                                .recurrent_kernel = drops_weights
                                                        ? memory.floats(kDropped)
                                                        : parameter(Role::kRecurrentKernel),
                                .h0 = learns ? memory.floats(kH0) : view_or_null(call.state, 0),
                                .c0 = !with_c  ? View<const float>()
                                      : learns ? memory.floats(kC0)
                                               : view_or_null(call.state, 1),
                                .y = memory.floats(kY),
                                .gates = memory.floats(kGates),
                                .dy = dy,
                                .dhn = view_or_null(call.dnew_state, 0),
                                .dh0 = view_or_null(call.dstate, 0),
                                .dkernel = gradient(Role::kKernel),
                                .drecurrent_kernel = gradient(Role::kRecurrentKernel),
                                .dbias = gradient(Role::kBias),
                                .options = cell_options(call),
                                .doptions = {.dkernel_gamma = gradient(Role::kKernelGamma),
                                             .drecurrent_gamma = gradient(Role::kRecurrentGamma),
                                             .dcell_gamma = gradient(Role::kCellGamma),
                                             .dcell_beta = gradient(Role::kCellBeta),
                                             .dpeephole = gradient(Role::kPeephole),
                                             .dprojection = gradient(Role::kProjection)}};
  if (with_c) {
    args.dcn = view_or_null(call.dnew_state, 1);
    args.dc0 = view_or_null(call.dstate, 1);
  }
  if (learns) {
    args.dh0 = memory.floats(kDh0, {batch, width()});
    if (with_c) args.dc0 = memory.floats(kDc0, {batch, shared_.units});
  }
  if (keeps_extra(shared_.cell)) args.extra = memory.floats(kExtra);
  if (shared_.layer_normalization) {
    args.kept.kernel_normal = memory.floats(kKernelNormal);
    args.kept.recurrent_normal = memory.floats(kRecurrentNormal);
    args.kept.inverse_deviation = memory.floats(kInverseDeviation);
    if (with_c) args.kept.cell_normal = memory.floats(kCellNormal);
  }
  if (shared_.projection > 0) args.kept.output = memory.floats(kOutput);
  if (shared_.recurrent_dropout > 0) {
    args.options.recurrent_mask = memory.floats(kRecurrentMask).slice(0);
  }
  if (shared_.zoneout_h > 0) args.options.zoneout_h = memory.floats(kZoneoutH);
  if (shared_.zoneout_c > 0) args.options.zoneout_c = memory.floats(kZoneoutC);
  if (!shared_.return_sequences) take_final_gradient(dy, args, call);
  const View<float> dweights = args.drecurrent_kernel;
  if (drops_weights && dweights) {
    args.drecurrent_kernel = memory.floats(kDdropped, dweights.shape());
    std::fill(args.drecurrent_kernel.begin(), args.drecurrent_kernel.end(), 0.0f);
  }
  if (call.wants_dx) args.dx = memory.floats(kDx, {time, batch, x.values.extent(2)});
  args.scratch = call.scratch(kBackwardScratch, call.backend->scratch_bytes(args));
  call.backend->recurrent_backward(args);
  if (learns) finish_start(args, call);
  if (drops_weights && dweights) {
    const View<float> change = args.drecurrent_kernel;
    drop_weights(change, shared_.weight_drop, change, call);
    const Shape one_step{1, dweights.extent(0), dweights.extent(1)};
    call.backend->merge_forward({.merge = Merge::kSum,
                                 .a = dweights.reshaped(one_step),
                                 .b = change.reshaped(one_step),
                                 .y = dweights.reshaped(one_step)});
  }
  if (drops_input && call.wants_dx) drop_input(args.dx, x, shared_.dropout, args.dx, call);
  return args.dx;
}

}  // namespace rnn
