// A window of a recurrent layer forward.
//
// The input's part of all gates of all steps is one product. What remains in a step is
// [batch, H] x [H, G*H], made tile by tile: a tile holds all gates of some units for some
// rows, so the cell finishes them while they are at hand and no pre-activation travels further than
// the first-level cache.
//
// Options that look at one unit at a time happen there too. Those that need a whole row (layer
// norm, projection) make a step of several stages, with a meeting between them where units are
// divided:
//   product  h' U of all gates                 in place of the tile's own finish
//   gates    N(h' U), then the cell, up to c~
//   output   N(c~), then o * tanh
//   project  (o * tanh(c~)) W_p, in fp32 whatever the precision of the other products
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/recurrent_forward.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/recurrent_forward_plan-inl.h"
#include "kernels/native/row_norm-inl.h"
#include "kernels/native/schedule.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

/// Panels of one phase hold the gates of a group of units side by side.
template <class Work>
void for_groups(const Phase& phase, Range units, const Work& work, Index begin = 0,
                Index stride = 1, bool backwards = false) {
  const Index groups = parts_of(units.size(), phase.units);
  for (Index i = begin; i < groups; i += stride) {
    const Index group = backwards ? groups - 1 - i : i;
    const Range part = part_of(units.size(), group, groups);
    work(units.first + part.first, part.size());
  }
}

float* panel_of(const Plan& p, const Phase& phase, Index unit_vector) {
  return p.packed_recurrent + words_of(p.bf16, p.P) * kLanes *
                                  (phase.first_gate * vectors_of(p.H) + unit_vector * phase.gates);
}

/// One thread's part in a call.
struct Team {
  int member, members;
  bool by_batch;
  Range units;
  Range outs;  // of P
  SpinBarrier& barrier;
  /// Waits where units are divided: others' units are read next.
  void meet() const {
    if (!by_batch) barrier.wait(members);
  }
};

/// Packs this member's units; where all members read all units, every members-th panel.
void pack_units(const Args& a, const Plan& p, const Team& team) {
  for (int number = 0; number < phases_of(a.cell); ++number) {
    const Phase phase = phase_of(a.cell, number);
    const auto pack = [&](Index first, Index count) HWY_ATTR {
      PanelColumns columns{.vectors = count * phase.gates, .column = {}, .lanes = {}};
      for (Index v = 0; v < columns.vectors; ++v) {
        const Index u = (first + v / phase.gates) * kLanes;
        columns.column[v] = (phase.first_gate + v % phase.gates) * p.H + u;
        columns.lanes[v] = std::min(kLanes, p.H - u);
      }
      pack_panel(p.bf16, a.recurrent_kernel.data(), p.width, p.P, columns,
                 panel_of(p, phase, first));
    };
    for_groups(phase, team.units, pack, team.by_batch ? team.member : 0,
               team.by_batch ? team.members : 1);
  }
}

