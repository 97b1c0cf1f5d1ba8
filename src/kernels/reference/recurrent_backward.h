// The gradient of recurrent_forward.h, one sequence at a time.
#pragma once

#include "kernels/reference/recurrent_step.h"

namespace rnn::reference {

/// Rows of one step of one sequence. `gates` come in after activation and leave as the gradient
/// with respect to the pre-activations of the input's side; the state's side has `drecurrent`.
template <class T>
struct BackwardStep {
  Index t, b;
  const T *x, *h_before, *h_in, *c_before;
  T *gates, *extra, *kernel_normal, *recurrent_normal, *cell_normal, *inverse_deviation, *output;
  T *doutput, *drecurrent;  // gradients of the cell's output, and of what h_in * U gave
  T *dh, *dh_in, *dc;       // dh, dc: in, of this step's state; out, of the state before, but for
                            // what reaches it by way of h_in
};

template <class T>
void lstm_step_backward(const RecurrentBackward<T>& a, const RecurrentSizes& n,
                        const BackwardStep<T>& s, T* dcell) {
  using std::tanh;
  const Index H = n.H;
  const bool coupled = a.cell == Cell::kLstmCoupled;
  const CellOptions<T>& options = a.options;
  T *i = s.gates, *f = coupled ? i : i + H, *g = f + H, *o = g + H;
  const auto c_new = [&](Index u) {
    return f[u] * s.c_before[u] + (coupled ? T(1) - f[u] : i[u]) * g[u];
  };
  const T* gamma = options.cell_gamma.data();
  // Through the output: `dcell` becomes the gradient of c~ by way of h~, o that of a_o.
  for (Index u = 0; u < H; ++u) {
    const T tanh_c = tanh(gamma ? gamma[u] * s.cell_normal[u] + options.cell_beta[u] : c_new(u));
    dcell[u] = s.doutput[u] * o[u] * (T(1) - tanh_c * tanh_c);
    o[u] = s.doutput[u] * tanh_c * o[u] * (T(1) - o[u]);
  }
  if (gamma) {
    const CellGradients<T>& d = a.doptions;
    if (d.dcell_gamma) row(d.dcell_gamma.data(), H) += row(dcell, H) * row(s.cell_normal, H);
    if (d.dcell_beta) row(d.dcell_beta.data(), H) += row(dcell, H);
    row(dcell, H) *= row(gamma, H);
    normalise_backward(dcell, s.cell_normal, H, s.inverse_deviation[2]);
  }
  const T *p = options.peephole.data(), *p_f = coupled ? p : p + H, *p_o = p_f + H;
  T *dp = a.doptions.dpeephole.data(), *dp_f = coupled ? dp : dp + H, *dp_o = dp_f + H;
  for (Index u = 0; u < H; ++u) {
    const T z = zoneout_of(options.zoneout_c, options.zoneout_c_rate, s.t, s.b, u);
    if (dp) dp_o[u] += o[u] * c_new(u);
    T d_c = dcell[u] + (T(1) - z) * s.dc[u];
    if (p) d_c += o[u] * p_o[u];
    const T gate_i = coupled ? T(1) - f[u] : i[u];
    const T d_i = coupled ? T(0) : d_c * g[u] * i[u] * (T(1) - i[u]);
    const T d_f = d_c * (coupled ? s.c_before[u] - g[u] : s.c_before[u]) * f[u] * (T(1) - f[u]);
    s.dc[u] = z * s.dc[u] + d_c * f[u];
    g[u] = d_c * gate_i * (T(1) - g[u] * g[u]);
    f[u] = d_f;
    if (!coupled) i[u] = d_i;
    if (p) s.dc[u] += d_f * p_f[u] + (coupled ? T(0) : d_i * p[u]);
    if (dp) dp_f[u] += d_f * s.c_before[u];
    if (dp && !coupled) dp[u] += d_i * s.c_before[u];
  }
}

/// `dq`: of the state's part of the candidate.
template <class T>
void gru_step_backward(const RecurrentBackward<T>& a, const RecurrentSizes& size,
                       const BackwardStep<T>& s, T* dq) {
  const Index H = size.H;
  T *r = s.gates, *z = s.gates + H, *n = s.gates + 2 * H;
  for (Index u = 0; u < H; ++u) {
    const T d = s.doutput[u];
    const T d_n = d * (T(1) - z[u]) * (T(1) - n[u] * n[u]);
    const T d_z = d * (s.h_before[u] - n[u]) * z[u] * (T(1) - z[u]);
    s.dh[u] += d * z[u];
    z[u] = d_z;
    n[u] = d_n;
  }
  if (a.cell == Cell::kGru) {
    for (Index u = 0; u < H; ++u) {
      dq[u] = n[u] * r[u];
      r[u] = n[u] * s.extra[u] * r[u] * (T(1) - r[u]);
    }
  } else {  // here dq is the gradient with respect to r * h'
    row(dq, H).setZero();
    add_product_transposed(n, H, a.recurrent_kernel.data() + 2 * H, size.width, dq, H);
    for (Index u = 0; u < H; ++u) {
      s.dh_in[u] = dq[u] * r[u];
      r[u] = dq[u] * s.h_in[u] * r[u] * (T(1) - r[u]);
    }
  }
}

/// From dh and dc to the gradients of the pre-activations, `gates` and `drecurrent`.
template <class T>
void recurrent_step_backward(const RecurrentBackward<T>& a, const RecurrentSizes& n,
                             const BackwardStep<T>& s, T* row_of_h, T* row_of_p) {
  const CellOptions<T>& o = a.options;
  for (Index u = 0; u < n.P; ++u) {
    const T z = zoneout_of(o.zoneout_h, o.zoneout_h_rate, s.t, s.b, u);
    row_of_p[u] = (T(1) - z) * s.dh[u];
    s.dh[u] = z * s.dh[u];
  }
  if (o.projection) {
    row(s.doutput, n.H).setZero();
    add_product_transposed(row_of_p, n.P, o.projection.data(), n.P, s.doutput, n.H);
    if (T* dW = a.doptions.dprojection.data()) add_outer(s.output, n.H, row_of_p, n.P, dW, n.P);
  } else {
    row(s.doutput, n.H) = row(row_of_p, n.H);
  }
  row(s.dh_in, n.P).setZero();
  if (is_lstm(a.cell)) {
    lstm_step_backward(a, n, s, row_of_h);
  } else if (is_gru(a.cell)) {
    gru_step_backward(a, n, s, row_of_h);
  } else {
    for (Index u = 0; u < n.H; ++u) {
      const T h = s.gates[u];  // h~
      s.gates[u] = a.cell == Cell::kRnnTanh ? s.doutput[u] * (T(1) - h * h)
                   : real_part(h) > 0       ? s.doutput[u]
                                            : T(0);
    }
  }
  row(s.drecurrent, n.width) = row(s.gates, n.width);
  if (a.cell == Cell::kGru) row(s.drecurrent + 2 * n.H, n.H) = row(row_of_h, n.H);
}

/// Through the normalisations of both products, whose gradients then replace those of the
/// pre-activations.
template <class T>
void products_normalise_backward(const RecurrentBackward<T>& a, Index width,
                                 const BackwardStep<T>& s) {
  const auto through = [width](const View<const T>& gamma, const View<T>& dgamma, const T* normal,
                               T inverse_deviation, T* d) {
    if (dgamma) row(dgamma.data(), width) += row(d, width) * row(normal, width);
    row(d, width) *= row(gamma.data(), width);
    normalise_backward(d, normal, width, inverse_deviation);
  };
  through(a.options.kernel_gamma, a.doptions.dkernel_gamma, s.kernel_normal, s.inverse_deviation[0],
          s.gates);
  through(a.options.recurrent_gamma, a.doptions.drecurrent_gamma, s.recurrent_normal,
          s.inverse_deviation[1], s.drecurrent);
}

/// What biases and kernels of one step receive.
template <class T>
void add_bias_gradient(const RecurrentBackward<T>& a, const RecurrentSizes& n,
                       const BackwardStep<T>& s) {
  if (!a.dbias) return;
  row(a.dbias.data(), n.width) += row(s.gates, n.width);
  if (a.cell == Cell::kGru) {
    row(a.dbias.data() + n.width, n.width) += row(s.drecurrent, n.width);
  }
}
template <class T>
void add_kernel_gradients(const RecurrentBackward<T>& a, const RecurrentSizes& n,
                          const BackwardStep<T>& s) {
  if (a.dkernel) add_outer(s.x, n.I, s.gates, n.width, a.dkernel.data(), n.width);
  if (!a.drecurrent_kernel) return;
  T* dU = a.drecurrent_kernel.data();
  const bool apart = a.cell == Cell::kGruResetBefore;  // n sees r * h'
  add_outer(s.h_in, n.P, s.drecurrent, apart ? 2 * n.H : n.width, dU, n.width);
  if (apart) add_outer(s.extra, n.H, s.gates + 2 * n.H, n.H, dU + 2 * n.H, n.width);
}

template <class T>
void recurrent_backward(const RecurrentBackward<T>& a) noexcept {
  const RecurrentSizes n = sizes_of(a);
  ScratchRows<T> scratch(a.scratch);
  BackwardStep<T> s{};
  s.dh = scratch.take(n.P);
  s.dh_in = scratch.take(n.P);
  s.dc = scratch.take(n.H);
  s.doutput = scratch.take(n.H);
  s.drecurrent = scratch.take(n.width);
  T *zeros_h = scratch.take(n.P), *zeros_c = scratch.take(n.H), *masked = scratch.take(n.P);
  T *row_of_h = scratch.take(n.H), *row_of_p = scratch.take(n.P);
  row(zeros_h, n.P).setZero();
  row(zeros_c, n.H).setZero();
  for (Index b = 0; b < n.batch; ++b) {
    const Index length = length_of(a.lengths, b, n.time);
    row(s.dh, n.P).setZero();
    row(s.dc, n.H).setZero();
    if (a.dhn) row(s.dh, n.P) = row(&a.dhn(b, 0), n.P);
    if (a.dcn) row(s.dc, n.H) = row(&a.dcn(b, 0), n.H);
    for (Index step = length - 1; step >= 0; --step) {
      const Index t = time_of(step, length, a.go_backwards);
      const Index before = time_of(step - 1, length, a.go_backwards);
      const auto at = [&](const View<T>& kept) { return kept ? &kept(t, b, 0) : nullptr; };
      s.t = t;
      s.b = b;
      s.x = n.I > 0 ? &a.x(t, b, 0) : nullptr;
      s.h_before = step > 0 ? &a.y(before, b, 0) : a.h0 ? &a.h0(b, 0) : zeros_h;
      s.h_in = recurrent_input(a, b, s.h_before, masked);
      s.c_before = !is_lstm(a.cell) ? nullptr
                   : step > 0       ? &a.extra(before, b, 0)
                   : a.c0           ? &a.c0(b, 0)
                                    : zeros_c;
      s.gates = at(a.gates);
      s.extra = at(a.extra);
      s.kernel_normal = at(a.kept.kernel_normal);
      s.recurrent_normal = at(a.kept.recurrent_normal);
      s.cell_normal = at(a.kept.cell_normal);
      s.inverse_deviation = at(a.kept.inverse_deviation);
      s.output = at(a.kept.output);
      if (a.dy) row(s.dh, n.P) += row(&a.dy(t, b, 0), n.P);
      recurrent_step_backward(a, n, s, row_of_h, row_of_p);
      add_bias_gradient(a, n, s);
      if (a.options.kernel_gamma) products_normalise_backward(a, n.width, s);
      add_kernel_gradients(a, n, s);
      add_product_transposed(s.drecurrent, a.cell == Cell::kGruResetBefore ? 2 * n.H : n.width,
                             a.recurrent_kernel.data(), n.width, s.dh_in, n.P);
      if (a.options.recurrent_mask) row(s.dh_in, n.P) *= row(&a.options.recurrent_mask(b, 0), n.P);
      row(s.dh, n.P) += row(s.dh_in, n.P);
      if (a.dx) {
        row(&a.dx(t, b, 0), n.I).setZero();
        add_product_transposed(s.gates, n.width, a.kernel.data(), n.width, &a.dx(t, b, 0), n.I);
      }
    }
    if (a.dx) {
      for (Index t = length; t < n.time; ++t) row(&a.dx(t, b, 0), n.I).setZero();
    }
    if (a.dh0) row(&a.dh0(b, 0), n.P) = row(s.dh, n.P);
    if (a.dc0) row(&a.dc0(b, 0), n.H) = row(s.dc, n.H);
  }
}

}  // namespace rnn::reference
