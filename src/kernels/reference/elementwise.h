// Dropout and activations.
#pragma once

#include "kernels/reference/rows.h"
#include "rnn/kernels.h"

namespace rnn::reference {

template <class T>
void dropout(const DropoutForward<T>& a) noexcept {
  const Index time = a.y.extent(0), batch = a.y.extent(1), F = a.y.extent(2);
  const T scale = a.scaled ? T(1) / T(1 - a.rate) : T(1);
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      T* y = &a.y(t, b, 0);
      if (t >= length_of(a.lengths, b, time)) {
        row(y, F).setZero();
        continue;
      }
      const T* x = a.x ? &a.x(t, b, 0) : nullptr;
      const auto example = a.examples.empty() ? static_cast<std::uint32_t>(b)
                                              : a.examples[static_cast<std::size_t>(b)];
      const auto drawn_at = a.shared_over_time ? 0u : static_cast<std::uint32_t>(t);
      for (Index quarter = 0; quarter * 4 < F; ++quarter) {
        const auto block = a.random.block(example, drawn_at, static_cast<std::uint32_t>(quarter));
        for (Index u = quarter * 4; u < F && u < quarter * 4 + 4; ++u) {
          const float draw = Random::to_uniform(block[static_cast<std::size_t>(u % 4)]);
          y[u] = draw < a.rate ? T(0) : x ? x[u] * scale : scale;
        }
      }
    }
  }
}

template <class T>
void activation_forward(const ActivationForward<T>& a) noexcept {
  using std::tanh;
  for (Index i = 0; i < a.x.size(); ++i) {
    const T x = a.x[i];
    switch (a.activation) {
      case Activation::kTanh:
        a.y[i] = tanh(x);
        break;
      case Activation::kSigmoid:
        a.y[i] = sigmoid(x);
        break;
      case Activation::kRelu:
        a.y[i] = real_part(x) > 0 ? x : T(0);
        break;
    }
  }
}

template <class T>
void activation_backward(const ActivationBackward<T>& a) noexcept {
  for (Index i = 0; i < a.y.size(); ++i) {
    const T y = a.y[i];
    switch (a.activation) {
      case Activation::kTanh:
        a.dx[i] = a.dy[i] * (T(1) - y * y);
        break;
      case Activation::kSigmoid:
        a.dx[i] = a.dy[i] * y * (T(1) - y);
        break;
      case Activation::kRelu:
        a.dx[i] = real_part(y) > 0 ? a.dy[i] : T(0);
        break;
    }
  }
}

}  // namespace rnn::reference
