// What both directions of a recurrent layer share.
#pragma once

#include <algorithm>

#include "kernels/reference/layer_norm.h"
#include "kernels/reference/rows.h"
#include "rnn/kernels.h"

namespace rnn::reference {

/// Where step s of a sequence stands in time.
inline Index time_of(Index s, Index length, bool go_backwards) {
  return go_backwards ? length - 1 - s : s;
}

/// Extents, as cells.h calls them; P is the width of h.
struct RecurrentSizes {
  Index time, batch, I, H, P, width;
};
template <class Args>
RecurrentSizes sizes_of(const Args& a) {
  const Index width = a.recurrent_kernel.extent(1);
  return {a.x.extent(0), a.x.extent(1), a.x.extent(2), width / gates_of(a.cell),
          a.y.extent(2), width};
}

/// Hands out rows of scratch.
template <class T>
class ScratchRows {
 public:
  explicit ScratchRows(std::span<std::byte> memory) : next_(reinterpret_cast<T*>(memory.data())) {}
  T* take(Index n) {
    T* row = next_;
    next_ += n;
    return row;
  }

 private:
  T* next_;
};

/// Bytes that either direction takes.
template <class T, class Args>
std::size_t recurrent_scratch(const Args& a) {
  const RecurrentSizes n = sizes_of(a);
  return static_cast<std::size_t>(4 * n.width + 6 * n.H + 6 * n.P + 3) * sizeof(T);
}

/// What stands for h' of sequence b in recurrent products: h' itself, or masked in `masked`.
template <class Args, class T>
const T* recurrent_input(const Args& a, Index b, const T* h_before, T* masked) {
  if (!a.options.recurrent_mask) return h_before;
  const Index P = a.y.extent(2);
  row(masked, P) = row(h_before, P) * row(&a.options.recurrent_mask(b, 0), P);
  return masked;
}

template <class T>
bool uses_zoneout(const View<const T>& drawn, float rate) {
  return drawn || rate > 0;
}
/// z of a step: of its own where it was drawn, else the same for all.
template <class T>
T zoneout_of(const View<const T>& drawn, float rate, Index t, Index b, Index u) {
  return drawn ? drawn(t, b, u) : T(rate);
}

/// x becomes N(x); returns what x - mean(x) was multiplied by.
template <class T>
T normalise(T* x, Index n, float epsilon) {
  const Moments<T> m = moments(x, n, epsilon);
  row(x, n) = (row(x, n) - m.mean) * m.inverse_deviation;
  return m.inverse_deviation;
}

/// d, the gradient with respect to N(x) = `normal`, becomes that with respect to x.
template <class T>
void normalise_backward(T* d, const T* normal, Index n, T inverse_deviation) {
  const T count(static_cast<float>(n));
  T sum(0), along(0);
  for (Index k = 0; k < n; ++k) {
    sum += d[k];
    along += d[k] * normal[k];
  }
  row(d, n) = (row(d, n) - sum / count - row(normal, n) * (along / count)) * inverse_deviation;
}

}  // namespace rnn::reference
