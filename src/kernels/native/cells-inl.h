// The element-wise part of each cell, one vector of units at a time: what happens to a tile of the
// recurrent product as it leaves the registers. The equations stand in rnn/cells.h.
#include "kernels/native/math-inl.h"
#include "rnn/cells.h"

#if defined(RNN_KERNELS_NATIVE_CELLS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_CELLS_INL_H_
#undef RNN_KERNELS_NATIVE_CELLS_INL_H_
#else
#define RNN_KERNELS_NATIVE_CELLS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

/// One product of a step: which gates it gives, and for how many vectors of units a panel holds
/// them side by side. Cells whose candidate needs the reset gate first have two.
struct Phase {
  Index first_gate, gates, units;
};
constexpr int phases_of(Cell cell) { return cell == Cell::kGruResetBefore ? 2 : 1; }
constexpr Phase phase_of(Cell cell, int phase) {
  switch (cell) {
    case Cell::kLstm:
      return {0, 4, 1};
    case Cell::kGru:
      return {0, 3, 1};
    case Cell::kGruResetBefore:
      return phase == 0 ? Phase{0, 2, 2} : Phase{2, 1, 4};
    default:
      return {0, 1, 4};
  }
}

/// What one row of a step reads and writes; pointers to the first of its units, null where the
/// caller wants nothing.
struct ForwardRow {
  float* gates;  // row of pre-activations from the input; gates after activation are written here
  const float* h_before;
  float* c;      // LSTM: the running cell state
  float* extra;  // see keeps_extra
  float* y;
};

/// Takes the pre-activations of one vector of units, gate g at tile[g * kLanes], and finishes the
/// step (or its first phase) for units [u, u + n).
template <Cell kCell, int kPhase>
HWY_INLINE void finish_forward(const float* tile, Index H, Index u, Index n, bool keep,
                               const ForwardRow& row) {
  const FloatVec one = splat(1.0f);
  if constexpr (kCell == Cell::kLstm) {
    const FloatVec i = sigmoid_of(load(tile));
    const FloatVec f = sigmoid_of(load(tile + kLanes));
    const FloatVec g = tanh_of(load(tile + 2 * kLanes));
    const FloatVec o = sigmoid_of(load(tile + 3 * kLanes));
    const FloatVec c = hn::MulAdd(f, load_n(row.c + u, n), hn::Mul(i, g));
    store_n(c, row.c + u, n);
    store_n(hn::Mul(o, tanh_of(c)), row.y + u, n);
    if (keep) {
      store_n(i, row.gates + u, n);
      store_n(f, row.gates + H + u, n);
      store_n(g, row.gates + 2 * H + u, n);
      store_n(o, row.gates + 3 * H + u, n);
      store_n(c, row.extra + u, n);
    }
  } else if constexpr (kCell == Cell::kGru) {
    const FloatVec r = sigmoid_of(load(tile));
    const FloatVec z = sigmoid_of(load(tile + kLanes));
    const FloatVec q = load(tile + 2 * kLanes);  // h' U_n + u_n
    const FloatVec c = tanh_of(hn::MulAdd(r, q, load_n(row.gates + 2 * H + u, n)));
    const FloatVec h = hn::MulAdd(z, load_n(row.h_before + u, n), hn::Mul(hn::Sub(one, z), c));
    store_n(h, row.y + u, n);
    if (keep) {
      store_n(r, row.gates + u, n);
      store_n(z, row.gates + H + u, n);
      store_n(c, row.gates + 2 * H + u, n);
      store_n(q, row.extra + u, n);
    }
  } else if constexpr (kCell == Cell::kGruResetBefore && kPhase == 0) {
    const FloatVec r = sigmoid_of(load(tile));
    store_n(hn::Mul(r, load_n(row.h_before + u, n)), row.extra + u, n);
    if (keep) store_n(r, row.gates + u, n);
    store_n(sigmoid_of(load(tile + kLanes)), row.gates + H + u, n);
  } else if constexpr (kCell == Cell::kGruResetBefore) {
    const FloatVec z = load_n(row.gates + H + u, n);
    const FloatVec c = tanh_of(load(tile));
    const FloatVec h = hn::MulAdd(z, load_n(row.h_before + u, n), hn::Mul(hn::Sub(one, z), c));
    store_n(h, row.y + u, n);
    if (keep) store_n(c, row.gates + 2 * H + u, n);
  } else {
    const FloatVec a = load(tile);
    const FloatVec h =
        kCell == Cell::kRnnTanh ? tanh_of(a) : hn::IfThenElseZero(hn::Gt(a, hn::Zero(Floats())), a);
    store_n(h, row.y + u, n);
    if (keep) store_n(h, row.gates + u, n);
  }
}

