// The gradient of a window of a recurrent layer.
//
// Only the gradient of the state is sequential. A step is the product [batch, G*H] x [G*H, H] that
// brings it from the step after, finished tile by tile by the cell's element-wise gradient. The
// gradients of the weights and of the input are products as deep as the window, made once at its
// end and divided over their outputs.
//
// Where options need whole rows (see recurrent_forward.cc) a step has stages, with a meeting
// between them where units are divided:
//   project   the gradient of h~ W_p^T, in place of what the product brought
//   output    back through N(c~)
//   gates     back through N(h' U): what the recurrent product then reads is `drecurrent`
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/recurrent_backward.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/recurrent_backward_plan-inl.h"
#include "kernels/native/recurrent_weights-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

float* panel_of(const Plan& p, Index unit_vector) {
  return p.packed + words_of(p.bf16, p.width) * kLanes * unit_vector;
}

float* projection_panel_of(const Plan& p, Index unit_vector) {
  return p.packed_projection + p.P * kLanes * unit_vector;
}

/// The recurrent kernel transposed, in panels of units, and the projection likewise.
void pack_units(const Args& a, const Plan& p, const Team& team) {
  for_packed_panels(team, vectors_of(p.P), kMaxVectors, [&](Index first, Index count) HWY_ATTR {
    pack_panel_transposed(p.bf16, a.recurrent_kernel.data(), p.width, p.width,
                          plain_columns(first, count, p.P), panel_of(p, first));
  });
  if (!p.packed_projection) return;
  for_packed_panels(team, vectors_of(p.H), kMaxVectors, [&](Index first, Index count) HWY_ATTR {
    pack_panel_transposed(nullptr, a.options.projection.data(), p.P, p.P,
                          plain_columns(first, count, p.H), projection_panel_of(p, first));
  });
}

/// What a step works with. Under bf16 every member rounds all rows that its products read.
struct StepBuffer {
  float* out[kStepRows];
  float* words;  // of row r at words + r * words_of(bf16, width)
};

/// Whether a GRU's candidate has its own gradient of the state's part; normalised products have
/// that of all gates in one row.
template <Cell kCell>
bool candidate_apart(const Plan& p) {
  return is_gru(kCell) && !p.tail.kernel_gamma;
}

/// Rounds what the recurrent product of rows [rows.first, rows.last) reads.
template <Cell kCell>
void round_after(const Plan& p, Range rows, const StepBuffer& buffer) {
  if (!p.bf16) return;
  const bool apart = candidate_apart<kCell>(p);
  for (Index r = 0; r < rows.size(); ++r) {
    float* to = buffer.words + r * words_of(p.bf16, p.width);
    p.bf16->round(p.gates_after[rows.first + r], apart ? 2 * p.H : p.width, to);
    if (kCell == Cell::kGru && apart) p.bf16->round(p.extra_after[rows.first + r], p.H, to + p.H);
  }
}

/// out[r] = dh that the step after sends, for up to kStepRows rows that go on, from row r0 on; the
/// rounded rows begin with row `rounded_first`.
template <Cell kCell>
void receive(const Plan& p, Index rounded_first, Index r0, Index rows, Index first, Index count,
             const StepBuffer& buffer) {
  float* const* out = buffer.out;
  const bool adds = p.beside && !p.mask;
  for (Index r = 0; adds && r < rows; ++r) {
    for (Index v = 0; v < count; ++v) {
      const Index u = (first + v) * kLanes;
      store(load_n(p.dh + p.sequence[r0 + r] * p.P + u, p.P - u), out[r] + v * kLanes);
    }
  }
  const auto multiply_by = [&](const float* const* a, Index k0, Index size) HWY_ATTR {
    const float* rounded[kStepRows];
    for (Index r = 0; p.bf16 && r < rows; ++r) {
      rounded[r] = buffer.words + (r0 + r - rounded_first) * words_of(p.bf16, p.width) +
                   words_of(p.bf16, k0);
    }
    multiply_panel({.bf16 = p.bf16,
                    .a = p.bf16 ? rounded : a + r0,
                    .rows = rows,
                    .depth = size,
                    .panel = panel_of(p, first) + words_of(p.bf16, k0) * count * kLanes,
                    .vectors = count,
                    .c = out,
                    .start = adds || k0 > 0 ? Start::kAdd : Start::kZero});
  };
  const bool apart = candidate_apart<kCell>(p);
  multiply_by(p.gates_after, 0, apart ? 2 * p.H : p.width);
  if (kCell == Cell::kGru && apart) multiply_by(p.extra_after, 2 * p.H, p.H);
  for (Index r = 0; p.mask && r < rows; ++r) {
    for (Index v = 0; v < count; ++v) {
      const Index u = (first + v) * kLanes, n = p.P - u, row = p.sequence[r0 + r] * p.P + u;
      const FloatVec other = p.beside ? load_n(p.dh + row, n) : hn::Zero(Floats());
      const FloatVec through = hn::Mul(load(out[r] + v * kLanes), load_n(p.mask + row, n));
      store(hn::Add(other, through), out[r] + v * kLanes);
    }
  }
}

