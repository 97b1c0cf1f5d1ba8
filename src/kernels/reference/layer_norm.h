// Layer normalisation.
#pragma once

#include "kernels/reference/rows.h"
#include "rnn/sequence_kernels.h"

namespace rnn::reference {

template <class T>
struct Moments {
  T mean, inverse_deviation;
};

/// One accumulator each, in the order of k: the same bits wherever the row lies in memory.
template <class T>
Moments<T> moments(const T* x, Index n, float epsilon) {
  using std::sqrt;
  const T count(static_cast<float>(n));
  T sum(0), squares(0);
  for (Index k = 0; k < n; ++k) sum += x[k];
  const T mean = sum / count;
  for (Index k = 0; k < n; ++k) squares += (x[k] - mean) * (x[k] - mean);
  return {mean, T(1) / sqrt(squares / count + T(epsilon))};
}

template <class T>
void layer_norm_forward(const LayerNormForward<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), F = a.x.extent(2);
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      auto y = row(&a.y(t, b, 0), F);
      if (t >= length_of(a.lengths, b, time)) {
        y.setZero();
        continue;
      }
      const auto [mean, inverse] = moments(&a.x(t, b, 0), F, a.epsilon);
      y = row(a.gamma.data(), F) * ((row(&a.x(t, b, 0), F) - mean) * inverse) +
          row(a.beta.data(), F);
    }
  }
}

template <class T>
void layer_norm_backward(const LayerNormBackward<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), F = a.x.extent(2);
  const T count(static_cast<float>(F));
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      if (t >= length_of(a.lengths, b, time)) {
        if (a.dx) row(&a.dx(t, b, 0), F).setZero();
        continue;
      }
      const T *x = &a.x(t, b, 0), *dy = &a.dy(t, b, 0);
      const auto [mean, inverse] = moments(x, F, a.epsilon);
      if (a.dgamma) row(a.dgamma.data(), F) += row(dy, F) * ((row(x, F) - mean) * inverse);
      if (a.dbeta) row(a.dbeta.data(), F) += row(dy, F);
      if (!a.dx) continue;
      // With n = (x - m) / s and d = dy * gamma:  dx = (d - mean(d) - n * mean(d * n)) / s
      T sum(0), along(0);
      for (Index k = 0; k < F; ++k) {
        const T d = dy[k] * a.gamma[k];
        sum += d;
        along += d * ((x[k] - mean) * inverse);
      }
      row(&a.dx(t, b, 0), F) = (row(dy, F) * row(a.gamma.data(), F) - sum / count -
                                ((row(x, F) - mean) * inverse) * (along / count)) *
                               inverse;
    }
  }
}

}  // namespace rnn::reference