/// The product of a phase for some rows and units, tile by tile: from what the input gave, or with
/// `raw` from zero, and finish(row, tile, unit) takes each vector of units. `backwards`: from the
/// last units to the first. Every other step goes so, and finds the panels that the step before
/// read last still in the cache.
template <Cell kCell, int kPhase, class Finish>
void run_phase(const Args& a, const Plan& p, Range rows, Range units, bool raw, bool backwards,
               float* buffer, const Finish& finish) {
  constexpr Phase kPhaseOf = phase_of(kCell, kPhase);
  const float* q_bias =
      kCell == Cell::kGru ? (a.bias ? a.bias.data() + p.width + 2 * p.H : p.zeros) : nullptr;
  const auto state_of = [](const ForwardRow& row) {
    return kCell == Cell::kGruResetBefore && kPhase == 1 ? row.extra : row.h_in;
  };
  // Under bf16 every member rounds all rows for itself: one part in H of the product's work.
  const Index words = words_of(p.bf16, p.P);
  float* rounded = buffer + kStepRows * kMaxVectors * kLanes;
  for (Index r = 0; p.bf16 && r < rows.size(); ++r) {
    p.bf16->round(state_of(p.rows[rows.first + r]), p.P, rounded + r * words);
  }
  const auto work = [&](Index first, Index count) HWY_ATTR {
    const Index vectors = count * kPhaseOf.gates;
    const float* panel = panel_of(p, kPhaseOf, first);
    const Index chunks = parts_of(rows.size(), kStepRows);
    for (Index chunk = 0; chunk < chunks; ++chunk) {
      const Range part = part_of(rows.size(), chunk, chunks);
      const ForwardRow* these = p.rows + rows.first + part.first;
      float* out[kStepRows];
      const float* in[kStepRows];
      for (Index r = 0; r < part.size(); ++r) {
        const ForwardRow& row = these[r];
        out[r] = buffer + r * vectors * kLanes;
        in[r] = p.bf16 ? rounded + (part.first + r) * words : state_of(row);
        for (Index v = 0; !raw && v < vectors; ++v) {
          const Index gate = kPhaseOf.first_gate + v % kPhaseOf.gates;
          const Index u = (first + v / kPhaseOf.gates) * kLanes;
          const float* from = kCell == Cell::kGru && gate == 2 ? q_bias : row.gates + gate * p.H;
          store(load_n(from + u, p.H - u), out[r] + v * kLanes);
        }
      }
      multiply_panel({.bf16 = p.bf16,
                      .a = in,
                      .rows = part.size(),
                      .first_k = 0,
                      .depth = p.P,
                      .panel = panel,
                      .vectors = vectors,
                      .c = out,
                      .start = raw ? Start::kZero : Start::kAdd});
      for (Index r = 0; r < part.size(); ++r) {
        for (Index i = 0; i < count; ++i) {
          finish(these[r], out[r] + i * kPhaseOf.gates * kLanes, (first + i) * kLanes);
        }
      }
    }
  };
  for_groups(kPhaseOf, units, work, 0, 1, backwards);
}

/// A phase whose tiles the cell finishes.
template <Cell kCell, int kPhase>
void run_fused(const Args& a, const Plan& p, Range rows, Range units, bool backwards,
               float* buffer) {
  run_phase<kCell, kPhase>(a, p, rows, units, false, backwards, buffer,
                           [&](const ForwardRow& row, const float* tile, Index u) HWY_ATTR {
                             finish_forward<kCell, kPhase>(tile, p.tail, u,
                                                           std::min(kLanes, p.H - u), row);
                           });
}

/// Layer norm, stage "product".
template <Cell kCell>
void run_product(const Args& a, const Plan& p, Range rows, Range units, bool backwards,
                 float* buffer) {
  run_phase<kCell, 0>(a, p, rows, units, true, backwards, buffer,
                      [&](const ForwardRow& row, const float* tile, Index u) HWY_ATTR {
                        for (Index gate = 0; gate < gates_of(kCell); ++gate) {
                          store_n(load(tile + gate * kLanes), row.product + gate * p.H + u,
                                  p.H - u);
                        }
                      });
}

/// work(unit, lanes) for the vectors of a range of units.
template <class Work>
HWY_INLINE void for_units(Range units, Index size, const Work& work) {
  for (Index v = units.first; v < units.last; ++v) {
    work(v * kLanes, std::min(kLanes, size - v * kLanes));
  }
}

/// Layer norm, stage "gates". Every member makes the moments of all its rows for itself.
template <Cell kCell>
void run_gates(const Args& a, const Plan& p, Range rows, Range units) {
  const float* q_bias = a.bias ? a.bias.data() + p.width + 2 * p.H : p.zeros;  // GRU alone
  for (Index r = rows.first; r < rows.last; ++r) {
    const ForwardRow& row = p.rows[r];
    const RowMoments moments = moments_of(row.product, p.width, a.options.epsilon);
    if (units.first == 0) row.inverse_deviation[1] = moments.inverse_deviation;
    for_units(units, p.H, [&](Index u, Index n) HWY_ATTR {
      alignas(64) float tile[4 * kLanes];
      for (Index gate = 0; gate < gates_of(kCell); ++gate) {
        const Index place = gate * p.H + u;
        const FloatVec normal = normal_of(load_n(row.product + place, n), moments);
        if (row.recurrent_normal) store_n(normal, row.recurrent_normal + place, n);
        const float* from = kCell == Cell::kGru && gate == 2 ? q_bias + u : row.gates + place;
        store(hn::MulAdd(load_n(p.tail.recurrent_gamma + place, n), normal, load_n(from, n)),
              tile + gate * kLanes);
      }
      finish_forward<kCell, 0>(tile, p.tail, u, n, row);
    });
  }
}

