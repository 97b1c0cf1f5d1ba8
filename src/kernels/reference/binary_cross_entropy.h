// Cross-entropy of independent yes-or-no labels.
#pragma once

#include "kernels/reference/rows.h"
#include "rnn/loss_kernels.h"

namespace rnn::reference {

template <class T>
void binary_cross_entropy_forward(const BinaryCrossEntropyForward<T>& a) noexcept {
  using std::exp, std::log;
  const Index N = a.logits.extent(0), V = a.logits.extent(1);
  for (Index n = 0; n < N; ++n) {
    T sum(0);
    for (Index v = 0; v < V; ++v) {
      if (a.targets(n, v) < 0) continue;
      // -log sigmoid(z) with z = +logit or -logit, arranged so that exp cannot overflow.
      const T z = a.targets(n, v) == 1 ? a.logits(n, v) : -a.logits(n, v);
      sum += real_part(z) < 0 ? log(T(1) + exp(z)) - z : log(T(1) + exp(-z));
    }
    a.nats[n] = sum;
  }
}

template <class T>
void binary_cross_entropy_backward(const BinaryCrossEntropyBackward<T>& a) noexcept {
  const Index N = a.logits.extent(0), V = a.logits.extent(1);
  for (Index n = 0; n < N; ++n) {
    const T scale = a.weights ? a.scale * a.weights[n] : a.scale;
    for (Index v = 0; v < V; ++v) {
      const std::int32_t target = a.targets(n, v);
      a.dlogits(n, v) =
          target < 0 ? T(0) : scale * (sigmoid(a.logits(n, v)) - T(static_cast<float>(target)));
    }
  }
}

}  // namespace rnn::reference
