// A window of a recurrent layer in int8: inference only.
//
// Units are divided over threads, so that each keeps its slice of the weights, a quarter of what
// fp32 takes, in its own cache. Pre-activations stand as the tiles that the cell finishes: the
// input's part of a chunk of steps is put there first, computed or copied from what is known of a
// table's rows, and a step adds the state's part in place.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/int8_recurrent.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/int8-inl.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/known_inputs.h"
#include "kernels/native/recurrent_tiles-inl.h"
#include "kernels/native/rows.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

using Args = RecurrentForward<float>;

// Rows of a chunk of steps, so that memory does not grow with the length of a text.
constexpr Index kChunkRows = 512;
// From so many rows on, threads quantize a step's states together and meet once more; below, each
// quantizes all of them for itself.
constexpr Index kRowsToShare = 8;

struct Plan {
  Int8TileFunction tile;
  Tail tail;
  Index I, H, width, tile_floats, steps;
  PackedKey* key;
  std::byte *kernel, *recurrent;
  float *bias, *q_bias, *zeros, *c, *gates, *extra, *tiles;
  KnownInputs known;
  // The rows that W multiplies: all valid ones of the chunk but those whose product is known.
  Index inputs;
  const float** x;
  float** input_to;  // where x W goes: row_tiles, or a place among what is known
  // The valid rows of the chunk, by step.
  const float** known_rows;  // what to copy, or null
  float** row_tiles;
  ForwardRow* rows;
  Index* first;  // row that a step begins with; one entry more at the end
  std::uint8_t* x_values;
  Int8Row* x_rows;
  std::uint8_t* h_values;  // of each thread
  Int8Row* h_rows;
};

Plan lay_out(const Args& a, int threads, Scratch& scratch) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  Plan p{};
  p.I = a.x.extent(2);
  p.H = a.y.extent(2);
  p.width = gates_of(a.cell) * p.H;
  p.tail.H = p.H;
  p.tail.peephole = a.options.peephole.data();
  p.tile_floats = gates_of(a.cell) * vectors_of(p.H) * kLanes;
  p.steps = std::min(time, std::max<Index>(1, kChunkRows / std::max<Index>(1, batch)));
  const Index rows = p.steps * batch;
  p.key = scratch.take<PackedKey>(1);
  p.kernel = scratch.take<std::byte>(int8_packed_bytes(p.I, p.H) * gates_of(a.cell));
  p.recurrent = scratch.take<std::byte>(int8_packed_bytes(p.H, p.H) * gates_of(a.cell));
  p.known = KnownInputs(a, p.tile_floats, scratch);
  p.bias = scratch.take<float>(p.tile_floats);
  p.q_bias = scratch.take<float>(vectors_of(p.H) * kLanes);
  p.zeros = scratch.take<float>(p.H);
  p.c = scratch.take<float>(batch * p.H);
  p.gates = scratch.take<float>(batch * p.width);
  p.extra = scratch.take<float>(batch * p.H);
  p.tiles = scratch.take<float>(rows * p.tile_floats);
  p.x = scratch.take<const float*>(rows);
  p.row_tiles = scratch.take<float*>(rows);
  p.input_to = p.known ? scratch.take<float*>(rows) : p.row_tiles;
  if (p.known) p.known_rows = scratch.take<const float*>(rows);
  p.rows = scratch.take<ForwardRow>(rows);
  p.first = scratch.take<Index>(p.steps + 1);
  p.x_values = scratch.take<std::uint8_t>(rows * int8_row_bytes(p.I));
  p.x_rows = scratch.take<Int8Row>(rows);
  p.h_values = scratch.take<std::uint8_t>(threads * batch * int8_row_bytes(p.H));
  p.h_rows = scratch.take<Int8Row>(threads * batch);
  return p;
}