/// Layer norm of the LSTM, stage "output".
template <Cell kCell>
void run_output(const Args& a, const Plan& p, Range rows, Range units) {
  for (Index r = rows.first; r < rows.last; ++r) {
    const ForwardRow& row = p.rows[r];
    const RowMoments moments = moments_of(row.c_new, p.H, a.options.epsilon);
    if (units.first == 0) row.inverse_deviation[2] = moments.inverse_deviation;
    for_units(units, p.H, [&](Index u, Index n) HWY_ATTR {
      const FloatVec normal = normal_of(load_n(row.c_new + u, n), moments);
      store_n(normal, row.cell_normal + u, n);
      const FloatVec seen =
          hn::MulAdd(load_n(p.tail.cell_gamma + u, n), normal, load_n(p.tail.cell_beta + u, n));
      const FloatVec o = load_n(row.gates + lstm_gates(kCell).o * p.H + u, n);
      give_output(hn::Mul(o, tanh_of(seen)), u, n, row);
    });
  }
}

/// work(first vector of P, vectors) for panels of the projection.
template <class Work>
void for_projected(Range outs, const Work& work, Index begin = 0, Index stride = 1) {
  const Index groups = parts_of(outs.size(), kMaxVectors);
  for (Index group = begin; group < groups; group += stride) {
    const Range part = part_of(outs.size(), group, groups);
    work(outs.first + part.first, part.size());
  }
}

/// Stage "project".
void run_projection(const Plan& p, Range rows, Range outs, float* buffer) {
  for_projected(outs, [&](Index first, Index vectors) HWY_ATTR {
    const Index chunks = parts_of(rows.size(), kStepRows);
    for (Index chunk = 0; chunk < chunks; ++chunk) {
      const Range part = part_of(rows.size(), chunk, chunks);
      const ForwardRow* these = p.rows + rows.first + part.first;
      float* out[kStepRows];
      const float* in[kStepRows];
      for (Index r = 0; r < part.size(); ++r) {
        out[r] = buffer + r * vectors * kLanes;
        in[r] = these[r].output;
      }
      multiply_panel({.bf16 = nullptr,
                      .a = in,
                      .rows = part.size(),
                      .first_k = 0,
                      .depth = p.H,
                      .panel = p.packed_projection + p.H * kLanes * first,
                      .vectors = vectors,
                      .c = out,
                      .start = Start::kZero});
      for (Index r = 0; r < part.size(); ++r) {
        for (Index v = 0; v < vectors; ++v) {
          const Index u = (first + v) * kLanes;
          give_state(load(out[r] + v * kLanes), u, std::min(kLanes, p.P - u), these[r]);
        }
      }
    }
  });
}

void pack_projection(const Args& a, const Plan& p, const Team& team) {
  for_projected(
      team.outs,
      [&](Index first, Index vectors) HWY_ATTR {
        pack_panel(nullptr, a.options.projection.data(), p.P, p.H,
                   plain_columns(first, vectors, p.P), p.packed_projection + p.H * kLanes * first);
      },
      team.by_batch ? team.member : 0, team.by_batch ? team.members : 1);
}

