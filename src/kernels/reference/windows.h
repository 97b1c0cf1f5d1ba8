// The windows of a convolution over time.
#pragma once

#include "kernels/reference/rows.h"
#include "rnn/sequence_kernels.h"

namespace rnn::reference {

template <class T>
void window_forward(const WindowForward<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), F = a.x.extent(2);
  const Index places = a.y.extent(0), K = a.y.extent(2) / F;
  // Step s of sequence b, where the steps -left .. -1 are its context; null: zeros.
  const auto step = [&](Index s, Index b) -> const T* {
    if (s >= length_of(a.lengths, b, time)) return nullptr;
    if (s >= 0) return &a.x(s, b, 0);
    return a.context && s >= -a.left ? &a.context(b, (s + a.left) * F) : nullptr;
  };
  const auto copy = [F](const T* from, T* to) {
    if (from) {
      row(to, F) = row(from, F);
    } else {
      row(to, F).setZero();
    }
  };
  for (Index t = 0; t < places; ++t) {
    for (Index b = 0; b < batch; ++b) {
      const bool padding = t >= length_of(a.y_lengths, b, places);
      for (Index k = 0; k < K; ++k) {
        copy(padding ? nullptr : step(t * a.stride - a.left + k * a.dilation, b),
             &a.y(t, b, k * F));
      }
    }
  }
  if (!a.new_context) return;
  for (Index b = 0; b < batch; ++b) {
    const Index length = length_of(a.lengths, b, time);
    for (Index i = 0; i < a.left; ++i) {
      copy(step(length - a.left + i, b), &a.new_context(b, i * F));
    }
  }
}

template <class T>
void window_backward(const WindowBackward<T>& a) noexcept {
  const Index time = a.dx.extent(0), batch = a.dx.extent(1), F = a.dx.extent(2);
  const Index places = a.dy.extent(0), K = a.dy.extent(2) / F;
  for (Index b = 0; b < batch; ++b) {
    const Index length = length_of(a.lengths, b, time);
    for (Index t = 0; t < time; ++t) row(&a.dx(t, b, 0), F).setZero();
    if (a.dcontext) row(&a.dcontext(b, 0), a.left * F).setZero();
    const auto add = [&](Index s, const T* d) {
      if (s >= length || s < -a.left) return;
      if (s >= 0) {
        row(&a.dx(s, b, 0), F) += row(d, F);
      } else if (a.dcontext) {
        row(&a.dcontext(b, (s + a.left) * F), F) += row(d, F);
      }
    };
    for (Index t = 0; t < length_of(a.y_lengths, b, places); ++t) {
      for (Index k = 0; k < K; ++k) {
        add(t * a.stride - a.left + k * a.dilation, &a.dy(t, b, k * F));
      }
    }
    for (Index i = 0; a.dnew_context && i < a.left; ++i) {
      add(length - a.left + i, &a.dnew_context(b, i * F));
    }
  }
}

}  // namespace rnn::reference
