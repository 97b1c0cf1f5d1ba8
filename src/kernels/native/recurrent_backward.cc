// The gradient of a window of a recurrent layer.
//
// Only the gradient of the state is sequential. A step is the product [batch, G*H] x [G*H, H] that
// brings it from the step after, finished tile by tile by the cell's element-wise gradient. The
// gradients of the weights and of the input are products as deep as the window, made once at its
// end and divided over their outputs.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/recurrent_backward.cc"
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

using Args = RecurrentBackward<float>;

/// Everything a call keeps in scratch.
struct Plan {
  const Bf16Arithmetic* bf16;
  Index I, H, width, steps;
  PackedKey* key;
  float *packed, *zeros, *dh, *dc;
  // For each row, in the order of steps; the first ones belong to no step but stand for what comes
  // before the first, where dh0 is made.
  BackwardRow* rows;
  const float** gates_after;  // gradients of the step after; what the recurrent product reads
  const float** extra_after;
  Index* sequence;
  Index* first;  // [((step + 1) * parts + part) * 2 + ends]; one entry more at the end
  // The valid rows by time, then by sequence: the order in which the weights' gradients are summed
  // may not depend on how the steps were divided.
  const float** x;
  const float** h_before;
  const float** gates;
  const float** extra;
  float** dx;
  float* gate_words;  // under bf16, where dx is wanted: rows of `gates`, rounded
  const float** rounded_gates;
  float* buffers;
  Index buffer_floats;
};

Plan lay_out(const Args& a, const Bf16Arithmetic* bf16, int threads, Scratch& scratch) {
  const Index time = a.x.extent(0), batch = a.x.extent(1), rows = (time + 1) * batch;
  Plan p{};
  p.bf16 = bf16;
  p.I = a.x.extent(2);
  p.H = a.y.extent(2);
  p.width = gates_of(a.cell) * p.H;
  p.key = scratch.take<PackedKey>(1);
  p.packed = scratch.take<float>(packed_floats(bf16, p.width, p.H));
  p.zeros = scratch.take<float>(p.H);
  p.dh = scratch.take<float>(batch * p.H);
  p.dc = scratch.take<float>(batch * p.H);
  p.rows = scratch.take<BackwardRow>(rows);
  p.gates_after = scratch.take<const float*>(rows);
  p.extra_after = scratch.take<const float*>(rows);
  p.x = scratch.take<const float*>(rows);
  p.h_before = scratch.take<const float*>(rows);
  p.gates = scratch.take<const float*>(rows);
  p.extra = scratch.take<const float*>(rows);
  p.dx = scratch.take<float*>(rows);
  if (bf16 && a.dx) {
    p.gate_words = scratch.take<float>(time * batch * words_of(bf16, p.width));
    p.rounded_gates = scratch.take<const float*>(rows);
  }
  p.sequence = scratch.take<Index>(rows);
  p.first = scratch.take<Index>((time + 1) * threads * 2 + 1);
  const Index step_floats =
      kStepRows * kMaxVectors * kLanes + (bf16 ? batch * words_of(bf16, p.width) : 0);
  p.buffer_floats = std::max(step_floats, std::max(product_buffer_floats(), outer_buffer_floats()));
  p.buffers = scratch.take<float>(p.buffer_floats * threads);
  return p;
}

template <class T>
T* at(const View<T>& view, Index t, Index b) {
  return view ? view.data() + (t * view.extent(1) + b) * view.extent(2) : nullptr;
}

/// What stands at time t, and the state it came from.
BackwardRow row_at(const Args& a, const Plan& p, Index t, Index b) {
  const Index length = length_of(a.lengths, b, a.x.extent(0));
  const bool starts = t == time_of(0, length, a.go_backwards);
  const Index before = a.go_backwards ? t + 1 : t - 1;
  const auto state = [&](const View<const float>& s) { return s ? s.data() + b * p.H : p.zeros; };
  return {.gates = at(a.gates, t, b),
          .h_before = starts ? state(a.h0) : at(a.y, before, b),
          .c_before = starts ? state(a.c0) : at(a.extra, before, b),
          .extra = at(a.extra, t, b),
          .y = at(a.y, t, b),
          .dy = at(a.dy, t, b),
          .dh = p.dh + b * p.H,
          .dc = p.dc + b * p.H};
}

/// Lists the valid rows by time; returns how many there are.
Index list_window(const Args& a, const Plan& p) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  Index n = 0;
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      if (t >= length_of(a.lengths, b, time)) continue;
      const BackwardRow row = row_at(a, p, t, b);
      p.x[n] = at(a.x, t, b);
      p.dx[n] = at(a.dx, t, b);
      p.gates[n] = row.gates;
      p.extra[n] = row.extra;
      p.h_before[n] = row.h_before;
      ++n;
    }
  }
  return n;
}

