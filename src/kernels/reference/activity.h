// The gradient of activity penalties.
#pragma once

#include "kernels/reference/rows.h"
#include "rnn/sequence_kernels.h"

namespace rnn::reference {

template <class T>
void activity_gradient(const ActivityGradient<T>& a) noexcept {
  const Index time = a.x.extent(0), batch = a.x.extent(1), F = a.x.extent(2);
  const T level = a.scale * T(2 * a.l2) / T(static_cast<float>(F));
  const T change = a.scale * T(2 * a.temporal_l2) / T(static_cast<float>(F));
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      const Index length = length_of(a.lengths, b, time);
      auto dx = row(&a.dx(t, b, 0), F);
      if (t >= length) {
        dx.setZero();
        continue;
      }
      const auto x = row(&a.x(t, b, 0), F);
      dx = row(&a.dy(t, b, 0), F) + level * x;
      if (t > 0) dx += change * (x - row(&a.x(t - 1, b, 0), F));
      if (t + 1 < length) dx += change * (x - row(&a.x(t + 1, b, 0), F));
    }
  }
}

}  // namespace rnn::reference
