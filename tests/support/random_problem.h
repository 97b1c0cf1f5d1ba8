// A recurrent problem of any cell and shape with distinct random numbers, run forward and backward,
// and parts of it as problems of their own: chosen sequences, or a window of time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "rnn/backend.h"
#include "support/cells.h"
#include "support/random_values.h"

namespace rnn::test {

struct ProblemOptions {
  Cell cell = Cell::kLstm;
  Extras extras{};
  Index time = 1, batch = 1, inputs = 1, units = 1;
  std::vector<std::int32_t> lengths{};
  bool go_backwards = false;
  bool bias = true;
  bool initial_state = true;
  std::uint64_t seed = 1;
};

/// Owns everything RecurrentForward and RecurrentBackward point at. Padding of what goes in and all
/// of what comes out start as NaN, so that a kernel that reads padding or leaves an output
/// unwritten shows. Gradients of parameters start at zero.
template <class T>
struct RecurrentProblem {
  explicit RecurrentProblem(const ProblemOptions& chosen) : options(chosen) {
    const Index time = options.time, batch = options.batch, I = options.inputs, H = options.units;
    const Index P = state_width(), width = gates_of(options.cell) * H;
    const Random random = Random(options.seed).fold(static_cast<std::uint64_t>(options.cell));
    // Near 1 / sqrt(fan-in), so that gates neither saturate nor sleep; a power of two.
    const auto scale = [](Index n) {
      return std::ldexp(2.0, -(std::bit_width(static_cast<std::uint64_t>(n)) / 2));
    };
    x = random_values<T>({time, batch, I}, random.fold(0));
    kernel = random_values<T>({I, width}, random.fold(1), scale(I));
    recurrent_kernel = random_values<T>({P, width}, random.fold(2), scale(P));
    if (options.bias) bias = random_values<T>(bias_shape(options.cell, H), random.fold(3));
    if (options.initial_state) {
      h0 = random_values<T>({batch, P}, random.fold(4));
      if (has_cell_state(options.cell)) c0 = random_values<T>({batch, H}, random.fold(5));
    }
    const Extras& extras = options.extras;
    const bool lstm = has_cell_state(options.cell);
    if (extras.recurrent_dropout) {
      recurrent_mask = random_values<T>({batch, P}, random.fold(9), 2);
    }
    if (extras.zoneout) {
      zoneout_h = random_values<T>({time, batch, P}, random.fold(10));
      if (lstm) zoneout_c = random_values<T>({time, batch, H}, random.fold(11));
    }
    if (extras.peepholes) {
      peephole = random_values<T>({gates_of(options.cell) - 1, H}, random.fold(12));
    }
    if (extras.layer_norm) {
      kernel_gamma = random_values<T>({width}, random.fold(13), 2);
      recurrent_gamma = random_values<T>({width}, random.fold(14), 2);
      if (lstm) {
        cell_gamma = random_values<T>({H}, random.fold(15), 2);
        cell_beta = random_values<T>({H}, random.fold(16));
      }
    }
    if (extras.projection) projection = random_values<T>({H, P}, random.fold(17), scale(H));
    dy = random_values<T>({time, batch, P}, random.fold(6));
    dhn = random_values<T>({batch, P}, random.fold(7));
    if (has_cell_state(options.cell)) dcn = random_values<T>({batch, H}, random.fold(8));
    prepare();
  }

  /// Poisons padding and outputs; call it again after changing options or inputs.
  void prepare() {
    const Index time = options.time, batch = options.batch, I = options.inputs, H = options.units;
    const Index P = state_width(), width = gates_of(options.cell) * H;
    poison_padding(x, options.lengths);
    poison_padding(dy, options.lengths);
    y = poisoned<T>({time, batch, P});
    hn = poisoned<T>({batch, P});
    gates = poisoned<T>({time, batch, width});
    if (keeps_extra(options.cell)) extra = poisoned<T>({time, batch, H});
    dx = poisoned<T>({time, batch, I});
    dh0 = poisoned<T>({batch, P});
    if (has_cell_state(options.cell)) {
      cn = poisoned<T>({batch, H});
      dc0 = poisoned<T>({batch, H});
    }
    dkernel = BasicTensor<T>({I, width});
    drecurrent_kernel = BasicTensor<T>({P, width});
    poison_padding(zoneout_h, options.lengths);
    poison_padding(zoneout_c, options.lengths);
    if (options.extras.layer_norm) {
      kernel_normal = poisoned<T>({time, batch, width});
      recurrent_normal = poisoned<T>({time, batch, width});
      inverse_deviation = poisoned<T>({time, batch, 3});
      if (has_cell_state(options.cell)) cell_normal = poisoned<T>({time, batch, H});
    }
    if (options.extras.projection) output = poisoned<T>({time, batch, H});
    dpeephole = BasicTensor<T>(peephole.shape());
    dkernel_gamma = BasicTensor<T>(kernel_gamma.shape());
    drecurrent_gamma = BasicTensor<T>(recurrent_gamma.shape());
    dcell_gamma = BasicTensor<T>(cell_gamma.shape());
    dcell_beta = BasicTensor<T>(cell_beta.shape());
    dprojection = BasicTensor<T>(projection.shape());
    if (options.bias) dbias = BasicTensor<T>(bias.shape());
  }

