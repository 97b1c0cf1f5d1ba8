// A window of a recurrent layer forward.
//
// The input's part of all gates of all steps is one product. What remains in a step is
// [batch, H] x [H, G*H], made tile by tile: a tile holds all gates of some units for some
// rows, so the cell finishes them while they are at hand and no pre-activation travels further than
// the first-level cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/recurrent_forward.cc"
#include "hwy/foreach_target.h"
#include "kernels/native/targets.h"
//
#include "hwy/highway.h"
#include "kernels/native/cells-inl.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/product-inl.h"
#include "kernels/native/rows.h"
#include "kernels/native/schedule.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

using Args = RecurrentForward<float>;

// Without gates to keep, a long text is done in chunks of about so many rows, so that memory does
// not grow with its length.
constexpr Index kChunkRows = 512;

/// Everything a call keeps in scratch.
struct Plan {
  const Bf16Arithmetic* bf16;
  Index I, H, width, steps;  // steps: of a chunk
  PackedKey* key;
  float *packed_recurrent, *packed_kernel;
  float *bias, *zeros, *c, *gates, *extra;
  // For each valid row of the chunk, in the order of steps:
  const float** x;
  float* x_words;  // under bf16: rounded
  const float** h_before;
  float** gate_rows;
  ForwardRow* rows;
  Index* first;  // [step * parts + part] first row; one entry more at the end
  float* buffers;
  Index buffer_floats;
};

Plan lay_out(const Args& a, const Bf16Arithmetic* bf16, int threads, Scratch& scratch) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  Plan p{};
  p.bf16 = bf16;
  p.I = a.x.extent(2);
  p.H = a.y.extent(2);
  p.width = gates_of(a.cell) * p.H;
  p.steps =
      a.gates ? time : std::min(time, std::max<Index>(1, kChunkRows / std::max<Index>(1, batch)));
  const Index rows = p.steps * batch;
  p.key = scratch.take<PackedKey>(1);
  p.packed_recurrent = scratch.take<float>(packed_floats(bf16, p.H, p.H) * gates_of(a.cell));
  if (!a.gates) p.packed_kernel = scratch.take<float>(packed_floats(bf16, p.I, p.width));
  p.bias = scratch.take<float>(p.width);
  p.zeros = scratch.take<float>(p.H);
  if (a.cell == Cell::kLstm) p.c = scratch.take<float>(batch * p.H);
  if (!a.gates) p.gates = scratch.take<float>(rows * p.width);
  if (!a.extra && a.cell == Cell::kGruResetBefore) p.extra = scratch.take<float>(batch * p.H);
  p.x = scratch.take<const float*>(rows);
  if (bf16) p.x_words = scratch.take<float>(rows * words_of(bf16, p.I));
  p.h_before = scratch.take<const float*>(rows);
  p.gate_rows = scratch.take<float*>(rows);
  p.rows = scratch.take<ForwardRow>(rows);
  p.first = scratch.take<Index>(p.steps * threads + 1);
  p.buffer_floats = product_buffer_floats() + kStepRows * kMaxVectors * kLanes;
  if (bf16) p.buffer_floats += batch * words_of(bf16, p.H);
  p.buffers = scratch.take<float>(p.buffer_floats * threads);
  return p;
}

/// Lists the valid rows of steps [s0, s0 + steps): by step, then by part of the batch.
void list_rows(const Args& a, const Plan& p, Index s0, Index steps, int parts) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  const BatchParts division(a.lengths, time, batch, parts);
  const auto at = [&](auto view, Index t, Index b) {
    return view.data() + (t * batch + b) * view.extent(2);
  };
  Index n = 0;
  for (Index s = s0; s < s0 + steps; ++s) {
    for (int part = 0; part < parts; ++part) {
      p.first[(s - s0) * parts + part] = n;
      for (Index b = division.first(part), end = division.first(part + 1); b < end; ++b) {
        const Index length = length_of(a.lengths, b, time);
        if (s >= length) continue;
        const Index t = time_of(s, length, a.go_backwards);
        p.x[n] = at(a.x, t, b);
        p.h_before[n] = s > 0  ? at(a.y, time_of(s - 1, length, a.go_backwards), b)
                        : a.h0 ? a.h0.data() + b * p.H
                               : p.zeros;
        p.gate_rows[n] = a.gates ? at(a.gates, t, b) : p.gates + ((s - s0) * batch + b) * p.width;
        p.rows[n] = {.gates = p.gate_rows[n],
                     .h_before = p.h_before[n],
                     .c = p.c ? p.c + b * p.H : nullptr,
                     .extra = a.extra   ? at(a.extra, t, b)
                              : p.extra ? p.extra + b * p.H
                                        : nullptr,
                     .y = at(a.y, t, b)};
        ++n;
      }
    }
  }
  p.first[steps * parts] = n;
}

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
  return p.packed_recurrent + words_of(p.bf16, p.H) * kLanes *
                                  (phase.first_gate * vectors_of(p.H) + unit_vector * phase.gates);
}

/// One thread's part in a call.
struct Team {
  int member, members;
  bool by_batch;
  Range units;
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
      pack_panel(p.bf16, a.recurrent_kernel.data(), p.width, p.H, columns,
                 panel_of(p, phase, first));
    };
    for_groups(phase, team.units, pack, team.by_batch ? team.member : 0,
               team.by_batch ? team.members : 1);
  }
}

