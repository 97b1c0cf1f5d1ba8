// The formulas of cells.h and their gradients, one sequence at a time.
#pragma once

#include <algorithm>

#include "kernels/reference/rows.h"
#include "rnn/kernels.h"

namespace rnn::reference {

/// Where step s of a sequence stands in time.
inline Index time_of(Index s, Index length, bool go_backwards) {
  return go_backwards ? length - 1 - s : s;
}

/// Scratch of both directions: rows for one step.
template <class T>
std::size_t recurrent_scratch(Cell cell, Index units) {
  return static_cast<std::size_t>((gates_of(cell) + 4) * units) * sizeof(T);
}

/// One step: `gates` comes in as anything and leaves as the gates after activation.
template <class T>
void recurrent_step(const RecurrentForward<T>& a, const T* x, const T* h_before, const T* c_before,
                    T* gates, T* extra, T* h, T* c) {
  using std::tanh;
  const Index I = a.x.extent(2), H = a.y.extent(2), width = gates_of(a.cell) * H;
  const T* bias = a.bias.data();
  const T* U = a.recurrent_kernel.data();
  if (bias) {
    row(gates, width) = row(bias, width);
  } else {
    row(gates, width).setZero();
  }

  if (a.cell == Cell::kGru) {  // r and z see the state's bias too; n keeps the state's part apart
    if (bias) {
      row(gates, 2 * H) += row(bias + width, 2 * H);
      row(extra, H) = row(bias + width + 2 * H, H);
    } else {
      row(extra, H).setZero();
    }
  }
  add_product(x, I, a.kernel.data(), width, gates, width);
  switch (a.cell) {
    case Cell::kLstm:
    case Cell::kRnnTanh:
    case Cell::kRnnRelu:
      add_product(h_before, H, U, width, gates, width);
      break;
    case Cell::kGru:
      add_product(h_before, H, U, width, gates, 2 * H);
      add_product(h_before, H, U + 2 * H, width, extra, H);
      break;
    case Cell::kGruResetBefore:
      add_product(h_before, H, U, width, gates, 2 * H);
      break;
  }

  if (a.cell == Cell::kLstm) {
    T *i = gates, *f = gates + H, *g = gates + 2 * H, *o = gates + 3 * H;
    for (Index u = 0; u < H; ++u) {
      i[u] = sigmoid(i[u]);
      f[u] = sigmoid(f[u]);
      g[u] = tanh(g[u]);
      o[u] = sigmoid(o[u]);
      c[u] = f[u] * c_before[u] + i[u] * g[u];
      h[u] = o[u] * tanh(c[u]);
      extra[u] = c[u];
    }
  } else if (gates_of(a.cell) == 3) {
    T *r = gates, *z = gates + H, *n = gates + 2 * H;
    for (Index u = 0; u < 2 * H; ++u) gates[u] = sigmoid(gates[u]);
    if (a.cell == Cell::kGru) {
      row(n, H) += row(r, H) * row(extra, H);
    } else {
      row(extra, H) = row(r, H) * row(h_before, H);
      add_product(extra, H, U + 2 * H, width, n, H);
    }
    for (Index u = 0; u < H; ++u) {
      n[u] = tanh(n[u]);
      h[u] = (T(1) - z[u]) * n[u] + z[u] * h_before[u];
    }
  } else {
    for (Index u = 0; u < H; ++u) {
      gates[u] = a.cell == Cell::kRnnTanh  ? tanh(gates[u])
                 : real_part(gates[u]) > 0 ? gates[u]
                                           : T(0);
      h[u] = gates[u];
    }
  }
}

template <class T>
void recurrent_forward(const RecurrentForward<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), I = a.x.extent(2), H = a.y.extent(2);
  const Index width = gates_of(a.cell) * H;
  T* scratch = reinterpret_cast<T*>(a.scratch.data());
  T *step_gates = scratch, *step_extra = scratch + width, *h = step_extra + H, *c = h + H,
    *h_next = c + H;
  for (Index b = 0; b < batch; ++b) {
    const Index length = length_of(a.lengths, b, time);
    row(h, H).setZero();
    row(c, H).setZero();
    if (a.h0) row(h, H) = row(&a.h0(b, 0), H);
    if (a.c0) row(c, H) = row(&a.c0(b, 0), H);
    for (Index s = 0; s < length; ++s) {
      const Index t = time_of(s, length, a.go_backwards);
      T* gates = a.gates ? &a.gates(t, b, 0) : step_gates;
      T* extra = a.extra ? &a.extra(t, b, 0) : step_extra;
      recurrent_step(a, I > 0 ? &a.x(t, b, 0) : nullptr, h, c, gates, extra, h_next, c);
      row(h, H) = row(h_next, H);
      row(&a.y(t, b, 0), H) = row(h, H);
    }
    for (Index t = length; t < time; ++t) row(&a.y(t, b, 0), H).setZero();
    if (a.hn) row(&a.hn(b, 0), H) = row(h, H);
    if (a.cn) row(&a.cn(b, 0), H) = row(c, H);
  }
}

