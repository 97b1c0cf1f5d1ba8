// x W + b inside a layer or head: which parameters of the call it takes, and where in the memory of
// the call it keeps what it makes.
#pragma once

#include <cstddef>
#include <optional>

#include "rnn/layer.h"

namespace rnn {

struct Affine {
  std::size_t kernel = 0;                    // place of W among the parameters
  std::optional<std::size_t> bias{};         // place of b; none: there is none
  bool transposed = false;                   // W is [U,F]
  std::optional<Activation> activation{};    // of x W + b
  std::size_t y = 0, dx = 0, activated = 0;  // slots of floats; the last: of dy before activation
  std::size_t forward_scratch = 0, backward_scratch = 0;  // slots of bytes

  /// y [T,B,U] from the values of x [T,B,F]; zeros in padding.
  View<float> forward(const Sequence& x, Call& call) const;
  /// Adds to the gradients of W and b, after `forward` with the same memory. Gives dx [T,B,F], or
  /// null unless it is wanted.
  View<float> backward(const Sequence& x, View<const float> dy, bool wants_dx, Call& call) const;
};

/// W and, if there is one, b as a layer's first two parameters.
inline std::optional<std::size_t> bias_after_kernel(bool use_bias) {
  return use_bias ? std::optional<std::size_t>(1) : std::nullopt;
}

}  // namespace rnn
