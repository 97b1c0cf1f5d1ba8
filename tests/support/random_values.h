// Tensors of distinct random numbers, of poison, and scratch memory for a kernel.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "rnn/random.h"
#include "rnn/tensor.h"

namespace rnn::test {

/// Multiples of `scale` * 2^-23 in [-scale, scale). With a power of two for scale, every scalar
/// type holds the same numbers.
template <class T>
BasicTensor<T> random_values(const Shape& shape, const Random& random, double scale = 1) {
  BasicTensor<T> values(shape);
  for (Index i = 0; i < values.size(); ++i) {
    const double uniform = static_cast<double>(random.uniform(static_cast<std::uint64_t>(i)));
    values[i] = T((2 * uniform - 1) * scale);
  }
  return values;
}

/// What must not be read, or must be overwritten, starts as this.
template <class T>
T poison() {
  return T(std::numeric_limits<float>::quiet_NaN());
}
template <class T>
BasicTensor<T> poisoned(const Shape& shape) {
  BasicTensor<T> values(shape);
  values.fill(poison<T>());
  return values;
}

/// Poison on the steps beyond each length of a [T,B,.] tensor.
template <class T>
void poison_padding(BasicTensor<T>& sequences, std::span<const std::int32_t> lengths) {
  if (lengths.empty() || sequences.empty()) return;
  const Index time = sequences.extent(0), batch = sequences.extent(1);
  const Index width = sequences.size() / (time * batch);
  for (Index b = 0; b < batch; ++b) {
    for (Index t = lengths[static_cast<std::size_t>(b)]; t < time; ++t) {
      std::fill_n(sequences.data() + (t * batch + b) * width, width, poison<T>());
    }
  }
}

/// Gives `args` the scratch that `backend` wants for it and calls `kernel(args)`.
template <class BackendType, class Args, class Kernel>
void with_scratch(const BackendType& backend, Args args, Kernel&& kernel) {
  BasicTensor<std::byte> scratch(Shape{static_cast<Index>(backend.scratch_bytes(args))});
  args.scratch = {scratch.data(), static_cast<std::size_t>(scratch.size())};
  kernel(args);
}

}  // namespace rnn::test
