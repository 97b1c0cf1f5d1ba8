// A window of a recurrent layer forward.
//
// The input's part of all gates of all steps is one product. What remains in a step is
// [batch, H] x [H, G*H], made tile by tile: a tile holds all gates of some units for some
// rows, so the cell finishes them while they are at hand and no pre-activation travels further than
// the first-level cache. In inference the input's part is put where these tiles stand, by whoever
// has their units, or copied from what is known of a table's rows (known_inputs.h). A single step
// without a table makes both parts of a tile one after the other, and where units are divided its
// members meet nobody.
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
#include "kernels/native/recurrent_tiles-inl.h"
#include "kernels/native/row_norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// A row's multiply-adds take less than reading its weights from the second or third-level cache: a
// step of fewer rows than this lasts as long as one of so many.
constexpr Index kRowsOfAReading = 3;

float* panel_of(const Plan& p, const Phase& phase, Index unit_vector) {
  return p.packed_recurrent + words_of(p.bf16, p.P) * kLanes * place_of(phase, unit_vector, p.H);
}

/// Where pre-activations stand as tiles.
float* kernel_panel_at(const Plan& p, Index place) {
  return p.packed_kernel + words_of(p.bf16, p.I) * kLanes * place;
}

/// Packs this member's units; where all members read all units, every members-th panel.
void pack_units(const Args& a, const Plan& p, const Team& team) {
  for (int number = 0; number < phases_of(a.cell); ++number) {
    const Phase phase = phase_of(a.cell, number);
    for_packed_panels(team, vectors_of(p.H), phase.units, [&](Index first, Index count) HWY_ATTR {
      pack_panel(p.bf16, a.recurrent_kernel.data(), p.width, p.P,
                 gate_columns(phase, first, count, p.H), panel_of(p, phase, first));
      if (!p.tiled) return;
      const PanelColumns columns = gate_columns(phase, first, count, p.H);
      const Index place = place_of(phase, first, p.H);
      pack_panel(p.bf16, a.kernel.data(), p.width, p.I, columns, kernel_panel_at(p, place));
      place_bias(a, p.H, columns, place, p.bias);
    });
  }
}

/// The input's part of some rows of tiles. `x`: of all inputs, rounded under bf16.
void multiply_inputs(const Plan& p, const float* const* x, Range rows, Index vectors, Index place) {
  multiply_panel({.bf16 = p.bf16,
                  .a = x + rows.first,
                  .rows = rows.size(),
                  .depth = p.I,
                  .panel = kernel_panel_at(p, place),
                  .vectors = vectors,
                  .c = p.input_to + rows.first,
                  .start = Start::kBias,
                  .first_column = place * kLanes,
                  .bias = p.bias});
}

/// How one step is done.
struct Step {
  Range rows;
  /// From the last units to the first. Every other step goes so, across calls too, and finds the
  /// panels that the step before read last still in the cache.
  bool backwards;
  const float* const* x;  // where the input's part is yet to come: the inputs of all rows
};

/// The product of a phase for some rows and units, tile by tile: from what the input gave, or with
/// `raw` from zero, and finish(row, tile, unit) takes each vector of units.
template <Cell kCell, int kPhase, class Finish>
void run_phase(const Args& a, const Plan& p, const Step& step, const Team& team, bool raw,
               float* buffer, const Finish& finish) {
  const Range rows = step.rows;
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
  const auto work = [&](Index first, Index count, Range next) HWY_ATTR {
    const Index vectors = count * kPhaseOf.gates;
    const float* panel = panel_of(p, kPhaseOf, first);
    const Index place = place_of(kPhaseOf, first, p.H);
    const Index chunks = parts_of(rows.size(), kStepRows);
    for (Index chunk = 0; chunk < chunks; ++chunk) {
      const Range part = part_of(rows.size(), chunk, chunks);
      const ForwardRow* these = p.rows + rows.first + part.first;
      float* out[kStepRows];
      const float* in[kStepRows];
      if (step.x) {
        const Range all{rows.first + part.first, rows.first + part.last};
        multiply_inputs(p, step.x, all, vectors, place);
      }
      for (Index r = 0; r < part.size(); ++r) {
        const ForwardRow& row = these[r];
        in[r] = p.bf16 ? rounded + (part.first + r) * words : state_of(row);
        if (p.tiled) {
          out[r] = p.input_rows[rows.first + part.first + r] + place * kLanes;
          if constexpr (kCell == Cell::kGru) {
            // n keeps the input's part apart.
            const Index u = first * kLanes;
            store_n(load(out[r] + 2 * kLanes), row.gates + 2 * p.H + u, p.H - u);
            store(load_n(q_bias + u, p.H - u), out[r] + 2 * kLanes);
          }
          continue;
        }
        out[r] = buffer + r * vectors * kLanes;
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
                      .depth = p.P,
                      .panel = panel,
                      .vectors = vectors,
                      .c = out,
                      .start = raw ? Start::kZero : Start::kAdd,
                      .next = chunk + 1 == chunks ? panel_of(p, kPhaseOf, next.first) : nullptr,
                      .next_vectors = next.size() * kPhaseOf.gates});
      for (Index r = 0; r < part.size(); ++r) {
        for (Index i = 0; i < count; ++i) {
          finish(these[r], out[r] + i * kPhaseOf.gates * kLanes, (first + i) * kLanes);
        }
      }
    }
  };
  for_panels(team, vectors_of(p.H), kPhaseOf.units, work, step.backwards);
}

