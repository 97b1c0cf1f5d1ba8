// x W + b and the loss of its softmax inside a head: which parameters of the call it takes, and
// where in the memory of the call it keeps what it makes.
#pragma once

#include <cstddef>
#include <optional>

#include "rnn/layer.h"

namespace rnn {

struct SoftmaxLoss {
  std::size_t kernel = 0;             // place of W among the parameters
  std::optional<std::size_t> bias{};  // place of b; none: there is none
  bool transposed = false;            // W is [V,F]
  float smoothing = 0;
  std::size_t kept = 0, dx = 0;                           // slots of floats
  std::size_t forward_scratch = 0, backward_scratch = 0;  // slots of bytes

  /// `nats` [T*B] of targets [T*B] for the values of x [T,B,F].
  void forward(const Sequence& x, View<const std::int32_t> targets, View<float> nats,
               Call& call) const;
  /// Adds to the gradients of W and b, after `forward` in training with the same memory. `weights`
  /// [T*B] or null. Gives dx [T,B,F], or null unless it is wanted.
  View<float> backward(const Sequence& x, View<const std::int32_t> targets, float scale,
                       View<const float> weights, bool wants_dx, Call& call) const;
};

}  // namespace rnn
