// The formulas of cells.h and cell_options.h, one sequence at a time.
#pragma once

#include "kernels/reference/recurrent_step.h"

namespace rnn::reference {

/// Where one step of one sequence keeps its rows: the caller's memory in training, scratch else.
template <class T>
struct ForwardStep {
  Index t, b;
  const T *x, *h_before, *h_in, *c_before;  // h_in: what stands for h' in recurrent products
  T *gates, *extra, *kernel_normal, *recurrent_normal, *cell_normal, *inverse_deviation, *output;
  T *c_new, *h, *c;  // c~, and the state after the step
};

/// Pre-activations; the GRU's candidate keeps the state's part apart, in `extra`.
template <class T>
void add_products(const RecurrentForward<T>& a, const RecurrentSizes& n, const ForwardStep<T>& s) {
  const Index H = n.H, width = n.width;
  const T *bias = a.bias.data(), *U = a.recurrent_kernel.data();
  const bool apart = a.cell == Cell::kGru;  // r and z see the state's bias too
  row(s.gates, width).setZero();
  if (bias) row(s.gates, width) = row(bias, width);
  if (apart) row(s.extra, H).setZero();
  if (apart && bias) {
    row(s.gates, 2 * H) += row(bias + width, 2 * H);
    row(s.extra, H) = row(bias + width + 2 * H, H);
  }
  // Gates that see h' as they see x: all, but for the candidates of GRUs.
  const Index seeing = is_gru(a.cell) ? 2 * H : width;
  if (!a.options.kernel_gamma) {
    add_product(s.x, n.I, a.kernel.data(), width, s.gates, width);
    add_product(s.h_in, n.P, U, width, s.gates, seeing);
    if (apart) add_product(s.h_in, n.P, U + 2 * H, width, s.extra, H);
    return;
  }
  T *x = s.kernel_normal, *h = s.recurrent_normal;
  row(x, width).setZero();
  row(h, width).setZero();
  add_product(s.x, n.I, a.kernel.data(), width, x, width);
  add_product(s.h_in, n.P, U, width, h, width);
  s.inverse_deviation[0] = normalise(x, width, a.options.epsilon);
  s.inverse_deviation[1] = normalise(h, width, a.options.epsilon);
  const T* gamma = a.options.recurrent_gamma.data();
  row(s.gates, width) += row(x, width) * row(a.options.kernel_gamma.data(), width);
  row(s.gates, seeing) += row(h, seeing) * row(gamma, seeing);
  if (apart) row(s.extra, H) += row(h + 2 * H, H) * row(gamma + 2 * H, H);
}

/// Gates of the LSTM after activation, c~ in c_new, and o * tanh(c~) in `output`.
template <class T>
void lstm_step(const RecurrentForward<T>& a, const RecurrentSizes& n, const ForwardStep<T>& s) {
  using std::tanh;
  const Index H = n.H;
  const bool coupled = a.cell == Cell::kLstmCoupled;
  T *i = s.gates, *f = coupled ? i : i + H, *g = f + H, *o = g + H;
  const T* p = a.options.peephole.data();
  const T *p_i = p, *p_f = coupled ? p : p + H, *p_o = p_f + H;
  for (Index u = 0; u < H; ++u) {
    if (p && !coupled) i[u] += p_i[u] * s.c_before[u];
    if (p) f[u] += p_f[u] * s.c_before[u];
    if (!coupled) i[u] = sigmoid(i[u]);
    f[u] = sigmoid(f[u]);
    g[u] = tanh(g[u]);
    s.c_new[u] = f[u] * s.c_before[u] + (coupled ? T(1) - f[u] : i[u]) * g[u];
    if (p) o[u] += p_o[u] * s.c_new[u];
    o[u] = sigmoid(o[u]);
  }
  if (const T* gamma = a.options.cell_gamma.data()) {
    row(s.cell_normal, H) = row(s.c_new, H);
    s.inverse_deviation[2] = normalise(s.cell_normal, H, a.options.epsilon);
    for (Index u = 0; u < H; ++u) {
      s.output[u] = o[u] * tanh(gamma[u] * s.cell_normal[u] + a.options.cell_beta[u]);
    }
  } else {
    for (Index u = 0; u < H; ++u) s.output[u] = o[u] * tanh(s.c_new[u]);
  }
}

template <class T>
void gru_step(const RecurrentForward<T>& a, const RecurrentSizes& size, const ForwardStep<T>& s) {
  using std::tanh;
  const Index H = size.H;
  T *r = s.gates, *z = s.gates + H, *n = s.gates + 2 * H;
  for (Index u = 0; u < 2 * H; ++u) s.gates[u] = sigmoid(s.gates[u]);
  if (a.cell == Cell::kGru) {
    row(n, H) += row(r, H) * row(s.extra, H);
  } else {
    row(s.extra, H) = row(r, H) * row(s.h_in, H);
    add_product(s.extra, H, a.recurrent_kernel.data() + 2 * H, size.width, n, H);
  }
  for (Index u = 0; u < H; ++u) {
    n[u] = tanh(n[u]);
    s.output[u] = (T(1) - z[u]) * n[u] + z[u] * s.h_before[u];
  }
}

template <class T>
void rnn_step(const RecurrentForward<T>& a, const RecurrentSizes& n, const ForwardStep<T>& s) {
  using std::tanh;
  for (Index u = 0; u < n.H; ++u) {
    s.gates[u] = a.cell == Cell::kRnnTanh    ? tanh(s.gates[u])
                 : real_part(s.gates[u]) > 0 ? s.gates[u]
                                             : T(0);
    s.output[u] = s.gates[u];
  }
}

/// One step: rows of `s` come in as anything; h and c leave as the state after it.
template <class T>
void recurrent_step(const RecurrentForward<T>& a, const RecurrentSizes& n,
                    const ForwardStep<T>& s) {
  const CellOptions<T>& o = a.options;
  add_products(a, n, s);
  if (is_lstm(a.cell)) {
    lstm_step(a, n, s);
    row(s.c, n.H) = row(s.c_new, n.H);
    for (Index u = 0; uses_zoneout(o.zoneout_c, o.zoneout_c_rate) && u < n.H; ++u) {
      const T z = zoneout_of(o.zoneout_c, o.zoneout_c_rate, s.t, s.b, u);
      s.c[u] = z * s.c_before[u] + (T(1) - z) * s.c_new[u];
    }
    row(s.extra, n.H) = row(s.c, n.H);
  } else if (is_gru(a.cell)) {
    gru_step(a, n, s);
  } else {
    rnn_step(a, n, s);
  }
  if (o.projection) {
    row(s.h, n.P).setZero();
    add_product(s.output, n.H, o.projection.data(), n.P, s.h, n.P);
  } else {
    row(s.h, n.P) = row(s.output, n.P);
  }
  for (Index u = 0; uses_zoneout(o.zoneout_h, o.zoneout_h_rate) && u < n.P; ++u) {
    const T z = zoneout_of(o.zoneout_h, o.zoneout_h_rate, s.t, s.b, u);
    s.h[u] = z * s.h_before[u] + (T(1) - z) * s.h[u];
  }
}

template <class T>
void recurrent_forward(const RecurrentForward<T>& a) noexcept {
  const RecurrentSizes n = sizes_of(a);
  ScratchRows<T> scratch(a.scratch);
  ForwardStep<T> own{};  // rows in scratch
  own.gates = scratch.take(n.width);
  own.kernel_normal = scratch.take(n.width);
  own.recurrent_normal = scratch.take(n.width);
  own.extra = scratch.take(n.H);
  own.cell_normal = scratch.take(n.H);
  own.output = scratch.take(n.H);
  own.c_new = scratch.take(n.H);
  own.inverse_deviation = scratch.take(3);
  T *h = scratch.take(n.P), *c = scratch.take(n.H), *masked = scratch.take(n.P);
  own.h = scratch.take(n.P);
  own.c = scratch.take(n.H);
  for (Index b = 0; b < n.batch; ++b) {
    const Index length = length_of(a.lengths, b, n.time);
    row(h, n.P).setZero();
    row(c, n.H).setZero();
    if (a.h0) row(h, n.P) = row(&a.h0(b, 0), n.P);
    if (a.c0) row(c, n.H) = row(&a.c0(b, 0), n.H);
    for (Index step = 0; step < length; ++step) {
      const Index t = time_of(step, length, a.go_backwards);
      const auto keep = [&](const View<T>& kept, T*& to) {
        if (kept) to = &kept(t, b, 0);
      };
      ForwardStep<T> s = own;
      s.t = t;
      s.b = b;
      s.x = n.I > 0 ? &a.x(t, b, 0) : nullptr;
      s.h_before = h;
      s.h_in = recurrent_input(a, b, h, masked);
      s.c_before = c;
      keep(a.gates, s.gates);
      keep(a.extra, s.extra);
      keep(a.kept.kernel_normal, s.kernel_normal);
      keep(a.kept.recurrent_normal, s.recurrent_normal);
      keep(a.kept.cell_normal, s.cell_normal);
      keep(a.kept.inverse_deviation, s.inverse_deviation);
      keep(a.kept.output, s.output);
      recurrent_step(a, n, s);
      row(h, n.P) = row(s.h, n.P);
      row(c, n.H) = row(s.c, n.H);
      row(&a.y(t, b, 0), n.P) = row(h, n.P);
    }
    for (Index t = length; t < n.time; ++t) row(&a.y(t, b, 0), n.P).setZero();
    if (a.hn) row(&a.hn(b, 0), n.P) = row(h, n.P);
    if (a.cn) row(&a.cn(b, 0), n.H) = row(c, n.H);
  }
}

}  // namespace rnn::reference