/// A phase whose tiles the cell finishes.
template <Cell kCell, int kPhase>
void run_fused(const Args& a, const Plan& p, const Step& step, const Team& team, float* buffer) {
  run_phase<kCell, kPhase>(a, p, step, team, false, buffer,
                           [&](const ForwardRow& row, const float* tile, Index u) HWY_ATTR {
                             finish_forward<kCell, kPhase>(tile, p.tail, u,
                                                           std::min(kLanes, p.H - u), row);
                           });
}

/// Layer norm, stage "product".
template <Cell kCell>
void run_product(const Args& a, const Plan& p, const Step& step, const Team& team, float* buffer) {
  run_phase<kCell, 0>(a, p, step, team, true, buffer,
                      [&](const ForwardRow& row, const float* tile, Index u) HWY_ATTR {
                        for (Index gate = 0; gate < gates_of(kCell); ++gate) {
                          store_n(load(tile + gate * kLanes), row.product + gate * p.H + u,
                                  p.H - u);
                        }
                      });
}

/// All members have the moments of a row; who has its first units keeps what backward wants.
void keep_deviation(const ForwardRow& row, Index which, const RowMoments& moments, Range units) {
  if (!row.inverse_deviation || units.first != 0 || units.size() == 0) return;
  row.inverse_deviation[which] = moments.inverse_deviation;
}

