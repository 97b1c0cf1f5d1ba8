// Argument structs of the kernels that arrange sequences: merging, windows, pooling over time,
// layer normalisation, activity penalties. What kernels.h says of all kernels holds here too.
#pragma once

#include "rnn/kernels.h"

namespace rnn {

/// How two sequences become one.
///   kConcat  y = [a, b] side by side
///   kSum     y = a + b
///   kMean    y = (a + b) / 2
///   kMul     y = a * b, element by element
///   kGate    y = g * a + (1 - g) * b, with a third sequence g
enum class Merge { kConcat, kSum, kMean, kMul, kGate };

template <class T>
struct MergeForward {
  Merge merge = Merge::kConcat;
  View<const T> a{};  ///< [T,B,F]
  View<const T> b{};  ///< [T,B,F], [T,B,G] for kConcat; null: y = a
  View<const T> g{};  ///< [T,B,F], kGate alone
  std::span<const std::int32_t> lengths{};
  View<T> y{};  ///< [T,B,F], [T,B,F+G] for kConcat, else it may be the same memory as a or b
};

template <class T>
struct MergeBackward {
  Merge merge = Merge::kConcat;
  View<const T> a{}, b{};  ///< kMul and kGate alone
  View<const T> g{};       ///< kGate alone
  std::span<const std::int32_t> lengths{};
  View<const T> dy{};
  View<T> da{}, db{};  ///< written, not added to
  View<T> dg{};        ///< kGate alone
};

/// What a convolution sees at each of its places, side by side, so that the convolution is one
/// dense product:
///   y[t, b, k*F + f] = x[t * stride - left + k * dilation, b, f]     k = 0 .. K-1
/// Outside a sequence x is zero, but the `left` steps before its first are `context` when given.
template <class T>
struct WindowForward {
  View<const T> x{};                          ///< [T,B,F]
  std::span<const std::int32_t> lengths{};    ///< [B] of x
  std::span<const std::int32_t> y_lengths{};  ///< [B] of y
  Index stride = 1, dilation = 1, left = 0;
  View<const T> context{};  ///< [B,left*F], or null
  View<T> y{};              ///< [T',B,K*F]
  View<T> new_context{};    ///< [B,left*F] the last steps of context and x together, or null
};

template <class T>
struct WindowBackward {
  std::span<const std::int32_t> lengths{};
  std::span<const std::int32_t> y_lengths{};
  Index stride = 1, dilation = 1, left = 0;
  View<const T> dy{};            ///< [T',B,K*F]
  View<const T> dnew_context{};  ///< [B,left*F]; null: zeros
  View<T> dx{};                  ///< [T,B,F]
  View<T> dcontext{};            ///< [B,left*F], or null
};

/// How a sequence becomes one vector. An empty sequence gives zeros.
///   kMax        the largest of each feature; the gradient goes to the first that is largest
///   kMean       the mean over the sequence's own length
///   kLast       the last step
///   kAttention  sum over t of w_t * x_t, w = softmax of scores over the sequence's own length
///   kSum        the sum over the sequence's own length
enum class Pooling { kMax, kMean, kLast, kAttention, kSum };

template <class T>
struct PoolForward {
  Pooling pooling = Pooling::kMax;
  View<const T> x{};  ///< [T,B,F]
  std::span<const std::int32_t> lengths{};
  View<const T> scores{};  ///< [T,B,1], kAttention alone
  View<T> weights{};       ///< [T,B,1], kAttention alone: w
  View<T> y{};             ///< [B,F]
};

template <class T>
struct PoolBackward {
  Pooling pooling = Pooling::kMax;
  View<const T> x{};  ///< [T,B,F]
  std::span<const std::int32_t> lengths{};
  View<const T> weights{};  ///< [T,B,1] as the forward pass gave them
  View<const T> y{};        ///< [B,F] as the forward pass gave it
  View<const T> dy{};       ///< [B,F]
  View<T> dx{};             ///< [T,B,F] with w held fixed, or null
  View<T> dscores{};        ///< [T,B,1], kAttention alone
};

/// The gradient of an activity penalty (Merity, McCann and Socher 2017), joined to that of the
/// loss:
///   R = sum over b and t of l2 / F * |x_t|^2 + temporal_l2 / F * |x_t - x_(t-1)|^2
///   dx = dy + scale * dR / dx
/// Every sequence's first step of the window has no step before it.
template <class T>
struct ActivityGradient {
  View<const T> x{};  ///< [T,B,F]
  std::span<const std::int32_t> lengths{};
  float l2 = 0, temporal_l2 = 0;
  T scale{1};
  View<const T> dy{};  ///< [T,B,F]
  View<T> dx{};        ///< [T,B,F]
};

/// Layer normalisation (Ba, Kiros and Hinton 2016) of every step by itself:
///   m = mean(x), v = mean((x - m)^2) over the F features
///   y = gamma * (x - m) / sqrt(v + epsilon) + beta
template <class T>
struct LayerNormForward {
  View<const T> x{};  ///< [T,B,F]
  std::span<const std::int32_t> lengths{};
  View<const T> gamma{}, beta{};  ///< [F]
  float epsilon = 0;
  View<T> y{};  ///< [T,B,F]
};

/// The statistics are computed again from x.
template <class T>
struct LayerNormBackward {
  View<const T> x{};  ///< [T,B,F]
  std::span<const std::int32_t> lengths{};
  View<const T> gamma{};  ///< [F]
  float epsilon = 0;
  View<const T> dy{};         ///< [T,B,F]
  View<T> dx{};               ///< [T,B,F], or null
  View<T> dgamma{}, dbeta{};  ///< [F], added to; null: frozen
};

}  // namespace rnn