/// What one row of a backward step reads and writes.
struct BackwardRow {
  float* gates;  // in: after activation; out: gradients with respect to the pre-activations
  const float* h_before;
  const float* c_before;  // LSTM
  float* extra;           // GRU, reset after: becomes the gradient with respect to q = h' U_n + u_n
  const float* y;
  const float* dy;  // or null
  float* dh;        // GRU: what reaches h' beside the recurrent product
  float* dc;        // LSTM: running gradient of the cell state
};

/// `dh_after`: the gradient that reaches h of units [u, u + n) from the step after. In the second
/// phase of the GRU with reset before it is the gradient with respect to r * h'.
template <Cell kCell, int kPhase>
HWY_INLINE void finish_backward(FloatVec dh_after, Index H, Index u, Index n,
                                const BackwardRow& row) {
  const FloatVec one = splat(1.0f);
  if constexpr (kCell == Cell::kGruResetBefore && kPhase == 1) {
    const FloatVec r = load_n(row.gates + u, n), dq = dh_after;
    store_n(hn::MulAdd(dq, r, load_n(row.dh + u, n)), row.dh + u, n);
    const FloatVec dr =
        hn::Mul(hn::Mul(dq, load_n(row.h_before + u, n)), hn::Mul(r, hn::Sub(one, r)));
    store_n(dr, row.gates + u, n);
    return;
  }
  const FloatVec dh = row.dy ? hn::Add(dh_after, load_n(row.dy + u, n)) : dh_after;
  if constexpr (kCell == Cell::kLstm) {
    const FloatVec i = load_n(row.gates + u, n), f = load_n(row.gates + H + u, n);
    const FloatVec g = load_n(row.gates + 2 * H + u, n), o = load_n(row.gates + 3 * H + u, n);
    const FloatVec tanh_c = tanh_of(load_n(row.extra + u, n));
    const FloatVec dc =
        hn::MulAdd(hn::Mul(dh, o), hn::NegMulAdd(tanh_c, tanh_c, one), load_n(row.dc + u, n));
    const FloatVec c_before = load_n(row.c_before + u, n);
    store_n(hn::Mul(dc, f), row.dc + u, n);
    store_n(hn::Mul(hn::Mul(dc, g), hn::Mul(i, hn::Sub(one, i))), row.gates + u, n);
    store_n(hn::Mul(hn::Mul(dc, c_before), hn::Mul(f, hn::Sub(one, f))), row.gates + H + u, n);
    store_n(hn::Mul(hn::Mul(dc, i), hn::NegMulAdd(g, g, one)), row.gates + 2 * H + u, n);
    store_n(hn::Mul(hn::Mul(dh, tanh_c), hn::Mul(o, hn::Sub(one, o))), row.gates + 3 * H + u, n);
  } else if constexpr (kCell == Cell::kGru || kCell == Cell::kGruResetBefore) {
    const FloatVec z = load_n(row.gates + H + u, n), c = load_n(row.gates + 2 * H + u, n);
    const FloatVec h_before = load_n(row.h_before + u, n);
    const FloatVec dn = hn::Mul(hn::Mul(dh, hn::Sub(one, z)), hn::NegMulAdd(c, c, one));
    const FloatVec dz = hn::Mul(hn::Mul(dh, hn::Sub(h_before, c)), hn::Mul(z, hn::Sub(one, z)));
    store_n(hn::Mul(dh, z), row.dh + u, n);
    store_n(dz, row.gates + H + u, n);
    store_n(dn, row.gates + 2 * H + u, n);
    if constexpr (kCell == Cell::kGru) {
      const FloatVec r = load_n(row.gates + u, n), q = load_n(row.extra + u, n);
      store_n(hn::Mul(hn::Mul(dn, q), hn::Mul(r, hn::Sub(one, r))), row.gates + u, n);
      store_n(hn::Mul(dn, r), row.extra + u, n);
    }
  } else {
    const FloatVec h = load_n(row.y + u, n);
    const FloatVec d = kCell == Cell::kRnnTanh
                           ? hn::Mul(dh, hn::NegMulAdd(h, h, one))
                           : hn::IfThenElseZero(hn::Gt(h, hn::Zero(Floats())), dh);
    store_n(d, row.gates + u, n);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
