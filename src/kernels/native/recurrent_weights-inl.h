// The end of a recurrent window's gradient: what weights, gammas, peepholes and the input receive,
// from all rows at once.
#include "kernels/native/recurrent_backward_plan-inl.h"
#include "kernels/native/recurrent_team-inl.h"
#include "kernels/native/row_norm-inl.h"

#if defined(RNN_KERNELS_NATIVE_RECURRENT_WEIGHTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_RECURRENT_WEIGHTS_INL_H_
#undef RNN_KERNELS_NATIVE_RECURRENT_WEIGHTS_INL_H_
#else
#define RNN_KERNELS_NATIVE_RECURRENT_WEIGHTS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

/// What an outer product adds to, and the rows it reads: a term's width is 0 where it is frozen.
OuterTerm term_of(const float* const* rows, Index width, View<float> gradient, Index column) {
  return {rows, gradient ? width : 0, gradient ? gradient.data() + column : nullptr};
}

/// Layer norm: what gammas and biases receive, then back through N(x W), whose rows become the
/// gradients of x W.
void finish_norms(const Args& a, const Plan& p, Index depth, const Team& team) {
  const Index H = p.H;
  const CellGradients<float>& d = a.doptions;
  const auto add = [&](const float* const* rows, Index first, const float* const* times,
                       Index times_first, Index columns, float* sums) {
    add_column_sums({rows, first, times, times_first, depth, columns, sums}, team.member,
                    team.members);
  };
  float* db = a.dbias.data();
  const bool apart = a.cell == Cell::kGru;
  add(p.gates, 0, nullptr, 0, p.width, db);
  if (apart && db) {
    add(p.gates, 0, nullptr, 0, 2 * H, db + p.width);
    add(p.extra, 0, nullptr, 0, H, db + p.width + 2 * H);
  }
  add(p.gates, 0, p.kernel_normal, 0, p.width, d.dkernel_gamma.data());
  float* dgamma = d.drecurrent_gamma.data();
  add(p.gates, 0, p.recurrent_normal, 0, apart ? 2 * H : p.width, dgamma);
  if (apart && dgamma) add(p.extra, 0, p.recurrent_normal, 2 * H, H, dgamma + 2 * H);
  add(p.dcell_rows, 0, p.cell_normal, 0, H, d.dcell_gamma.data());
  add(p.dcell_rows, 0, nullptr, 0, H, d.dcell_beta.data());
  team.barrier.wait(team.members);
  const Range mine = part_of(depth, team.member, team.members);
  for (Index r = mine.first; r < mine.last; ++r) {
    float* normal = p.kernel_normal[r];
    const float* gates = p.gates[r];
    const RowGradient sums =
        gradient_of([&](Index i, Index n) HWY_ATTR { return load_n(gates + i, n); },
                    p.tail.kernel_gamma, normal, p.width, p.kernel_deviation[r][0]);
    for_vectors(p.width, [&](Index i, Index n) HWY_ATTR {
      const FloatVec g = hn::Mul(load_n(gates + i, n), load_n(p.tail.kernel_gamma + i, n));
      store_n(through_norm(g, load_n(normal + i, n), sums), normal + i, n);
    });
  }
  team.barrier.wait(team.members);
}

void add_peephole_gradient(const Args& a, const Plan& p, Index depth, const Team& team) {
  const LstmGates gates = lstm_gates(a.cell);
  const auto add = [&](Index gate, const float* const* states, Index row) {
    add_column_sums(
        {p.gates, gate * p.H, states, 0, depth, p.H, a.doptions.dpeephole.data() + row * p.H},
        team.member, team.members);
  };
  if (a.cell == Cell::kLstm) add(0, p.c_before, 0);
  add(gates.f, p.c_before, gates.peephole_f);
  add(gates.o, p.c_new_rows, gates.peephole_o);
}

/// All rows of the window at once: what the weights and the input receive.
void finish_window(const Args& a, const Plan& p, Index depth, const Team& team, float* buffer) {
  const Index H = p.H;
  const bool norms = p.tail.kernel_gamma != nullptr;
  const auto add = [&](const float* const* b, Index b_first, Index gates, const OuterTerm& term,
                       const OuterTerm& beside, float* sums) {
    OuterProduct outer{};
    outer.bf16 = p.bf16;
    outer.terms[0] = term;
    outer.terms[1] = beside;
    outer.c_stride = p.width;
    outer.depth = depth;
    outer.b = b;
    outer.first_column = b_first;
    outer.columns = gates * H;
    outer.sums = sums;
    add_outer(outer, team.member, team.members, buffer);
  };
  const OuterTerm input = term_of(p.x, p.I, a.dkernel, 0);
  const auto state = [&](const float* const* rows, Index gate) {
    return term_of(rows, p.P, a.drecurrent_kernel, gate * H);
  };
  if (a.doptions.dpeephole) add_peephole_gradient(a, p, depth, team);
  if (a.doptions.dprojection) {
    OuterProduct outer{};
    outer.terms[0] = term_of(p.output, H, a.doptions.dprojection, 0);
    outer.c_stride = outer.columns = p.P;
    outer.depth = depth;
    outer.b = p.dstate_rows;
    add_outer(outer, team.member, team.members, buffer);
  }
  float* db = a.dbias ? a.dbias.data() : nullptr;
  const float* const* input_side = p.gates;
  if (norms) {
    finish_norms(a, p, depth, team);
    input_side = p.kernel_normal;
    add(input_side, 0, gates_of(a.cell), input, {}, nullptr);
    add(p.drecurrent_rows, 0, gates_of(a.cell), state(p.h_in, 0), {}, nullptr);
  } else if (a.cell == Cell::kGru) {
    float* state_bias = db ? db + p.width : nullptr;
    add(p.gates, 0, 3, input, {}, db);
    add(p.gates, 0, 2, state(p.h_in, 0), {}, state_bias);
    add(p.extra, 0, 1, state(p.h_in, 2), {}, db ? state_bias + 2 * H : nullptr);
  } else if (a.cell == Cell::kGruResetBefore) {
    add(p.gates, 0, 3, input, {}, db);
    add(p.gates, 0, 2, state(p.h_in, 0), {}, nullptr);
    add(p.gates, 2 * H, 1, state(p.extra, 2), {}, nullptr);
  } else {
    add(p.gates, 0, gates_of(a.cell), input, state(p.h_in, 0), db);
  }
  if (!a.dx) return;
  if (p.bf16) {
    round_share(*p.bf16, input_side, depth, p.width, p.gate_words, p.rounded_gates, team.member,
                team.members);
    team.barrier.wait(team.members);
  }
  multiply_share({.bf16 = p.bf16,
                  .a = p.bf16 ? p.rounded_gates : input_side,
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
}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
