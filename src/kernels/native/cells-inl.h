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
    case Cell::kLstmCoupled:
    case Cell::kGru:
      return {0, 3, 1};
    case Cell::kGruResetBefore:
      return phase == 0 ? Phase{0, 2, 2} : Phase{2, 1, 4};
    default:
      return {0, 1, 4};
  }
}

/// Places of an LSTM's gates, and of its peepholes.
struct LstmGates {
  Index i, f, g, o, peephole_f, peephole_o;
};
constexpr LstmGates lstm_gates(Cell cell) {
  return cell == Cell::kLstmCoupled ? LstmGates{0, 0, 1, 2, 0, 1} : LstmGates{0, 1, 2, 3, 1, 2};
}

/// What all rows of a call share. Null: not asked for.
struct Tail {
  Index H = 0;
  bool keep = false;  // gates and extra are wanted by backward
  const float* peephole = nullptr;
  const float* cell_gamma = nullptr;
  const float* cell_beta = nullptr;
  const float* kernel_gamma = nullptr;
  const float* recurrent_gamma = nullptr;
};

/// What one row of a step reads and writes; pointers to the first of its units, null where the
/// caller wants nothing.
struct ForwardRow {
  float* gates;  // row of pre-activations from the input; gates after activation are written here
  const float* h_before;
  const float* h_in;  // what stands for h' in recurrent products
  float* c;           // LSTM: the running cell state
  float* extra;       // see keeps_extra
  float* y;
  const float* mask;       // CellOptions::recurrent_mask, or null
  float* next_in;          // with a mask: h_in of the next step
  const float* zoneout_h;  // z of this step, or null
  const float* zoneout_c;
  float* output;  // o * tanh(c~), where a projection follows; null: it is h~
  // Layer norm alone:
  float* product;           // h_in times the recurrent kernel
  float* recurrent_normal;  // as in CellKept, or null
  float* c_new;             // c~
  float* cell_normal;
  float* inverse_deviation;
};

/// z * before + (1 - z) * now: exact where z is 0 or 1.
HWY_INLINE FloatVec zone_out(FloatVec z, FloatVec before, FloatVec now) {
  return hn::MulAdd(z, before, hn::Mul(hn::Sub(splat(1.0f), z), now));
}

/// What becomes of h~ once a step has it.
HWY_INLINE void give_state(FloatVec h, Index u, Index n, const ForwardRow& row) {
  if (row.zoneout_h) h = zone_out(load_n(row.zoneout_h + u, n), load_n(row.h_before + u, n), h);
  store_n(h, row.y + u, n);
  if (row.mask) store_n(hn::Mul(h, load_n(row.mask + u, n)), row.next_in + u, n);
}

/// What becomes of the cell's output.
HWY_INLINE void give_output(FloatVec output, Index u, Index n, const ForwardRow& row) {
  if (row.output) return store_n(output, row.output + u, n);
  give_state(output, u, n, row);
}

/// LSTM, with everything up to c. With a normalised c~ the output waits for its whole row.
template <Cell kCell>
HWY_INLINE void finish_lstm(const float* tile, const Tail& tail, Index u, Index n,
                            const ForwardRow& row) {
  constexpr LstmGates kGates = lstm_gates(kCell);
  constexpr bool kCoupled = kCell == Cell::kLstmCoupled;
  const Index H = tail.H;
  const auto peephole = [&](Index gate, FloatVec state, FloatVec a) HWY_ATTR {
    if (!tail.peephole) return a;
    return hn::MulAdd(load_n(tail.peephole + gate * H + u, n), state, a);
  };
  const FloatVec c_before = load_n(row.c + u, n);
  const FloatVec f =
      sigmoid_of(peephole(kGates.peephole_f, c_before, load(tile + kGates.f * kLanes)));
  const FloatVec i =
      kCoupled ? hn::Sub(splat(1.0f), f) : sigmoid_of(peephole(0, c_before, load(tile)));
  const FloatVec g = tanh_of(load(tile + kGates.g * kLanes));
  const FloatVec c_new = hn::MulAdd(f, c_before, hn::Mul(i, g));
  const FloatVec o = sigmoid_of(peephole(kGates.peephole_o, c_new, load(tile + kGates.o * kLanes)));
  FloatVec c = c_new;
  if (row.zoneout_c) c = zone_out(load_n(row.zoneout_c + u, n), c_before, c_new);
  store_n(c, row.c + u, n);
  if (tail.keep) {
    if (!kCoupled) store_n(i, row.gates + u, n);
    store_n(f, row.gates + kGates.f * H + u, n);
    store_n(g, row.gates + kGates.g * H + u, n);
    store_n(c, row.extra + u, n);
  }
  if (tail.keep || tail.cell_gamma) store_n(o, row.gates + kGates.o * H + u, n);
  if (tail.cell_gamma) return store_n(c_new, row.c_new + u, n);
  give_output(hn::Mul(o, tanh_of(c_new)), u, n, row);
}