template <Cell kCell>
void run_steps(const Args& a, const Plan& p, Index steps, const Team& team, float* buffer) {
  const int parts = team.by_batch ? team.members : 1, part = team.by_batch ? team.member : 0;
  for (Index s = 0; s < steps; ++s) {
    const Range rows{p.first[s * parts + part], p.first[s * parts + part + 1]};
    const bool backwards = s % 2 == 1;
    if (phases_of(kCell) == 1 && p.tail.kernel_gamma) {
      run_product<kCell>(a, p, rows, team.units, backwards, buffer);
      team.meet();
      run_gates<kCell>(a, p, rows, team.units);
      if constexpr (is_lstm(kCell)) {
        team.meet();
        run_output<kCell>(a, p, rows, team.units);
      }
    } else {
      run_fused<kCell, 0>(a, p, rows, team.units, backwards, buffer);
    }
    if constexpr (phases_of(kCell) == 2) {
      team.meet();
      run_fused<kCell, 1>(a, p, rows, team.units, backwards, buffer);
    }
    if (p.packed_projection) {
      team.meet();
      run_projection(p, rows, team.outs, buffer);
    }
    if (s + 1 < steps) team.meet();
  }
}

/// Layer norm: from x W to what the input gives the gates.
void normalise_inputs(const Args& a, const Plan& p, Index count, int member, int members) {
  const Range mine = part_of(count, member, members);
  for (Index r = mine.first; r < mine.last; ++r) {
    float *x = p.input_rows[r], *gates = p.gate_rows[r];
    const bool keeps = x != gates;
    const RowMoments moments = moments_of(x, p.width, a.options.epsilon);
    p.rows[r].inverse_deviation[0] = moments.inverse_deviation;
    for_vectors(p.width, [&](Index i, Index n) HWY_ATTR {
      const FloatVec normal = normal_of(load_n(x + i, n), moments);
      if (keeps) store_n(normal, x + i, n);
      store_n(hn::MulAdd(load_n(p.tail.kernel_gamma + i, n), normal, load_n(p.bias + i, n)),
              gates + i, n);
    });
  }
}

void run_steps(const Args& a, const Plan& p, Index steps, const Team& team, float* buffer) {
  switch (a.cell) {
    case Cell::kLstm:
      return run_steps<Cell::kLstm>(a, p, steps, team, buffer);
    case Cell::kLstmCoupled:
      return run_steps<Cell::kLstmCoupled>(a, p, steps, team, buffer);
    case Cell::kGru:
      return run_steps<Cell::kGru>(a, p, steps, team, buffer);
    case Cell::kGruResetBefore:
      return run_steps<Cell::kGruResetBefore>(a, p, steps, team, buffer);
    case Cell::kRnnTanh:
      return run_steps<Cell::kRnnTanh>(a, p, steps, team, buffer);
    case Cell::kRnnRelu:
      return run_steps<Cell::kRnnRelu>(a, p, steps, team, buffer);
  }
}

void start_state(const Args& a, const Plan& p) {
  std::fill_n(p.zeros, std::max(p.H, p.P), 0.0f);
  if (p.constant_h) std::fill_n(p.constant_h, p.P, a.options.zoneout_h_rate);
  if (p.constant_c) std::fill_n(p.constant_c, p.H, a.options.zoneout_c_rate);
  std::fill_n(p.bias, p.width, 0.0f);
  const auto& mask = a.options.recurrent_mask;
  for (Index i = 0; mask && i < mask.size(); ++i) p.masked[i] = a.h0 ? mask[i] * a.h0[i] : 0.0f;
  if (a.bias) {
    std::copy_n(a.bias.data(), p.width, p.bias);
    // r and z see the state's bias too; n keeps the state's part apart.
    for (Index u = 0; a.cell == Cell::kGru && u < 2 * p.H; ++u) p.bias[u] += a.bias[p.width + u];
  }
  if (!p.c) return;
  if (a.c0) {
    std::copy_n(a.c0.data(), a.c0.size(), p.c);
  } else {
    std::fill_n(p.c, a.x.extent(1) * p.H, 0.0f);
  }
}