  Index length(Index b) const { return length_of(options.lengths, b, options.time); }

  /// P, the width of h.
  Index state_width() const {
    return options.extras.projection ? (options.units + 2) / 2 : options.units;
  }

  CellOptions<T> cell_options() const {
    const float z = options.extras.constant_zoneout ? 0.25f : 0;
    return {.recurrent_mask = recurrent_mask,
            .kernel_gamma = kernel_gamma,
            .recurrent_gamma = recurrent_gamma,
            .cell_gamma = cell_gamma,
            .cell_beta = cell_beta,
            .epsilon = 0.125f,
            .peephole = peephole,
            .projection = projection,
            .zoneout_h = zoneout_h,
            .zoneout_c = zoneout_c,
            .zoneout_h_rate = z,
            .zoneout_c_rate = has_cell_state(options.cell) ? z / 2 : 0};
  }
  CellKept<T> kept() {
    return {kernel_normal, recurrent_normal, cell_normal, inverse_deviation, output};
  }

  /// Every parameter with its gradient.
  struct Parameter {
    const char* name;
    BasicTensor<T>* value;
    BasicTensor<T>* gradient;
  };
  std::vector<Parameter> parameters() {
    std::vector<Parameter> all{{"kernel", &kernel, &dkernel},
                               {"recurrent_kernel", &recurrent_kernel, &drecurrent_kernel},
                               {"bias", &bias, &dbias},
                               {"peephole", &peephole, &dpeephole},
                               {"kernel_gamma", &kernel_gamma, &dkernel_gamma},
                               {"recurrent_gamma", &recurrent_gamma, &drecurrent_gamma},
                               {"cell_gamma", &cell_gamma, &dcell_gamma},
                               {"cell_beta", &cell_beta, &dcell_beta},
                               {"projection", &projection, &dprojection}};
    std::erase_if(all, [](const Parameter& p) { return p.value->empty(); });
    return all;
  }

  RecurrentForward<T> forward_args() {
    return {.cell = options.cell,
            .go_backwards = options.go_backwards,
            .x = x,
            .lengths = options.lengths,
            .kernel = kernel,
            .recurrent_kernel = recurrent_kernel,
            .bias = bias,
            .h0 = h0,
            .c0 = c0,
            .y = y,
            .hn = hn,
            .cn = cn,
            .gates = gates,
            .extra = extra,
            .options = cell_options(),
            .kept = kept()};
  }
  /// Without what only backward needs.
  RecurrentForward<T> inference_args() {
    RecurrentForward<T> args = forward_args();
    args.gates = args.extra = {};
    args.kept = {};
    return args;
  }
  RecurrentBackward<T> backward_args() {
    return {.cell = options.cell,
            .go_backwards = options.go_backwards,
            .x = x,
            .lengths = options.lengths,
            .kernel = kernel,
            .recurrent_kernel = recurrent_kernel,
            .h0 = h0,
            .c0 = c0,
            .y = y,
            .gates = gates,
            .extra = extra,
            .dy = dy,
            .dhn = dhn,
            .dcn = dcn,
            .dx = dx,
            .dh0 = dh0,
            .dc0 = dc0,
            .dkernel = dkernel,
            .drecurrent_kernel = drecurrent_kernel,
            .dbias = dbias,
            .options = cell_options(),
            .kept = kept(),
            .doptions = {.dkernel_gamma = dkernel_gamma,
                         .drecurrent_gamma = drecurrent_gamma,
                         .dcell_gamma = dcell_gamma,
                         .dcell_beta = dcell_beta,
                         .dpeephole = dpeephole,
                         .dprojection = dprojection}};
  }

  void forward(const BasicBackend<T>& backend) {
    with_scratch(backend, forward_args(), [&](const auto& a) { backend.recurrent_forward(a); });
  }
  void backward(const BasicBackend<T>& backend) {
    with_scratch(backend, backward_args(), [&](const auto& a) { backend.recurrent_backward(a); });
  }

  /// sum(dy * y) + sum(dhn * hn) + sum(dcn * cn) after forward(): what backward() differentiates.
  T loss() const {
    T sum(0);
    for (Index b = 0; b < options.batch; ++b) {
      for (Index u = 0; u < state_width(); ++u) {
        for (Index t = 0; t < length(b); ++t) sum += dy.view()(t, b, u) * y.view()(t, b, u);
        sum += dhn.view()(b, u) * hn.view()(b, u);
      }
      for (Index u = 0; has_cell_state(options.cell) && u < options.units; ++u) {
        sum += dcn.view()(b, u) * cn.view()(b, u);
      }
    }
    return sum;
  }