/// Takes the pre-activations of one vector of units, gate g at tile[g * kLanes], and finishes the
/// step (or its first phase) for units [u, u + n).
template <Cell kCell, int kPhase>
HWY_INLINE void finish_forward(const float* tile, const Tail& tail, Index u, Index n,
                               const ForwardRow& row) {
  const FloatVec one = splat(1.0f);
  const Index H = tail.H;
  const bool keep = tail.keep;
  if constexpr (is_lstm(kCell)) {
    finish_lstm<kCell>(tile, tail, u, n, row);
  } else if constexpr (kCell == Cell::kGru) {
    const FloatVec r = sigmoid_of(load(tile));
    const FloatVec z = sigmoid_of(load(tile + kLanes));
    const FloatVec q = load(tile + 2 * kLanes);  // h' U_n + u_n
    const FloatVec c = tanh_of(hn::MulAdd(r, q, load_n(row.gates + 2 * H + u, n)));
    const FloatVec h = hn::MulAdd(z, load_n(row.h_before + u, n), hn::Mul(hn::Sub(one, z), c));
    give_state(h, u, n, row);
    if (keep) {
      store_n(r, row.gates + u, n);
      store_n(z, row.gates + H + u, n);
      store_n(c, row.gates + 2 * H + u, n);
      store_n(q, row.extra + u, n);
    }
  } else if constexpr (kCell == Cell::kGruResetBefore && kPhase == 0) {
    const FloatVec r = sigmoid_of(load(tile));
    store_n(hn::Mul(r, load_n(row.h_in + u, n)), row.extra + u, n);
    if (keep) store_n(r, row.gates + u, n);
    store_n(sigmoid_of(load(tile + kLanes)), row.gates + H + u, n);
  } else if constexpr (kCell == Cell::kGruResetBefore) {
    const FloatVec z = load_n(row.gates + H + u, n);
    const FloatVec c = tanh_of(load(tile));
    const FloatVec h = hn::MulAdd(z, load_n(row.h_before + u, n), hn::Mul(hn::Sub(one, z), c));
    give_state(h, u, n, row);
    if (keep) store_n(c, row.gates + 2 * H + u, n);
  } else {
    const FloatVec a = load(tile);
    const FloatVec h =
        kCell == Cell::kRnnTanh ? tanh_of(a) : hn::IfThenElseZero(hn::Gt(a, hn::Zero(Floats())), a);
    give_state(h, u, n, row);
    if (keep) store_n(h, row.gates + u, n);
  }
}

/// What one row of a backward step reads and writes.
struct BackwardRow {
  float* gates;  // in: after activation; out: gradients with respect to the pre-activations
  const float* h_before;
  const float* h_in;      // what stood for h' in recurrent products
  const float* mask;      // CellOptions::recurrent_mask, or null
  const float* c_before;  // LSTM
  float* extra;           // GRU, reset after: becomes the gradient with respect to q = h' U_n + u_n
  const float* dy;        // or null
  float* dh;              // what reaches h' beside the recurrent product
  float* dc;              // LSTM: running gradient of the cell state
  const float* zoneout_h;  // z of this step, or null
  const float* zoneout_c;
  float* c_new;   // LSTM, where wanted: c~ is written here
  float* dstate;  // projection: the gradient of h~
  // Layer norm alone:
  float* drecurrent;  // gradient of the recurrent product
  const float* recurrent_normal;
  const float* cell_normal;
  const float* inverse_deviation;
  float* dcell;  // gradient of cell_gamma * N(c~) + cell_beta
};