/// Final states, and zeros for padding.
void finish_window(const Args& a, const Plan& p) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  for (Index b = 0; b < batch; ++b) {
    const Index length = length_of(a.lengths, b, time);
    if (a.hn) {
      float* hn = a.hn.data() + b * p.P;
      const float* from = length > 0 ? &a.y(time_of(length - 1, length, a.go_backwards), b, 0)
                          : a.h0     ? a.h0.data() + b * p.P
                                     : p.zeros;
      if (from != hn) std::copy_n(from, p.P, hn);
    }
    if (a.cn) std::copy_n(p.c + b * p.H, p.H, a.cn.data() + b * p.H);
    for (Index t = length; t < time; ++t) {
      std::fill_n(&a.y(t, b, 0), p.P, 0.0f);
    }
  }
}

}  // namespace

std::size_t recurrent_forward_scratch(const Args& a, const Bf16Arithmetic* bf16, int threads) {
  Scratch scratch;
  lay_out(a, bf16, threads, scratch);
  return scratch.bytes();
}

void recurrent_forward(const Args& a, const Bf16Arithmetic* bf16, ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  const Plan p = lay_out(a, bf16, pool.threads(), scratch);
  const Index time = a.x.extent(0), batch = a.x.extent(1), vectors = vectors_of(p.H);
  const Index all_steps = longest(a.lengths, time);
  start_state(a, p);
  SpinBarrier barrier;
  for (Index s0 = 0; s0 < all_steps; s0 += p.steps) {
    const Index steps = std::min(p.steps, all_steps - s0);
    const int limit = team_limit(steps * batch * (p.I + p.P) * p.width, pool.threads());
    pool.run_team(limit, [&](int member, int members) HWY_ATTR {
      const bool by_batch = divide_batch(batch, vectors, 4 * p.H * p.width, members);
      const Team team{
          .member = member,
          .members = members,
          .by_batch = by_batch,
          .units = by_batch ? Range{0, vectors} : part_of(vectors, member, members),
          .outs = by_batch ? Range{0, vectors_of(p.P)} : part_of(vectors_of(p.P), member, members),
          .barrier = barrier};
      const int parts = by_batch ? members : 1;
      float* buffer = p.buffers + member * p.buffer_floats;
      const PackedKey key{.magic = PackedKey::kMagic,
                          .version = a.weights_version,
                          .first = a.kernel.data(),
                          .second = a.recurrent_kernel.data(),
                          .extents = {p.I, p.P},
                          .kind = static_cast<int>(a.cell) * 4 + (p.packed_kernel ? 1 : 0) +
                                  (p.packed_projection ? 2 : 0),
                          .layout = members * 2 + (by_batch ? 1 : 0),
                          .arithmetic = bf16};
      const bool valid = (a.weights_version != 0 || s0 > 0) && *p.key == key;
      if (member == 0) list_rows(a, p, s0, steps, parts);
      if (!valid) pack_units(a, p, team);
      if (!valid && p.packed_projection) pack_projection(a, p, team);
      barrier.wait(members);
      if (member == 0) *p.key = key;
      const Index rows = p.first[steps * parts];
      if (bf16) {
        round_share(*bf16, p.x, rows, p.I, p.x_words, p.x, member, members);
        barrier.wait(members);
      }
      multiply_share({.bf16 = bf16,
                      .a = p.x,
                      .c = p.input_rows,
                      .rows = rows,
                      .depth = p.I,
                      .columns = p.width,
                      .b = a.kernel.data(),
                      .b_stride = p.width,
                      .b_transposed = false,
                      .start = p.tail.kernel_gamma ? Start::kZero : Start::kBias,
                      .bias = p.bias,
                      .packed = p.packed_kernel,
                      .packed_valid = valid},
                     member, members, buffer);
      barrier.wait(members);
      if (p.tail.kernel_gamma) {
        normalise_inputs(a, p, rows, member, members);
        barrier.wait(members);
      }
      run_steps(a, p, steps, team, buffer + product_buffer_floats());
    });
  }
  finish_window(a, p);
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(recurrent_forward);
HWY_EXPORT(recurrent_forward_scratch);

void fill_recurrent_forward(KernelTable& table, int target) {
  table.recurrent_forward = HWY_DISPATCH_TABLE(recurrent_forward)[target];
  table.recurrent_forward_scratch = HWY_DISPATCH_TABLE(recurrent_forward_scratch)[target];
}
}  // namespace rnn::native
#endif