  ProblemOptions options;
  BasicTensor<T> x, kernel, recurrent_kernel, bias, h0, c0;
  BasicTensor<T> recurrent_mask, zoneout_h, zoneout_c, peephole, kernel_gamma, recurrent_gamma;
  BasicTensor<T> cell_gamma, cell_beta, projection;
  BasicTensor<T> y, hn, cn, gates, extra;
  BasicTensor<T> kernel_normal, recurrent_normal, cell_normal, inverse_deviation, output;
  BasicTensor<T> dy, dhn, dcn;
  BasicTensor<T> dx, dh0, dc0, dkernel, drecurrent_kernel, dbias;
  BasicTensor<T> dpeephole, dkernel_gamma, drecurrent_gamma, dcell_gamma, dcell_beta, dprojection;
};

/// The first `steps` steps from `start` on of sequence b of a [T,B,F] tensor, as [steps,F].
template <class T>
BasicTensor<T> steps_of(const BasicTensor<T>& sequences, Index b, Index start, Index steps) {
  const Index F = sequences.extent(2);
  BasicTensor<T> part({steps, F});
  for (Index t = 0; t < steps; ++t) {
    std::copy_n(&sequences.view()(start + t, b, 0), F, part.data() + t * F);
  }
  return part;
}

/// Row b of a [B,F] tensor.
template <class T>
BasicTensor<T> row_of(const BasicTensor<T>& states, Index b) {
  BasicTensor<T> part({states.extent(1)});
  std::copy_n(&states.view()(b, 0), states.extent(1), part.data());
  return part;
}

/// The sequences `which` of `whole`, in that order, in a batch that is `time` long (at least the
/// longest of them): same weights, same numbers, other mates, other places, other padding.
template <class T>
RecurrentProblem<T> select(const RecurrentProblem<T>& whole, const std::vector<Index>& which,
                           Index time) {
  RecurrentProblem<T> part = whole;
  const Index batch = static_cast<Index>(which.size());
  part.options.time = time;
  part.options.batch = batch;
  part.options.lengths.clear();
  for (Index b : which) part.options.lengths.push_back(static_cast<std::int32_t>(whole.length(b)));
  const auto take_steps = [&](const BasicTensor<T>& from, BasicTensor<T>& to) {
    if (from.empty()) return;
    to = BasicTensor<T>({time, batch, from.extent(2)});
    for (Index j = 0; j < batch; ++j) {
      const Index b = which[static_cast<std::size_t>(j)];
      for (Index t = 0; t < whole.length(b); ++t) {
        std::copy_n(&from.view()(t, b, 0), from.extent(2), &to.view()(t, j, 0));
      }
    }
  };
  const auto take_rows = [&](const BasicTensor<T>& from, BasicTensor<T>& to) {
    if (from.empty()) return;
    to = BasicTensor<T>({batch, from.extent(1)});
    for (Index j = 0; j < batch; ++j) {
      std::copy_n(&from.view()(which[static_cast<std::size_t>(j)], 0), from.extent(1),
                  &to.view()(j, 0));
    }
  };
  take_steps(whole.x, part.x);
  take_steps(whole.dy, part.dy);
  take_steps(whole.zoneout_h, part.zoneout_h);
  take_steps(whole.zoneout_c, part.zoneout_c);
  take_rows(whole.h0, part.h0);
  take_rows(whole.c0, part.c0);
  take_rows(whole.recurrent_mask, part.recurrent_mask);
  take_rows(whole.dhn, part.dhn);
  take_rows(whole.dcn, part.dcn);
  part.prepare();
  return part;
}

/// Steps [start, start + steps) of every sequence. The initial state is still that of the whole:
/// the caller carries it.
template <class T>
RecurrentProblem<T> window(const RecurrentProblem<T>& whole, Index start, Index steps) {
  RecurrentProblem<T> part = whole;
  part.options.time = steps;
  for (std::int32_t& length : part.options.lengths) {
    length =
        std::clamp(length - static_cast<std::int32_t>(start), 0, static_cast<std::int32_t>(steps));
  }
  const auto take = [&](const BasicTensor<T>& from, BasicTensor<T>& to) {
    if (from.empty()) return;
    to = BasicTensor<T>({steps, from.extent(1), from.extent(2)});
    std::copy_n(from.data() + start * from.extent(1) * from.extent(2), to.size(), to.data());
  };
  take(whole.x, part.x);
  take(whole.dy, part.dy);
  take(whole.zoneout_h, part.zoneout_h);
  take(whole.zoneout_c, part.zoneout_c);
  part.prepare();
  return part;
}

}  // namespace rnn::test
