// Softmax and its cross-entropy.
#pragma once

#include <algorithm>

#include "kernels/reference/rows.h"
#include "rnn/kernels.h"

namespace rnn::reference {

/// The largest logit of a row by real part; subtracted first so that exp cannot overflow.
template <class T>
T largest(const T* logits, Index n) {
  return *std::max_element(logits, logits + n,
                           [](const T& p, const T& q) { return real_part(p) < real_part(q); });
}

template <class T>
T log_sum_exp(const T* logits, Index n) {
  using std::exp, std::log;
  const T top = largest(logits, n);
  T sum(0);
  for (Index v = 0; v < n; ++v) sum += exp(logits[v] - top);
  return top + log(sum);
}

template <class T>
void cross_entropy_forward(const CrossEntropyForward<T>& a) noexcept {
  const Index N = a.logits.extent(0), V = a.logits.extent(1);
  for (Index n = 0; n < N; ++n) {
    const std::int32_t target = a.targets[n];
    if (target < 0) {
      a.nats[n] = T(0);
      a.log_normalizer[n] = T(0);
      continue;
    }
    a.log_normalizer[n] = log_sum_exp(&a.logits(n, 0), V);
    a.nats[n] = a.log_normalizer[n] - a.logits(n, target);
    if (a.smoothing == T(0)) continue;
    T sum(0);
    for (Index v = 0; v < V; ++v) sum += a.log_normalizer[n] - a.logits(n, v);
    a.nats[n] = (T(1) - a.smoothing) * a.nats[n] + a.smoothing / T(static_cast<float>(V)) * sum;
  }
}

template <class T>
void cross_entropy_backward(const CrossEntropyBackward<T>& a) noexcept {
  using std::exp;
  const Index N = a.logits.extent(0), V = a.logits.extent(1);
  const T spread = a.smoothing / T(static_cast<float>(V)), hit = T(1) - a.smoothing + spread;
  for (Index n = 0; n < N; ++n) {
    const std::int32_t target = a.targets[n];
    if (target < 0) {
      row(&a.dlogits(n, 0), V).setZero();
      continue;
    }
    const T scale = a.weights ? a.scale * a.weights[n] : a.scale;
    for (Index v = 0; v < V; ++v) {
      const T probability = exp(a.logits(n, v) - a.log_normalizer[n]);
      a.dlogits(n, v) = scale * (probability - (v == target ? hit : spread));
    }
  }
}

template <class T>
void softmax(const SoftmaxForward<T>& a) noexcept {
  using std::exp;
  const Index N = a.logits.extent(0), V = a.logits.extent(1);
  for (Index n = 0; n < N; ++n) {
    const T* logits = &a.logits(n, 0);
    T* y = &a.y(n, 0);
    // Dividing by the sum, not subtracting its logarithm: beside a large logit that would drown.
    const T top = largest(logits, V);
    T sum(0);
    for (Index v = 0; v < V; ++v) {
      y[v] = exp(logits[v] - top);
      sum += y[v];
    }
    for (Index v = 0; v < V; ++v) y[v] /= sum;
  }
}

}  // namespace rnn::reference