/// `backwards`: from the last units to the first. Every other step goes so, and finds the panels
/// that the step before read last still in the cache.
template <Cell kCell, int kPhase>
void run_phase(const Args& a, const Plan& p, Range rows, Range units, bool backwards,
               float* buffer) {
  constexpr Phase kPhaseOf = phase_of(kCell, kPhase);
  const bool keep = static_cast<bool>(a.gates);
  const float* q_bias =
      kCell == Cell::kGru ? (a.bias ? a.bias.data() + p.width + 2 * p.H : p.zeros) : nullptr;
  const auto state_of = [](const ForwardRow& row) {
    return kCell == Cell::kGruResetBefore && kPhase == 1 ? row.extra : row.h_before;
  };
  // Under bf16 every member rounds all rows for itself: one part in H of the product's work.
  const Index words = words_of(p.bf16, p.H);
  float* rounded = buffer + kStepRows * kMaxVectors * kLanes;
  for (Index r = 0; p.bf16 && r < rows.size(); ++r) {
    p.bf16->round(state_of(p.rows[rows.first + r]), p.H, rounded + r * words);
  }
  for_groups(
      kPhaseOf, units,
      [&](Index first, Index count) HWY_ATTR {
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
            for (Index v = 0; v < vectors; ++v) {
              const Index gate = kPhaseOf.first_gate + v % kPhaseOf.gates;
              const Index u = (first + v / kPhaseOf.gates) * kLanes;
              const float* from =
                  kCell == Cell::kGru && gate == 2 ? q_bias : row.gates + gate * p.H;
              store(load_n(from + u, p.H - u), out[r] + v * kLanes);
            }
          }
          multiply_panel({.bf16 = p.bf16,
                          .a = in,
                          .rows = part.size(),
                          .first_k = 0,
                          .depth = p.H,
                          .panel = panel,
                          .vectors = vectors,
                          .c = out,
                          .start = Start::kAdd});
          for (Index r = 0; r < part.size(); ++r) {
            for (Index i = 0; i < count; ++i) {
              const Index u = (first + i) * kLanes;
              finish_forward<kCell, kPhase>(out[r] + i * kPhaseOf.gates * kLanes, p.H, u,
                                            std::min(kLanes, p.H - u), keep, these[r]);
            }
          }
        }
      },
      0, 1, backwards);
}

template <Cell kCell>
void run_steps(const Args& a, const Plan& p, Index steps, const Team& team, float* buffer) {
  const int parts = team.by_batch ? team.members : 1, part = team.by_batch ? team.member : 0;
  for (Index s = 0; s < steps; ++s) {
    const Range rows{p.first[s * parts + part], p.first[s * parts + part + 1]};
    run_phase<kCell, 0>(a, p, rows, team.units, s % 2 == 1, buffer);
    if constexpr (phases_of(kCell) == 2) {
      team.meet();
      run_phase<kCell, 1>(a, p, rows, team.units, s % 2 == 1, buffer);
    }
    if (s + 1 < steps) team.meet();
  }
}

void run_steps(const Args& a, const Plan& p, Index steps, const Team& team, float* buffer) {
  switch (a.cell) {
    case Cell::kLstm:
      return run_steps<Cell::kLstm>(a, p, steps, team, buffer);
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
  std::fill_n(p.zeros, p.H, 0.0f);
  std::fill_n(p.bias, p.width, 0.0f);
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
      float* hn = a.hn.data() + b * p.H;
      const float* from = length > 0 ? &a.y(time_of(length - 1, length, a.go_backwards), b, 0)
                          : a.h0     ? a.h0.data() + b * p.H
                                     : p.zeros;
      if (from != hn) std::copy_n(from, p.H, hn);
    }
    if (a.cn) std::copy_n(p.c + b * p.H, p.H, a.cn.data() + b * p.H);
    for (Index t = length; t < time; ++t) {
      std::fill_n(&a.y(t, b, 0), p.H, 0.0f);
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
    const int limit = team_limit(steps * batch * (p.I + p.H) * p.width, pool.threads());
    pool.run_team(limit, [&](int member, int members) HWY_ATTR {
      const bool by_batch = divide_batch(batch, vectors, 4 * p.H * p.width, members);
      const Team team{.member = member,
                      .members = members,
                      .by_batch = by_batch,
                      .units = by_batch ? Range{0, vectors} : part_of(vectors, member, members),
                      .barrier = barrier};
      const int parts = by_batch ? members : 1;
      float* buffer = p.buffers + member * p.buffer_floats;
      const PackedKey key{.magic = PackedKey::kMagic,
                          .version = a.weights_version,
                          .first = a.kernel.data(),
                          .second = a.recurrent_kernel.data(),
                          .extents = {p.I, p.H},
                          .kind = static_cast<int>(a.cell) * 2 + (p.packed_kernel ? 1 : 0),
                          .layout = members * 2 + (by_batch ? 1 : 0),
                          .arithmetic = bf16};
      const bool valid = (a.weights_version != 0 || s0 > 0) && *p.key == key;
      if (member == 0) list_rows(a, p, s0, steps, parts);
      if (!valid) pack_units(a, p, team);
      barrier.wait(members);
      if (member == 0) *p.key = key;
      const Index rows = p.first[steps * parts];
      if (bf16) {
        round_share(*bf16, p.x, rows, p.I, p.x_words, p.x, member, members);
        barrier.wait(members);
      }
      multiply_share({.bf16 = bf16,
                      .a = p.x,
                      .c = p.gate_rows,
                      .rows = rows,
                      .depth = p.I,
                      .columns = p.width,
                      .b = a.kernel.data(),
                      .b_stride = p.width,
                      .b_transposed = false,
                      .start = Start::kBias,
                      .bias = p.bias,
                      .packed = p.packed_kernel,
                      .packed_valid = valid},
                     member, members, buffer);
      barrier.wait(members);
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