/// work(first row, how many) for stretches of rows.
template <class Work>
void for_stretches(Range rows, const Work& work) {
  const Index stretches = parts_of(rows.size(), kStepRows);
  for (Index stretch = 0; stretch < stretches; ++stretch) {
    const Range part = part_of(rows.size(), stretch, stretches);
    work(rows.first + part.first, part.size());
  }
}

/// A step for rows [rows.first, rows.last), of which those before `ending` go on: what reaches h of
/// each, tile by tile; take(row, dh, unit, lanes) has each vector of units.
template <Cell kCell, class Take>
void run_receive(const Plan& p, Range rows, Index ending, const Team& team,
                 const StepBuffer& buffer, const Take& take) {
  round_after<kCell>(p, {rows.first, ending}, buffer);
  for_panels(team, vectors_of(p.P), kMaxVectors, [&](Index first, Index count) HWY_ATTR {
    const auto lanes = [&](Index u) { return std::min(kLanes, p.P - u); };
    for_stretches({rows.first, ending}, [&](Index r0, Index size) HWY_ATTR {
      receive<kCell>(p, rows.first, r0, size, first, count, buffer);
      for (Index r = 0; r < size; ++r) {
        for (Index v = 0; v < count; ++v) {
          const Index u = (first + v) * kLanes;
          take(p.rows[r0 + r], load(buffer.out[r] + v * kLanes), u, lanes(u));
        }
      }
    });
    for (Index r = ending; r < rows.last; ++r) {
      for (Index v = 0; v < count; ++v) {
        const Index u = (first + v) * kLanes;
        take(p.rows[r], load_n(p.rows[r].dh + u, lanes(u)), u, lanes(u));
      }
    }
  });
}

/// Rows times a packed panel of units, into finish(row, product, unit, lanes).
template <class Panel, class In, class Finish>
void run_product(const Bf16Arithmetic* bf16, Range rows, const Team& team, Index depth,
                 const Panel& panel, const In& input, const Plan& p, const StepBuffer& buffer,
                 const Finish& finish) {
  const Index words = words_of(bf16, depth);
  for (Index r = 0; bf16 && r < rows.size(); ++r) {
    bf16->round(input(p.rows[rows.first + r]), depth, buffer.words + r * words);
  }
  for_panels(team, vectors_of(p.H), kMaxVectors, [&](Index first, Index count) HWY_ATTR {
    for_stretches(rows, [&](Index r0, Index size) HWY_ATTR {
      const float* in[kStepRows];
      for (Index r = 0; r < size; ++r) {
        in[r] = bf16 ? buffer.words + (r0 + r - rows.first) * words : input(p.rows[r0 + r]);
      }
      multiply_panel({.bf16 = bf16,
                      .a = in,
                      .rows = size,
                      .depth = depth,
                      .panel = panel(first, count),
                      .vectors = count,
                      .c = buffer.out,
                      .start = Start::kZero});
      for (Index r = 0; r < size; ++r) {
        for (Index v = 0; v < count; ++v) {
          const Index u = (first + v) * kLanes;
          finish(p.rows[r0 + r], load(buffer.out[r] + v * kLanes), u, std::min(kLanes, p.H - u));
        }
      }
    });
  });
}

/// Stage "project": from the gradient of h~ to that of the cell's output.
template <Cell kCell>
void run_projection(const Plan& p, Range rows, const Team& team, const StepBuffer& buffer) {
  run_product(
      nullptr, rows, team, p.P, [&](Index first, Index) { return projection_panel_of(p, first); },
      [](const BackwardRow& row) { return row.dstate; }, p, buffer,
      [&](const BackwardRow& row, FloatVec d, Index u, Index n)
          HWY_ATTR { finish_backward<kCell, 0>(d, p.tail, u, n, row); });
}