/// The element-wise part of one step backwards. In: `gates` after activation, dh and dc, the
/// gradients with respect to this step's h and c. Out: `gates` becomes the gradient with respect to
/// the pre-activations, `dq` that with respect to the state's part of a GRU's candidate, dh and dc
/// what reaches the step before without passing the recurrent product.
template <class T>
void recurrent_step_backward(const RecurrentBackward<T>& a, const T* h_before, const T* c_before,
                             T* gates, const T* extra, const T* h, T* dq, T* dh, T* dc) {
  using std::tanh;
  const Index H = a.y.extent(2), width = gates_of(a.cell) * H;
  if (a.cell == Cell::kLstm) {
    T *i = gates, *f = gates + H, *g = gates + 2 * H, *o = gates + 3 * H;
    for (Index u = 0; u < H; ++u) {
      const T tanh_c = tanh(extra[u]);
      const T d_c = dc[u] + dh[u] * o[u] * (T(1) - tanh_c * tanh_c);
      const T d_i = d_c * g[u] * i[u] * (T(1) - i[u]);
      const T d_f = d_c * c_before[u] * f[u] * (T(1) - f[u]);
      const T d_g = d_c * i[u] * (T(1) - g[u] * g[u]);
      const T d_o = dh[u] * tanh_c * o[u] * (T(1) - o[u]);
      dc[u] = d_c * f[u];
      dh[u] = T(0);
      i[u] = d_i;
      f[u] = d_f;
      g[u] = d_g;
      o[u] = d_o;
    }
  } else if (gates_of(a.cell) == 3) {
    T *r = gates, *z = gates + H, *n = gates + 2 * H;
    for (Index u = 0; u < H; ++u) {
      const T d_n = dh[u] * (T(1) - z[u]) * (T(1) - n[u] * n[u]);
      const T d_z = dh[u] * (h_before[u] - n[u]) * z[u] * (T(1) - z[u]);
      dh[u] *= z[u];
      z[u] = d_z;
      n[u] = d_n;
    }
    if (a.cell == Cell::kGru) {
      for (Index u = 0; u < H; ++u) {
        dq[u] = n[u] * r[u];
        r[u] = n[u] * extra[u] * r[u] * (T(1) - r[u]);
      }
    } else {  // here dq is the gradient with respect to r * h'
      row(dq, H).setZero();
      add_product_transposed(n, H, a.recurrent_kernel.data() + 2 * H, width, dq, H);
      for (Index u = 0; u < H; ++u) {
        dh[u] += dq[u] * r[u];
        r[u] = dq[u] * h_before[u] * r[u] * (T(1) - r[u]);
      }
    }
  } else {
    for (Index u = 0; u < H; ++u) {
      gates[u] = a.cell == Cell::kRnnTanh ? dh[u] * (T(1) - h[u] * h[u])
                 : real_part(h[u]) > 0    ? dh[u]
                                          : T(0);
      dh[u] = T(0);
    }
  }
}

