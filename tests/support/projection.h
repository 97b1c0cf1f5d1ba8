// The scalar whose gradient a kernel's backward pass gives: sum(dy * y) over what is no padding.
#pragma once

#include <cstdint>
#include <span>

#include "rnn/kernels.h"
#include "rnn/tensor.h"

namespace rnn::test {

/// `dy` has the shape [T,B,.] of `y`; lengths as kernels take them.
template <class T>
T projected(const BasicTensor<T>& y, const BasicTensor<double>& dy,
            std::span<const std::int32_t> lengths = {}) {
  T sum(0);
  const Index time = y.extent(0), batch = y.extent(1), width = y.size() / (time * batch);
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      if (t >= length_of(lengths, b, time)) continue;
      for (Index f = 0; f < width; ++f) {
        const Index i = (t * batch + b) * width + f;
        sum += dy[i] * y[i];
      }
    }
  }
  return sum;
}

}  // namespace rnn::test