/// Lists the rows by step, then by part of the batch, then those that go on before those that end
/// with this step, to which no later step brings a gradient.
void list_rows(const Args& a, const Plan& p, Index steps, int parts) {
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  const BatchParts division(a.lengths, time, batch, parts);
  Index n = 0, entry = 0;
  for (Index s = -1; s < steps; ++s) {
    for (int part = 0; part < parts; ++part) {
      const Index begin = division.first(part), end = division.first(part + 1);
      for (const bool ends : {false, true}) {
        p.first[entry++] = n;
        for (Index b = begin; b < end; ++b) {
          const Index length = length_of(a.lengths, b, time);
          if (s >= length || (s == length - 1) != ends) continue;
          if (!ends) {
            const Index after = time_of(s + 1, length, a.go_backwards);
            p.gates_after[n] = at(a.gates, after, b);
            p.extra_after[n] = at(a.extra, after, b);
          }
          p.sequence[n] = b;
          if (s >= 0) p.rows[n] = row_at(a, p, time_of(s, length, a.go_backwards), b);
          ++n;
        }
      }
    }
  }
  p.first[entry] = n;
}

/// One thread's part in a call.
struct Team {
  int member, members;
  bool by_batch;
  Range units;
  SpinBarrier& barrier;
  void meet() const {
    if (!by_batch) barrier.wait(members);
  }
};

float* panel_of(const Plan& p, Index unit_vector) {
  return p.packed + words_of(p.bf16, p.width) * kLanes * unit_vector;
}

template <class Work>
void for_groups(Range units, const Work& work, Index begin = 0, Index stride = 1) {
  const Index groups = parts_of(units.size(), kMaxVectors);
  for (Index group = begin; group < groups; group += stride) {
    const Range part = part_of(units.size(), group, groups);
    work(units.first + part.first, part.size());
  }
}

/// The recurrent kernel transposed, in panels of units.
void pack_units(const Args& a, const Plan& p, const Team& team) {
  for_groups(
      team.units,
      [&](Index first, Index count) HWY_ATTR {
        pack_panel_transposed(p.bf16, a.recurrent_kernel.data(), p.width, p.width,
                              plain_columns(first, count, p.H), panel_of(p, first));
      },
      team.by_batch ? team.member : 0, team.by_batch ? team.members : 1);
}

/// What a step works with. Under bf16 every member rounds all rows that its products read.
struct StepBuffer {
  float* out[kStepRows];
  float* words;  // of row r at words + r * words_of(bf16, width)
};

/// Rounds what the recurrent product of rows [rows.first, rows.last) reads.
template <Cell kCell>
void round_after(const Plan& p, Range rows, const StepBuffer& buffer) {
  if (!p.bf16) return;
  const Index depth = gates_of(kCell) == 3 ? 2 * p.H : p.width;
  for (Index r = 0; r < rows.size(); ++r) {
    float* to = buffer.words + r * words_of(p.bf16, p.width);
    p.bf16->round(p.gates_after[rows.first + r], depth, to);
    if (kCell == Cell::kGru) p.bf16->round(p.extra_after[rows.first + r], p.H, to + p.H);
  }
}