/// Stage "output": back through N(c~). Every member makes the sums of its rows for itself.
template <Cell kCell>
void run_output(const Plan& p, Range rows, Range units) {
  for (Index r = rows.first; r < rows.last; ++r) {
    const BackwardRow& row = p.rows[r];
    const RowGradient sums =
        gradient_of([&](Index i, Index n) HWY_ATTR { return load_n(row.dcell + i, n); },
                    p.tail.cell_gamma, row.cell_normal, p.H, row.inverse_deviation[2]);
    for_units(units, p.H, [&](Index u, Index n) HWY_ATTR {
      const FloatVec d = hn::Mul(load_n(row.dcell + u, n), load_n(p.tail.cell_gamma + u, n));
      const FloatVec d_o = load_n(row.gates + lstm_gates(kCell).o * p.H + u, n);
      finish_lstm_backward<kCell>(through_norm(d, load_n(row.cell_normal + u, n), sums), d_o,
                                  c_new_of<kCell>(p.tail, u, n, row), p.tail, u, n, row);
    });
  }
}

/// Stage "gates": back through N(h' U).
template <Cell kCell>
void run_gates(const Plan& p, Range rows, Range units) {
  for (Index r = rows.first; r < rows.last; ++r) {
    const BackwardRow& row = p.rows[r];
    const float* candidate = kCell == Cell::kGru ? row.extra : row.gates + 2 * p.H;
    // The gradient of gamma * N(h' U): that of the pre-activations, but for a GRU's candidate.
    const auto sum = [&](Index first, Index size, const float* d) HWY_ATTR {
      return gradient_of([&](Index i, Index n) HWY_ATTR { return load_n(d + i, n); },
                         p.tail.recurrent_gamma + first, row.recurrent_normal + first, size, 1);
    };
    RowGradient sums{};
    if constexpr (kCell == Cell::kGru) {
      const RowGradient gates = sum(0, 2 * p.H, row.gates), n = sum(2 * p.H, p.H, candidate);
      sums = {(2 * gates.mean + n.mean) / 3, (2 * gates.along + n.along) / 3, 0};
    } else {
      sums = sum(0, p.width, row.gates);
    }
    sums.inverse_deviation = row.inverse_deviation[1];
    for_units(units, p.H, [&](Index u, Index n) HWY_ATTR {
      for (Index gate = 0; gate < gates_of(kCell); ++gate) {
        const Index place = gate * p.H + u;
        const float* from = kCell == Cell::kGru && gate == 2 ? candidate + u : row.gates + place;
        const FloatVec d = hn::Mul(load_n(from, n), load_n(p.tail.recurrent_gamma + place, n));
        store_n(through_norm(d, load_n(row.recurrent_normal + place, n), sums),
                row.drecurrent + place, n);
      }
    });
  }
}

/// GRU with reset before: the gradient of r * h' is a product of its own.
void run_candidate(const Plan& p, Range rows, const Team& team, const StepBuffer& buffer) {
  run_product(
      p.bf16, rows, team, p.H,
      [&](Index first, Index count) {
        return panel_of(p, first) + words_of(p.bf16, 2 * p.H) * count * kLanes;
      },
      [&](const BackwardRow& row) { return row.gates + 2 * p.H; }, p, buffer,
      [&](const BackwardRow& row, FloatVec d, Index u, Index n)
          HWY_ATTR { finish_backward<Cell::kGruResetBefore, 1>(d, p.tail, u, n, row); });
}

template <Cell kCell>
void run_step(const Plan& p, Range rows, Index ending, const Team& team, const StepBuffer& buffer) {
  if (p.packed_projection) {
    run_receive<kCell>(p, rows, ending, team, buffer,
                       [](const BackwardRow& row, FloatVec dh, Index u, Index n)
                           HWY_ATTR { store_n(take_state(dh, u, n, row), row.dstate + u, n); });
    team.meet();
    run_projection<kCell>(p, rows, team, buffer);
  } else {
    run_receive<kCell>(p, rows, ending, team, buffer,
                       [&](const BackwardRow& row, FloatVec dh, Index u, Index n) HWY_ATTR {
                         finish_backward<kCell, 0>(take_state(dh, u, n, row), p.tail, u, n, row);
                       });
  }
  if constexpr (is_lstm(kCell)) {
    if (p.tail.cell_gamma) {
      team.meet();
      run_output<kCell>(p, rows, team.units);
    }
  }
  if constexpr (kCell == Cell::kGruResetBefore) {
    team.meet();
    run_candidate(p, rows, team, buffer);
  } else if (p.tail.kernel_gamma) {
    team.meet();
    run_gates<kCell>(p, rows, team.units);
  }
  team.meet();
}