/// Layer norm, stage "gates". Every member makes the moments of all its rows for itself.
template <Cell kCell>
void run_gates(const Args& a, const Plan& p, Range rows, Range units) {
  const float* q_bias = a.bias ? a.bias.data() + p.width + 2 * p.H : p.zeros;  // GRU alone
  for (Index r = rows.first; r < rows.last; ++r) {
    const ForwardRow& row = p.rows[r];
    const RowMoments moments = moments_of(row.product, p.width, a.options.epsilon);
    keep_deviation(row, 1, moments, units);
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
    keep_deviation(row, 2, moments, units);
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

/// Stage "project".
void run_projection(const Plan& p, Range rows, const Team& team, float* buffer) {
  for_panels(team, vectors_of(p.P), kMaxVectors, [&](Index first, Index vectors) HWY_ATTR {
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
  for_packed_panels(team, vectors_of(p.P), kMaxVectors, [&](Index first, Index vectors) HWY_ATTR {
    pack_panel(nullptr, a.options.projection.data(), p.P, p.H, plain_columns(first, vectors, p.P),
               p.packed_projection + p.H * kLanes * first);
  });
}

/// `turn`: of the first step. `x`: where the input's part is yet to come, which is one step's.
template <Cell kCell>
void run_steps(const Args& a, const Plan& p, Index steps, Index turn, const float* const* x,
               const Team& team, float* buffer) {
  for (Index s = 0; s < steps; ++s) {
    const Index* first = p.first + s * p.parts;
    const Range rows = team.by_batch ? Range{first[team.member], first[team.member + 1]}
                                     : Range{first[0], first[p.parts]};
    const Step step{rows, ((turn + s) & 1) != 0, x};
    if (phases_of(kCell) == 1 && p.tail.kernel_gamma) {
      run_product<kCell>(a, p, step, team, buffer);
      team.meet();
      run_gates<kCell>(a, p, rows, team.units);
      if constexpr (is_lstm(kCell)) {
        team.meet();
        run_output<kCell>(a, p, rows, team.units);
      }
    } else {
      run_fused<kCell, 0>(a, p, step, team, buffer);
    }
    if constexpr (phases_of(kCell) == 2) {
      team.meet();
      run_fused<kCell, 1>(a, p, step, team, buffer);
    }
    if (p.packed_projection) {
      team.meet();
      run_projection(p, rows, team, buffer);
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
    keep_deviation(p.rows[r], 0, moments, {0, 1});
    for_vectors(p.width, [&](Index i, Index n) HWY_ATTR {
      const FloatVec normal = normal_of(load_n(x + i, n), moments);
      if (keeps) store_n(normal, x + i, n);
      store_n(hn::MulAdd(load_n(p.tail.kernel_gamma + i, n), normal, load_n(p.bias + i, n)),
              gates + i, n);
    });
  }
}

void start_state(const Args& a, const Plan& p) {
  std::fill_n(p.zeros, std::max(p.H, p.P), 0.0f);
  if (p.constant_h) std::fill_n(p.constant_h, p.P, a.options.zoneout_h_rate);
  if (p.constant_c) std::fill_n(p.constant_c, p.H, a.options.zoneout_c_rate);
  const auto& mask = a.options.recurrent_mask;
  for (Index i = 0; mask && i < mask.size(); ++i) p.masked[i] = a.h0 ? mask[i] * a.h0[i] : 0.0f;
  if (!p.tiled) {
    copy_or_zero(a.bias ? View<const float>(a.bias.data(), {p.width}) : View<const float>(), p.bias,
                 p.width);
    // r and z see the state's bias too; n keeps the state's part apart.
    const bool both = a.bias && a.cell == Cell::kGru;
    for (Index u = 0; both && u < 2 * p.H; ++u) p.bias[u] += a.bias[p.width + u];
  }
  if (p.c) copy_or_zero(a.c0, p.c, a.x.extent(1) * p.H);
}

}  // namespace

std::size_t recurrent_forward_scratch(const Args& a, const Bf16Arithmetic* bf16, int threads) {
  Scratch scratch;
  lay_out(a, bf16, threads, scratch);
  return scratch.bytes();
}

void recurrent_forward(const Args& a, const Bf16Arithmetic* bf16, ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  Plan p = lay_out(a, bf16, pool.threads(), scratch);
  const Index time = a.x.extent(0), batch = a.x.extent(1), vectors = vectors_of(p.H);
  const Index all_steps = longest(a.lengths, time);
  start_state(a, p);
  if (all_steps == 0) *p.key = {};  // no chunk below says whose memory this is now
  SpinBarrier barrier;
  for (Index s0 = 0; s0 < all_steps; s0 += p.steps) {
    const Index steps = std::min(p.steps, all_steps - s0);
    const Index rows_worth = std::max(batch, kRowsOfAReading);
    const int limit = pool.threads_for(steps * rows_worth * (p.I + p.P) * p.width);
    const bool by_batch = divide_batch(batch, vectors, p.P * p.width, p.bf16 ? 2 : 4, limit);
    p.parts = by_batch ? limit : 1;
    // Training has new weights in every call.
    const int panel_parts = !a.gates ? pool.threads() : by_batch ? 1 : limit;
    const PackedKey key{.magic = PackedKey::kMagic,
                        .version = a.weights_version,
                        .first = a.kernel.data(),
                        .second = a.recurrent_kernel.data(),
                        .extents = {p.I, p.P},
                        .kind = static_cast<int>(a.cell) * 8 + (p.packed_kernel ? 1 : 0) +
                                (p.packed_projection ? 2 : 0) + (p.tiled ? 4 : 0),
                        .layout = panel_parts,
                        .arithmetic = bf16,
                        .table = p.known ? a.table.data() : nullptr,
                        .table_rows = p.known ? a.table.extent(0) : 0};
    const bool valid = (a.weights_version != 0 || s0 > 0) && *p.key == key;
    if (!valid) p.known.forget();
    list_rows(a, p, s0, steps);
    const Index rows = p.first[steps * p.parts];
    const bool at_once = p.tiled && steps == 1 && !p.known;
    const Index turn = valid ? *p.turn & 1 : 0;
    *p.key = key;
    *p.turn = (turn + steps) & 1;
    pool.run_team(limit, [&](int member, int members) HWY_ATTR {
      const Team team =
          team_of(by_batch && members > 1, panel_parts, p.H, member, members, barrier);
      float* buffer = p.buffers + member * p.buffer_floats;
      if (!valid) {
        pack_units(a, p, team);
        if (p.packed_projection) pack_projection(a, p, team);
        if (team.by_batch) barrier.wait(members);
      }
      const float* const* x = p.x;
      const float* own[kRowsToRoundAlone];
      if (bf16 && at_once && rows <= kRowsToRoundAlone) {
        std::copy_n(p.x, rows, own);
        round_share(*bf16, own, rows, p.I,
                    p.x_words + member * kRowsToRoundAlone * words_of(bf16, p.I), own, 0, 1);
        x = own;
      } else if (bf16 && p.inputs > 0) {
        round_share(*bf16, p.x, p.inputs, p.I, p.x_words, p.x, member, members);
        barrier.wait(members);
      }
      if (!p.tiled) {
        multiply_share(
            {.bf16 = bf16,
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
             .packed_valid = valid,
             .packed_panels = panels_of(vectors_of(p.width), kMaxVectors, pool.threads())},
            member, members, buffer);
        barrier.wait(members);
      } else if (!at_once) {
        const Team by_units = team_of(false, panel_parts, p.H, member, members, barrier);
        for_all_panels(a.cell, p.H, by_units,
                       [&](const PanelColumns& columns, Index place) HWY_ATTR {
                         multiply_inputs(p, x, {0, p.inputs}, columns.vectors, place);
                         if (!p.known) return;
                         copy_known(p.known_rows, p.input_rows, rows, place * kLanes,
                                    columns.vectors * kLanes);
                       });
        if (team.by_batch) barrier.wait(members);
      }
      if (p.tail.kernel_gamma) {
        normalise_inputs(a, p, rows, member, members);
        barrier.wait(members);
      }
      with_cell(a.cell, [&](auto cell) HWY_ATTR {
        run_steps<cell.value>(a, p, steps, turn, at_once ? x : nullptr, team,
                              buffer + product_buffer_floats());
      });
    });
  }
  finish_states(a, p.c, p.zeros);
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