/// out[r] = dh that the step after sends, for up to kStepRows rows that go on, from row r0 on; the
/// rounded rows begin with row `rounded_first`.
template <Cell kCell>
void receive(const Plan& p, Index rounded_first, Index r0, Index rows, Index first, Index count,
             const StepBuffer& buffer) {
  float* const* out = buffer.out;
  const bool adds = gates_of(kCell) == 3;
  for (Index r = 0; adds && r < rows; ++r) {
    for (Index v = 0; v < count; ++v) {
      const Index u = (first + v) * kLanes;
      store(load_n(p.dh + p.sequence[r0 + r] * p.H + u, p.H - u), out[r] + v * kLanes);
    }
  }
  const Index depth = kCell == Cell::kLstm ? 4 * p.H : adds ? 2 * p.H : p.H;
  const auto multiply_by = [&](const float* const* a, Index k0, Index size) HWY_ATTR {
    const float* rounded[kStepRows];
    for (Index r = 0; p.bf16 && r < rows; ++r) {
      rounded[r] = buffer.words + (r0 + r - rounded_first) * words_of(p.bf16, p.width) +
                   words_of(p.bf16, k0);
    }
    multiply_panel({.bf16 = p.bf16,
                    .a = p.bf16 ? rounded : a + r0,
                    .rows = rows,
                    .first_k = 0,
                    .depth = size,
                    .panel = panel_of(p, first) + words_of(p.bf16, k0) * count * kLanes,
                    .vectors = count,
                    .c = out,
                    .start = adds ? Start::kAdd : Start::kZero});
  };
  multiply_by(p.gates_after, 0, depth);
  if (kCell == Cell::kGru) multiply_by(p.extra_after, 2 * p.H, p.H);
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

/// Finishes what stands in `out` for rows from r0 on.
template <Cell kCell, int kPhase>
void finish_rows(const Plan& p, Index r0, Index rows, Index first, Index count, float* const* out) {
  for (Index r = 0; r < rows; ++r) {
    for (Index v = 0; v < count; ++v) {
      const Index u = (first + v) * kLanes;
      finish_backward<kCell, kPhase>(load(out[r] + v * kLanes), p.H, u, std::min(kLanes, p.H - u),
                                     p.rows[r0 + r]);
    }
  }
}

/// A step for rows [rows.first, rows.last), of which those before `ending` go on.
template <Cell kCell>
void run_step(const Plan& p, Range rows, Index ending, Range units, const StepBuffer& buffer) {
  round_after<kCell>(p, {rows.first, ending}, buffer);
  for_groups(units, [&](Index first, Index count) HWY_ATTR {
    for_stretches({rows.first, ending}, [&](Index r0, Index size) HWY_ATTR {
      receive<kCell>(p, rows.first, r0, size, first, count, buffer);
      finish_rows<kCell, 0>(p, r0, size, first, count, buffer.out);
    });
    for (Index r = ending; r < rows.last; ++r) {
      for (Index v = 0; v < count; ++v) {
        const Index u = (first + v) * kLanes, n = std::min(kLanes, p.H - u);
        finish_backward<kCell, 0>(load_n(p.rows[r].dh + u, n), p.H, u, n, p.rows[r]);
      }
    }
  });
}

/// GRU with reset before: the gradient of r * h' is a product of its own.
void run_candidate(const Plan& p, Range rows, Range units, const StepBuffer& buffer) {
  const Index words = words_of(p.bf16, p.H);
  for (Index r = 0; p.bf16 && r < rows.size(); ++r) {
    p.bf16->round(p.rows[rows.first + r].gates + 2 * p.H, p.H, buffer.words + r * words);
  }
  for_groups(units, [&](Index first, Index count) HWY_ATTR {
    for_stretches(rows, [&](Index r0, Index size) HWY_ATTR {
      const float* in[kStepRows];
      for (Index r = 0; r < size; ++r) {
        in[r] =
            p.bf16 ? buffer.words + (r0 + r - rows.first) * words : p.rows[r0 + r].gates + 2 * p.H;
      }
      multiply_panel({.bf16 = p.bf16,
                      .a = in,
                      .rows = size,
                      .first_k = 0,
                      .depth = p.H,
                      .panel = panel_of(p, first) + words_of(p.bf16, 2 * p.H) * count * kLanes,
                      .vectors = count,
                      .c = buffer.out,
                      .start = Start::kZero});
      finish_rows<Cell::kGruResetBefore, 1>(p, r0, size, first, count, buffer.out);
    });
  });
}

template <Cell kCell>
void run_steps(const Args& a, const Plan& p, Index steps, const Team& team, float* memory) {
  StepBuffer buffer;
  for (Index r = 0; r < kStepRows; ++r) buffer.out[r] = memory + r * kMaxVectors * kLanes;
  buffer.words = memory + kStepRows * kMaxVectors * kLanes;
  const int parts = team.by_batch ? team.members : 1, part = team.by_batch ? team.member : 0;
  for (Index s = steps - 1; s >= 0; --s) {
    const Index* first = p.first + ((s + 1) * parts + part) * 2;
    const Range rows{first[0], first[2]};
    run_step<kCell>(p, rows, first[1], team.units, buffer);
    team.meet();
    if constexpr (kCell == Cell::kGruResetBefore) {
      run_candidate(p, rows, team.units, buffer);
      team.meet();
    }
  }
  if (!a.dh0) return;
  const Range rows{p.first[part * 2], p.first[part * 2 + 1]};
  round_after<kCell>(p, rows, buffer);
  for_groups(team.units, [&](Index first, Index count) HWY_ATTR {
    for_stretches(rows, [&](Index r0, Index size) HWY_ATTR {
      receive<kCell>(p, rows.first, r0, size, first, count, buffer);
      for (Index r = 0; r < size; ++r) {
        for (Index v = 0; v < count; ++v) {
          const Index u = (first + v) * kLanes;
          store_n(load(buffer.out[r] + v * kLanes), p.dh + p.sequence[r0 + r] * p.H + u, p.H - u);
        }
      }
    });
  });
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
  const Index size = a.x.extent(1) * p.H;
  *p.key = {};  // whatever a forward pass left packed here is gone
  std::fill_n(p.zeros, p.H, 0.0f);
  const auto start = [size](View<const float> from, float* to) {
    if (from) {
      std::copy_n(from.data(), size, to);
    } else {
      std::fill_n(to, size, 0.0f);
    }
  };
  start(a.dhn, p.dh);
  start(a.dcn, p.dc);
}

/// All rows of the window at once: what the weights and the input receive.
void finish_window(const Args& a, const Plan& p, Index depth, const Team& team, float* buffer) {
  const Index H = p.H;
  const auto add = [&](const float* const* b, Index b_first, Index gate, Index gates,
                       const float* const* a_recurrent, float* sums0, float* sums1,
                       bool with_kernel) {
    float* dU = a.drecurrent_kernel && a_recurrent ? a.drecurrent_kernel.data() : nullptr;
    float* dW = a.dkernel && with_kernel ? a.dkernel.data() : nullptr;
    OuterProduct outer{};
    outer.bf16 = p.bf16;
    outer.terms[0] = {p.x, dW ? p.I : 0, dW ? dW + gate * H : nullptr};
    outer.terms[1] = {a_recurrent, dU ? H : 0, dU ? dU + gate * H : nullptr};
    outer.c_stride = p.width;
    outer.depth = depth;
    outer.b = b;
    outer.first_column = b_first;
    outer.columns = gates * H;
    outer.sums[0] = sums0;
    outer.sums[1] = sums1;
    add_outer(outer, team.member, team.members, buffer);
  };
  float* db = a.dbias ? a.dbias.data() : nullptr;
  switch (a.cell) {
    case Cell::kGru: {
      float* state_bias = db ? db + p.width : nullptr;
      add(p.gates, 0, 0, 2, p.h_before, db, state_bias, true);
      add(p.gates, 2 * H, 2, 1, nullptr, db ? db + 2 * H : nullptr, nullptr, true);
      add(p.extra, 0, 2, 1, p.h_before, db ? state_bias + 2 * H : nullptr, nullptr, false);
      break;
    }
    case Cell::kGruResetBefore:
      add(p.gates, 0, 0, 2, p.h_before, db, nullptr, true);
      add(p.gates, 2 * H, 2, 1, p.extra, db ? db + 2 * H : nullptr, nullptr, true);
      break;
    default:
      add(p.gates, 0, 0, gates_of(a.cell), p.h_before, db, nullptr, true);
  }
  if (!a.dx) return;
  if (p.bf16) {
    round_share(*p.bf16, p.gates, depth, p.width, p.gate_words, p.rounded_gates, team.member,
                team.members);
    team.barrier.wait(team.members);
  }
  multiply_share({.bf16 = p.bf16,
                  .a = p.bf16 ? p.rounded_gates : p.gates,
                  .c = p.dx,
                  .rows = depth,
                  .depth = p.width,
                  .columns = p.I,
                  .b = a.kernel.data(),
                  .b_stride = p.width,
                  .b_transposed = true,
                  .start = Start::kZero,
                  .bias = nullptr,
                  .packed = nullptr,
                  .packed_valid = false},
                 team.member, team.members, buffer);
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
  const int limit = team_limit(steps * batch * (p.I + p.H) * p.width, pool.threads());
  pool.run_team(limit, [&](int member, int members) HWY_ATTR {
    const bool by_batch = divide_batch(batch, vectors, 4 * p.H * p.width, members);
    const Team team{.member = member,
                    .members = members,
                    .by_batch = by_batch,
                    .units = by_batch ? Range{0, vectors} : part_of(vectors, member, members),
                    .barrier = barrier};
    float* buffer = p.buffers + member * p.buffer_floats;
    const int parts = by_batch ? members : 1;
    if (member == 0) list_rows(a, p, steps, parts);
    pack_units(a, p, team);
    barrier.wait(members);
    run_steps(a, p, steps, team, buffer);
    barrier.wait(members);
    finish_window(a, p, all_rows, team, buffer);
  });

  const Index size = batch * p.H;
  if (a.dh0) std::copy_n(p.dh, size, a.dh0.data());
  if (a.dc0) std::copy_n(p.dc, size, a.dc0.data());
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