/// The gradient of h~ from that of h, whose share of h' is kept.
HWY_INLINE FloatVec take_state(FloatVec dh, Index u, Index n, const BackwardRow& row) {
  if (row.dy) dh = hn::Add(dh, load_n(row.dy + u, n));
  if (!row.zoneout_h) return dh;
  const FloatVec z = load_n(row.zoneout_h + u, n);
  store_n(hn::Mul(z, dh), row.dh + u, n);
  return hn::Mul(hn::Sub(splat(1.0f), z), dh);
}

/// LSTM: from dc~ by way of h~, and the gradient of o's pre-activation, to all the rest.
template <Cell kCell>
HWY_INLINE void finish_lstm_backward(FloatVec dc_new, FloatVec d_o, FloatVec c_new,
                                     const Tail& tail, Index u, Index n, const BackwardRow& row) {
  constexpr LstmGates kGates = lstm_gates(kCell);
  constexpr bool kCoupled = kCell == Cell::kLstmCoupled;
  const FloatVec one = splat(1.0f);
  const Index H = tail.H;
  const auto gate = [&](Index number) { return row.gates + number * H + u; };
  const FloatVec f = load_n(gate(kGates.f), n), g = load_n(gate(kGates.g), n);
  const FloatVec i = kCoupled ? hn::Sub(one, f) : load_n(gate(0), n);
  const FloatVec c_before = load_n(row.c_before + u, n), dc_after = load_n(row.dc + u, n);
  const float* p = tail.peephole ? tail.peephole + u : nullptr;
  FloatVec dc = dc_after, beside = hn::Zero(Floats());
  if (row.zoneout_c) {
    const FloatVec z = load_n(row.zoneout_c + u, n);
    beside = hn::Mul(z, dc_after);
    dc = hn::Mul(hn::Sub(one, z), dc_after);
  }
  dc = hn::Add(dc, dc_new);
  if (p) dc = hn::MulAdd(d_o, load_n(p + kGates.peephole_o * H, n), dc);
  const FloatVec for_f = kCoupled ? hn::Sub(c_before, g) : c_before;
  const FloatVec d_f = hn::Mul(hn::Mul(dc, for_f), hn::Mul(f, hn::Sub(one, f)));
  beside = hn::MulAdd(dc, f, beside);
  store_n(d_f, gate(kGates.f), n);
  if (p) beside = hn::MulAdd(d_f, load_n(p + kGates.peephole_f * H, n), beside);
  if constexpr (!kCoupled) {
    const FloatVec d_i = hn::Mul(hn::Mul(dc, g), hn::Mul(i, hn::Sub(one, i)));
    store_n(d_i, gate(0), n);
    if (p) beside = hn::MulAdd(d_i, load_n(p, n), beside);
  }
  store_n(hn::Mul(hn::Mul(dc, i), hn::NegMulAdd(g, g, one)), gate(kGates.g), n);
  store_n(d_o, gate(kGates.o), n);
  store_n(beside, row.dc + u, n);
  if (row.c_new) store_n(c_new, row.c_new + u, n);
}

/// c~ of an LSTM again, to the bit.
template <Cell kCell>
HWY_INLINE FloatVec c_new_of(const Tail& tail, Index u, Index n, const BackwardRow& row) {
  constexpr LstmGates kGates = lstm_gates(kCell);
  const FloatVec f = load_n(row.gates + kGates.f * tail.H + u, n);
  const FloatVec g = load_n(row.gates + kGates.g * tail.H + u, n);
  const FloatVec i =
      kCell == Cell::kLstmCoupled ? hn::Sub(splat(1.0f), f) : load_n(row.gates + u, n);
  return hn::MulAdd(f, load_n(row.c_before + u, n), hn::Mul(i, g));
}