/// What the weights of one step receive. `dq` as left by recurrent_step_backward.
template <class T>
void add_weight_gradients(const RecurrentBackward<T>& a, const T* x, const T* h_before,
                          const T* gates, const T* extra, const T* dq) {
  const Index I = a.x.extent(2), H = a.y.extent(2), width = gates_of(a.cell) * H;
  if (a.dkernel) add_outer(x, I, gates, width, a.dkernel.data(), width);
  if (a.dbias) {
    row(a.dbias.data(), width) += row(gates, width);
    if (a.cell == Cell::kGru) {
      row(a.dbias.data() + width, 2 * H) += row(gates, 2 * H);
      row(a.dbias.data() + width + 2 * H, H) += row(dq, H);
    }
  }
  if (!a.drecurrent_kernel) return;
  T* dU = a.drecurrent_kernel.data();
  if (gates_of(a.cell) == 3) {
    add_outer(h_before, H, gates, 2 * H, dU, width);
    if (a.cell == Cell::kGru) {
      add_outer(h_before, H, dq, H, dU + 2 * H, width);
    } else {
      add_outer(extra, H, gates + 2 * H, H, dU + 2 * H, width);
    }
  } else {
    add_outer(h_before, H, gates, width, dU, width);
  }
}

template <class T>
void recurrent_backward(const RecurrentBackward<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), I = a.x.extent(2), H = a.y.extent(2);
  const Index width = gates_of(a.cell) * H;
  T* scratch = reinterpret_cast<T*>(a.scratch.data());
  T *dh = scratch, *dc = dh + H, *dq = dc + H, *zeros = dq + H;
  row(zeros, H).setZero();
  for (Index b = 0; b < batch; ++b) {
    const Index length = length_of(a.lengths, b, time);
    row(dh, H).setZero();
    row(dc, H).setZero();
    if (a.dhn) row(dh, H) = row(&a.dhn(b, 0), H);
    if (a.dcn) row(dc, H) = row(&a.dcn(b, 0), H);
    for (Index s = length - 1; s >= 0; --s) {
      const Index t = time_of(s, length, a.go_backwards);
      const Index before = time_of(s - 1, length, a.go_backwards);
      const T* h_before = s > 0 ? &a.y(before, b, 0) : a.h0 ? &a.h0(b, 0) : zeros;
      const T* c_before = a.cell != Cell::kLstm ? nullptr
                          : s > 0               ? &a.extra(before, b, 0)
                          : a.c0                ? &a.c0(b, 0)
                                                : zeros;
      T* gates = &a.gates(t, b, 0);
      const T* extra = a.extra ? &a.extra(t, b, 0) : nullptr;
      if (a.dy) row(dh, H) += row(&a.dy(t, b, 0), H);
      recurrent_step_backward(a, h_before, c_before, gates, extra, &a.y(t, b, 0), dq, dh, dc);
      const T* U = a.recurrent_kernel.data();
      if (gates_of(a.cell) == 3) {
        add_product_transposed(gates, 2 * H, U, width, dh, H);
        if (a.cell == Cell::kGru) add_product_transposed(dq, H, U + 2 * H, width, dh, H);
      } else {
        add_product_transposed(gates, width, U, width, dh, H);
      }
      add_weight_gradients(a, I > 0 ? &a.x(t, b, 0) : nullptr, h_before, gates, extra, dq);
      if (a.dx) {
        row(&a.dx(t, b, 0), I).setZero();
        add_product_transposed(gates, width, a.kernel.data(), width, &a.dx(t, b, 0), I);
      }
    }
    if (a.dx) {
      for (Index t = length; t < time; ++t) row(&a.dx(t, b, 0), I).setZero();
    }
    if (a.dh0) row(&a.dh0(b, 0), H) = row(dh, H);
    if (a.dc0) row(&a.dc0(b, 0), H) = row(dc, H);
  }
}

}  // namespace rnn::reference