void list_rows(const Args& a, Plan& p, Index s0, Index steps) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  Index n = 0;
  p.inputs = 0;
  for (Index s = s0; s < s0 + steps; ++s) {
    p.first[s - s0] = n;
    for (Index b = 0; b < batch; ++b) {
      const Index length = length_of(a.lengths, b, time);
      if (s >= length) continue;
      const auto row = [&](Index step) {
        return time_of(step, length, a.go_backwards) * batch + b;
      };
      p.row_tiles[n] = p.tiles + n * p.tile_floats;
      const KnownInputs::Place known = p.known.find(row(s));
      if (known.fresh) {
        p.x[p.inputs] = a.x.data() + row(s) * p.I;
        p.input_to[p.inputs++] = known.row ? known.row : p.row_tiles[n];
      }
      if (p.known) p.known_rows[n] = known.row;
      ForwardRow made{};
      made.gates = p.gates + b * p.width;
      made.h_before = s > 0  ? a.y.data() + row(s - 1) * p.H
                      : a.h0 ? a.h0.data() + b * p.H
                             : p.zeros;
      made.h_in = made.h_before;
      made.c = p.c + b * p.H;
      made.extra = p.extra + b * p.H;
      made.y = a.y.data() + row(s) * p.H;
      p.rows[n] = made;
      ++n;
    }
  }
  p.first[steps] = n;
}

void pack(const Args& a, const Plan& p, const Team& team) {
  for_all_panels(a.cell, p.H, team, [&](const PanelColumns& columns, Index place) {
    pack_int8_panel(a.kernel.data(), p.width, false, p.I, columns,
                    p.kernel + place * int8_vector_bytes(p.I));
    pack_int8_panel(a.recurrent_kernel.data(), p.width, false, p.H, columns,
                    p.recurrent + place * int8_vector_bytes(p.H));
  });
}

/// Biases in the order of tiles.
void place_biases(const Args& a, const Plan& p, const Team& team) {
  for_all_panels(a.cell, p.H, team, [&](const PanelColumns& columns, Index place) HWY_ATTR {
    place_bias(a, p.H, columns, place, p.bias);
  });
  for (Index u = team.units.first * kLanes; u < team.units.last * kLanes; ++u) {
    const bool has = a.cell == Cell::kGru && a.bias && u < p.H;
    p.q_bias[u] = has ? a.bias.data()[p.width + 2 * p.H + u] : 0.0f;
  }
}

/// The input's part of all steps, computed or copied, for the units of this member's panels.
void multiply_inputs(const Args& a, const Plan& p, Index rows, const Team& team) {
  for_all_panels(a.cell, p.H, team, [&](const PanelColumns& columns, Index place) HWY_ATTR {
    multiply_int8({.tile = p.tile,
                   .a = {p.x_rows, static_cast<std::size_t>(p.inputs)},
                   .depth = p.I,
                   .panel = p.kernel + place * int8_vector_bytes(p.I),
                   .vectors = columns.vectors,
                   .c = p.input_to,
                   .first_column = place * kLanes,
                   .lanes = kLanes,
                   .bias = p.bias});
    if (!p.known) return;
    copy_known(p.known_rows, p.row_tiles, rows, place * kLanes, columns.vectors * kLanes);
  });
}

/// What this phase multiplies the recurrent weights by, quantized.
template <Cell kCell, int kPhase>
std::span<const Int8Row> quantize_states(const Plan& p, Range rows, Index batch, const Team& team) {
  const bool shared = team.members > 1 && rows.size() >= kRowsToShare;
  const Index place = shared ? 0 : team.member * batch;
  const Range mine =
      shared ? part_of(rows.size(), team.member, team.members) : Range{0, rows.size()};
  for (Index r = mine.first; r < mine.last; ++r) {
    const ForwardRow& row = p.rows[rows.first + r];
    const bool reset = kCell == Cell::kGruResetBefore && kPhase == 1;
    p.h_rows[place + r] = quantize_row(reset ? row.extra : row.h_in, p.H,
                                       p.h_values + (place + r) * int8_row_bytes(p.H));
  }
  if (shared) team.meet();
  return {p.h_rows + place, static_cast<std::size_t>(rows.size())};
}