/// `doutput`: the gradient with respect to the cell's output of units [u, u + n). In the second
/// phase of the GRU with reset before it is the gradient with respect to r * h'. An LSTM whose c~
/// is normalised stops where the whole row is needed: at `dcell`, with o's gradient in place.
template <Cell kCell, int kPhase>
HWY_INLINE void finish_backward(FloatVec doutput, const Tail& tail, Index u, Index n,
                                const BackwardRow& row) {
  const FloatVec one = splat(1.0f);
  const Index H = tail.H;
  if constexpr (is_lstm(kCell)) {
    float* gate_o = row.gates + lstm_gates(kCell).o * H + u;
    const FloatVec o = load_n(gate_o, n);
    const FloatVec c_new = tail.cell_gamma ? hn::Zero(Floats()) : c_new_of<kCell>(tail, u, n, row);
    const FloatVec seen =
        tail.cell_gamma ? hn::MulAdd(load_n(tail.cell_gamma + u, n), load_n(row.cell_normal + u, n),
                                     load_n(tail.cell_beta + u, n))
                        : c_new;
    const FloatVec tanh_c = tanh_of(seen);
    const FloatVec dseen = hn::Mul(hn::Mul(doutput, o), hn::NegMulAdd(tanh_c, tanh_c, one));
    const FloatVec d_o = hn::Mul(hn::Mul(doutput, tanh_c), hn::Mul(o, hn::Sub(one, o)));
    if (tail.cell_gamma) {
      store_n(dseen, row.dcell + u, n);
      store_n(d_o, gate_o, n);
    } else {
      finish_lstm_backward<kCell>(dseen, d_o, c_new, tail, u, n, row);
    }
  } else if constexpr (kCell == Cell::kGruResetBefore && kPhase == 1) {
    const FloatVec r = load_n(row.gates + u, n);
    FloatVec dh_in = hn::Mul(doutput, r);
    if (row.mask) dh_in = hn::Mul(dh_in, load_n(row.mask + u, n));
    store_n(hn::Add(load_n(row.dh + u, n), dh_in), row.dh + u, n);
    const FloatVec dr =
        hn::Mul(hn::Mul(doutput, load_n(row.h_in + u, n)), hn::Mul(r, hn::Sub(one, r)));
    store_n(dr, row.gates + u, n);
  } else if constexpr (is_gru(kCell)) {
    const FloatVec z = load_n(row.gates + H + u, n), c = load_n(row.gates + 2 * H + u, n);
    const FloatVec h_before = load_n(row.h_before + u, n);
    const FloatVec dn = hn::Mul(hn::Mul(doutput, hn::Sub(one, z)), hn::NegMulAdd(c, c, one));
    const FloatVec dz =
        hn::Mul(hn::Mul(doutput, hn::Sub(h_before, c)), hn::Mul(z, hn::Sub(one, z)));
    FloatVec beside = hn::Mul(doutput, z);
    if (row.zoneout_h) beside = hn::Add(beside, load_n(row.dh + u, n));
    store_n(beside, row.dh + u, n);
    store_n(dz, row.gates + H + u, n);
    store_n(dn, row.gates + 2 * H + u, n);
    if constexpr (kCell == Cell::kGru) {
      const FloatVec r = load_n(row.gates + u, n), q = load_n(row.extra + u, n);
      store_n(hn::Mul(hn::Mul(dn, q), hn::Mul(r, hn::Sub(one, r))), row.gates + u, n);
      store_n(hn::Mul(dn, r), row.extra + u, n);
    }
  } else {
    const FloatVec h = load_n(row.gates + u, n);  // h~
    const FloatVec d = kCell == Cell::kRnnTanh
                           ? hn::Mul(doutput, hn::NegMulAdd(h, h, one))
                           : hn::IfThenElseZero(hn::Gt(h, hn::Zero(Floats())), doutput);
    store_n(d, row.gates + u, n);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