template <Cell kCell>
void run_steps(const Args& a, const Plan& p, Index steps, const Team& team, float* memory) {
  StepBuffer buffer;
  for (Index r = 0; r < kStepRows; ++r) buffer.out[r] = memory + r * kMaxVectors * kLanes;
  buffer.words = memory + kStepRows * kMaxVectors * kLanes;
  for (Index s = steps - 1; s >= 0; --s) {
    const Index* first = p.first + ((s + 1) * team.parts() + team.part()) * 2;
    run_step<kCell>(p, {first[0], first[2]}, first[1], team, buffer);
  }
  if (!a.dh0) return;
  const Range rows{p.first[team.part() * 2], p.first[team.part() * 2 + 1]};
  round_after<kCell>(p, rows, buffer);
  for_panels(team, vectors_of(p.P), kMaxVectors, [&](Index first, Index count) HWY_ATTR {
    for_stretches(rows, [&](Index r0, Index size) HWY_ATTR {
      receive<kCell>(p, rows.first, r0, size, first, count, buffer);
      for (Index r = 0; r < size; ++r) {
        for (Index v = 0; v < count; ++v) {
          const Index u = (first + v) * kLanes;
          store_n(load(buffer.out[r] + v * kLanes), p.dh + p.sequence[r0 + r] * p.P + u, p.P - u);
        }
      }
    });
  });
}

void start_state(const Args& a, const Plan& p) {
  const Index batch = a.x.extent(1);
  *p.key = {};  // whatever a forward pass left packed here is gone
  std::fill_n(p.zeros, std::max(p.H, p.P), 0.0f);
  if (p.constant_h) std::fill_n(p.constant_h, p.P, a.options.zoneout_h_rate);
  if (p.constant_c) std::fill_n(p.constant_c, p.H, a.options.zoneout_c_rate);
  copy_or_zero(a.dhn, p.dh, batch * p.P);
  copy_or_zero(a.dcn, p.dc, batch * p.H);
}

}  // namespace

std::size_t recurrent_backward_scratch(const Args& a, const Bf16Arithmetic* bf16, int threads) {
  Scratch scratch;
  lay_out(a, bf16, threads, scratch);
  return scratch.bytes();
}

void recurrent_backward(const Args& a, const Bf16Arithmetic* bf16, ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  const Plan p = lay_out(a, bf16, pool.threads(), scratch);
  const Index time = a.x.extent(0), batch = a.x.extent(1), vectors = vectors_of(p.H);
  const Index steps = longest(a.lengths, time);
  start_state(a, p);
  const Index all_rows = list_window(a, p);
  SpinBarrier barrier;
  const int limit = pool.threads_for(steps * batch * (p.I + p.P) * p.width);
  pool.run_team(limit, [&](int member, int members) HWY_ATTR {
    const Team team = team_of(divide_batch(batch, vectors, p.P * p.width, p.bf16 ? 2 : 4, members),
                              0, p.H, member, members, barrier);
    float* buffer = p.buffers + member * p.buffer_floats;
    if (member == 0) list_rows(a, p, steps, team.parts());
    pack_units(a, p, team);
    barrier.wait(members);
    with_cell(a.cell,
              [&](auto cell) HWY_ATTR { run_steps<cell.value>(a, p, steps, team, buffer); });
    barrier.wait(members);
    finish_window(a, p, all_rows, team, buffer);
  });

  if (a.dh0) std::copy_n(p.dh, batch * p.P, a.dh0.data());
  if (a.dc0) std::copy_n(p.dc, batch * p.H, a.dc0.data());
  for (Index b = 0; a.dx && b < batch; ++b) {
    for (Index t = length_of(a.lengths, b, time); t < time; ++t) {
      std::fill_n(&a.dx(t, b, 0), p.I, 0.0f);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(recurrent_backward);
HWY_EXPORT(recurrent_backward_scratch);

void fill_recurrent_backward(KernelTable& table, int target) {
  table.recurrent_backward = HWY_DISPATCH_TABLE(recurrent_backward)[target];
  table.recurrent_backward_scratch = HWY_DISPATCH_TABLE(recurrent_backward_scratch)[target];
}
}  // namespace rnn::native
#endif
