// Pooling over time.
#pragma once

#include <cmath>

#include "kernels/reference/rows.h"
#include "rnn/sequence_kernels.h"

namespace rnn::reference {

/// Whether x takes the place of the largest so far. Something that is not a number does, and stays.
/// Without a branch, so that compilers make vectors of it.
template <class T>
bool exceeds(const T& x, const T& largest) {
  const auto candidate = real_part(x), best = real_part(largest);
  return (best == best) & !(candidate <= best);
}

/// Softmax of the scores of sequence b over its own length.
template <class T>
void attention_weights(const PoolForward<T>& a, Index b, Index length) {
  using std::exp;
  T top = a.scores(0, b, 0), sum(0);
  for (Index t = 1; t < length; ++t) {
    if (exceeds(a.scores(t, b, 0), top)) top = a.scores(t, b, 0);
  }
  for (Index t = 0; t < length; ++t) {
    a.weights(t, b, 0) = exp(a.scores(t, b, 0) - top);
    sum += a.weights(t, b, 0);
  }
  for (Index t = 0; t < length; ++t) a.weights(t, b, 0) /= sum;
}

template <class T>
void pool_forward(const PoolForward<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), F = a.x.extent(2);
  for (Index b = 0; b < batch; ++b) {
    const Index length = length_of(a.lengths, b, time);
    T* y = &a.y(b, 0);
    row(y, F).setZero();
    for (Index t = length; a.weights && t < time; ++t) a.weights(t, b, 0) = T(0);
    if (length == 0) continue;
    switch (a.pooling) {
      case Pooling::kMax:
        row(y, F) = row(&a.x(0, b, 0), F);
        for (Index t = 1; t < length; ++t) {
          const T* x = &a.x(t, b, 0);
          for (Index f = 0; f < F; ++f) {
            y[f] = exceeds(x[f], y[f]) ? x[f] : y[f];
          }
        }
        break;
      case Pooling::kMean:
      case Pooling::kSum:
        for (Index t = 0; t < length; ++t) row(y, F) += row(&a.x(t, b, 0), F);
        if (a.pooling == Pooling::kMean) row(y, F) /= T(static_cast<float>(length));
        break;
      case Pooling::kLast:
        row(y, F) = row(&a.x(length - 1, b, 0), F);
        break;
      case Pooling::kAttention:
        attention_weights(a, b, length);
        for (Index t = 0; t < length; ++t) {
          row(y, F) += a.weights(t, b, 0) * row(&a.x(t, b, 0), F);
        }
        break;
    }
  }
}

template <class T>
T dot(const T* p, const T* q, Index n) {
  T sum(0);
  for (Index i = 0; i < n; ++i) sum += p[i] * q[i];
  return sum;
}

template <class T>
void pool_backward(const PoolBackward<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), F = a.x.extent(2);
  for (Index b = 0; b < batch; ++b) {
    const Index length = length_of(a.lengths, b, time);
    const T* dy = &a.dy(b, 0);
    if (a.dscores) {
      const T along_y = dot(dy, &a.y(b, 0), F);
      for (Index t = 0; t < time; ++t) {
        a.dscores(t, b, 0) =
            t < length ? a.weights(t, b, 0) * (dot(dy, &a.x(t, b, 0), F) - along_y) : T(0);
      }
    }
    if (!a.dx) continue;
    for (Index t = 0; t < time; ++t) {
      auto dx = row(&a.dx(t, b, 0), F);
      if (t >= length || a.pooling == Pooling::kMax ||
          (a.pooling == Pooling::kLast && t != length - 1)) {
        dx.setZero();
      } else if (a.pooling == Pooling::kMean) {
        dx = row(dy, F) / T(static_cast<float>(length));
      } else if (a.pooling == Pooling::kLast || a.pooling == Pooling::kSum) {
        dx = row(dy, F);
      } else {
        dx = a.weights(t, b, 0) * row(dy, F);
      }
    }
    for (Index f = 0; a.pooling == Pooling::kMax && length > 0 && f < F; ++f) {
      Index first = 0;
      for (Index t = 1; t < length; ++t) {
        if (exceeds(a.x(t, b, f), a.x(first, b, f))) first = t;
      }
      a.dx(first, b, f) = dy[f];
    }
  }
}

}  // namespace rnn::reference