template <Cell kCell, int kPhase>
void run_phase(const Plan& p, Range rows, Index batch, bool backwards, const Team& team) {
  constexpr Phase kPhaseOf = phase_of(kCell, kPhase);
  const std::span<const Int8Row> states = quantize_states<kCell, kPhase>(p, rows, batch, team);
  const auto work = [&](Index first, Index count) HWY_ATTR {
    const Index place = place_of(kPhaseOf, first, p.H);
    if constexpr (kCell == Cell::kGru) {
      const Index u = first * kLanes;
      for (Index r = rows.first; r < rows.last; ++r) {
        float* candidate = p.row_tiles[r] + (place + 2) * kLanes;
        store_n(load(candidate), p.rows[r].gates + 2 * p.H + u, p.H - u);
        store(load(p.q_bias + u), candidate);
      }
    }
    multiply_int8({.tile = p.tile,
                   .a = states,
                   .depth = p.H,
                   .panel = p.recurrent + place * int8_vector_bytes(p.H),
                   .vectors = count * kPhaseOf.gates,
                   .c = p.row_tiles + rows.first,
                   .first_column = place * kLanes,
                   .lanes = kLanes,
                   .bias = nullptr});
    for (Index r = rows.first; r < rows.last; ++r) {
      for (Index i = 0; i < count; ++i) {
        const Index u = (first + i) * kLanes;
        finish_forward<kCell, kPhase>(p.row_tiles[r] + (place + i * kPhaseOf.gates) * kLanes,
                                      p.tail, u, std::min(kLanes, p.H - u), p.rows[r]);
      }
    }
  };
  for_panels(team, vectors_of(p.H), kPhaseOf.units, work, backwards);
}

template <Cell kCell>
void run_steps(const Plan& p, Index steps, Index batch, const Team& team) {
  for (Index s = 0; s < steps; ++s) {
    const Range rows{p.first[s], p.first[s + 1]};
    run_phase<kCell, 0>(p, rows, batch, s % 2 == 1, team);
    if constexpr (phases_of(kCell) == 2) {
      team.meet();
      run_phase<kCell, 1>(p, rows, batch, s % 2 == 1, team);
    }
    if (s + 1 < steps) team.meet();
  }
}

}  // namespace

std::size_t recurrent_forward_int8_scratch(const Args& a, int threads) {
  Scratch scratch;
  lay_out(a, threads, scratch);
  return scratch.bytes();
}

void recurrent_forward_int8(const Args& a, Int8TileFunction tile, ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  Plan p = lay_out(a, pool.threads(), scratch);
  p.tile = tile;
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  const Index all_steps = longest(a.lengths, time);
  std::fill_n(p.zeros, p.H, 0.0f);
  copy_or_zero(a.c0, p.c, batch * p.H);
  if (all_steps == 0) *p.key = {};  // no chunk below says whose memory this is now
  SpinBarrier barrier;
  for (Index s0 = 0; s0 < all_steps; s0 += p.steps) {
    const Index steps = std::min(p.steps, all_steps - s0);
    const PackedKey key{.magic = PackedKey::kMagic,
                        .version = a.weights_version,
                        .first = a.kernel.data(),
                        .second = a.recurrent_kernel.data(),
                        .extents = {p.I, p.H},
                        .kind = 300 + static_cast<int>(a.cell),
                        .layout = pool.threads(),
                        .arithmetic = nullptr,
                        .table = p.known ? a.table.data() : nullptr,
                        .table_rows = p.known ? a.table.extent(0) : 0};
    const bool valid = (a.weights_version != 0 || s0 > 0) && *p.key == key;
    if (!valid) p.known.forget();
    *p.key = key;
    list_rows(a, p, s0, steps);
    const Index rows = p.first[steps];
    const int limit = pool.threads_for(rows * (p.I + p.H) * p.width / 4);
    pool.run_team(limit, [&](int member, int members) HWY_ATTR {
      const Team team = team_of(false, pool.threads(), p.H, member, members, barrier);
      if (!valid) {
        pack(a, p, team);
        place_biases(a, p, team);
      }
      const Range mine = part_of(p.inputs, member, members);
      for (Index r = mine.first; r < mine.last; ++r) {
        p.x_rows[r] = quantize_row(p.x[r], p.I, p.x_values + r * int8_row_bytes(p.I));
      }
      if (!valid || p.inputs > 0) barrier.wait(members);
      multiply_inputs(a, p, rows, team);
      with_cell(a.cell, [&](auto cell) HWY_ATTR { run_steps<cell.value>(p, steps, batch, team); });
    });
  }
  finish_states(a, p.c, p.zeros);
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(recurrent_forward_int8);
HWY_EXPORT(recurrent_forward_int8_scratch);

void fill_int8_recurrent(KernelTable& table, int target) {
  table.recurrent_forward_int8 = HWY_DISPATCH_TABLE(recurrent_forward_int8)[target];
  table.recurrent_forward_int8_scratch = HWY_DISPATCH_TABLE(recurrent_forward_int8_scratch)[target];
}
}  // namespace rnn::native
#endif
