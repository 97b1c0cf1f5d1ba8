// Argument structs of the kernels of output heads beyond plain softmax. What kernels.h says of all
// kernels holds here too.
#pragma once

#include "rnn/kernels.h"

namespace rnn {

/// x W + b as DenseForward has it, and the loss of each target under its softmax as
/// CrossEntropyForward has it, in one: a backend need not keep the logits, of which there are V for
/// each step.
template <class T>
struct SoftmaxLossForward {
  View<const T> x{};  ///< [T,B,F]
  std::span<const std::int32_t> lengths{};
  View<const T> kernel{};  ///< [F,V], or [V,F] when transposed
  bool transposed = false;
  View<const T> bias{};                ///< [V], or null
  View<const std::int32_t> targets{};  ///< [T*B]; below zero, as in padding: masked, its loss is 0
  View<T> nats{};                      ///< [T*B]
  View<T> kept{};                      ///< Backend::kept_floats of them
  bool for_backward = true;            ///< false: nothing is kept for a backward pass
  T smoothing{0};
  std::span<std::byte> scratch{};
  std::uint64_t weights_version = 0;

  Index classes() const { return kernel.extent(transposed ? 0 : 1); }
};

/// The gradient of scale * the sum of weight * nats.
template <class T>
struct SoftmaxLossBackward {
  View<const T> x{};  ///< [T,B,F]
  std::span<const std::int32_t> lengths{};
  View<const T> kernel{};  ///< [F,V], or [V,F] when transposed
  bool transposed = false;
  View<const std::int32_t> targets{};  ///< [T*B]
  View<T> kept{};                      ///< by the forward pass, consumed
  T scale{1};
  View<const T> weights{};     ///< [T*B]; null: ones
  View<T> dx{};                ///< [T,B,F], or null
  View<T> dkernel{}, dbias{};  ///< added to; null: frozen
  T smoothing{0};
  std::span<std::byte> scratch{};

  Index classes() const { return kernel.extent(transposed ? 0 : 1); }
};

/// The logits of all steps, at the start of what is kept of a softmax loss that is computed in two
/// steps; their normalizers come after them.
template <class T, class Args>
View<T> kept_logits(const Args& a) {
  return {a.kept.data(), {a.x.extent(0), a.x.extent(1), a.classes()}};
}

/// The two steps that a softmax loss consists of, and those of its gradient.
template <class T>
DenseForward<T> dense_of(const SoftmaxLossForward<T>& a) {
  return {.x = a.x,
          .lengths = a.lengths,
          .kernel = a.kernel,
          .transposed = a.transposed,
          .bias = a.bias,
          .y = kept_logits<T>(a),
          .scratch = a.scratch,
          .weights_version = a.weights_version};
}
template <class T>
CrossEntropyForward<T> cross_entropy_of(const SoftmaxLossForward<T>& a) {
  const Index N = a.targets.size();
  const View<T> logits = kept_logits<T>(a);
  return {.logits = logits.reshaped({N, a.classes()}),
          .targets = a.targets,
          .nats = a.nats,
          .log_normalizer = {logits.data() + logits.size(), {N}},
          .smoothing = a.smoothing};
}
template <class T>
CrossEntropyBackward<T> cross_entropy_of(const SoftmaxLossBackward<T>& a) {
  const Index N = a.targets.size();
  const View<T> logits = kept_logits<T>(a), rows = logits.reshaped({N, a.classes()});
  return {.logits = rows,
          .targets = a.targets,
          .log_normalizer = {logits.data() + logits.size(), {N}},
          .scale = a.scale,
          .weights = a.weights,
          .dlogits = rows,
          .smoothing = a.smoothing};
}
template <class T>
DenseBackward<T> dense_of(const SoftmaxLossBackward<T>& a) {
  return {.x = a.x,
          .lengths = a.lengths,
          .kernel = a.kernel,
          .transposed = a.transposed,
          .dy = kept_logits<T>(a),
          .dx = a.dx,
          .dkernel = a.dkernel,
          .dbias = a.dbias,
          .scratch = a.scratch};
}

/// Sum over the labels of a row of -log(target ? p : 1 - p), p = sigmoid(logit), in nats; labels
/// whose target is below zero are masked.
template <class T>
struct BinaryCrossEntropyForward {
  View<const T> logits{};              ///< [N,V]
  View<const std::int32_t> targets{};  ///< [N,V] 0, 1 or masked
  View<T> nats{};                      ///< [N]
};

/// dlogits = scale * weight * (sigmoid(logit) - target); zero where masked.
template <class T>
struct BinaryCrossEntropyBackward {
  View<const T> logits{};  ///< [N,V]; may be the same memory as dlogits
  View<const std::int32_t> targets{};
  T scale{1};
  View<const T> weights{};  ///< [N]; null: ones
  View<T> dlogits{};
};

/// A linear chain over K labels: what a path j_1 .. j_L through one sequence scores,
///   score = start[j_1] + sum over t of emissions[t, j_t]
///         + sum over t > 1 of transitions[j_(t-1), j_t] + end[j_L],
/// and the probability of a path is exp(score) divided by Z, the sum over all paths.
template <class T>
struct CrfScores {
  View<const T> emissions{};  ///< [T,B,K]
  std::span<const std::int32_t> lengths{};
  View<const T> transitions{};   ///< [K,K] from row to column
  View<const T> start{}, end{};  ///< [K]
  /// [K+1,K+1], 0 where a transition is impossible; row K is the start, column K the end. Empty:
  /// everything is possible.
  std::span<const std::uint8_t> allowed{};

  Index labels() const { return emissions.extent(2); }
  /// Whether label j may follow label i; i = K asks for the start, j = K for the end.
  bool allows(Index i, Index j) const {
    return allowed.empty() || allowed[static_cast<std::size_t>(i * (labels() + 1) + j)] != 0;
  }
};

/// nats[b] = log Z - log of the sum of exp(score) over the paths that agree with the targets: one
/// path when every step has a target, all that fit when some are masked (Tsuboi et al. 2008).
/// Sums are taken of logarithms, in double precision: exact to rounding and finite for any length.
template <class T>
struct CrfForward {
  CrfScores<T> scores{};
  View<const std::int32_t> targets{};  ///< [T,B]; below zero: any label. Null: nats = log Z
  View<T> nats{};                      ///< [B]; 0 for an empty sequence
  View<T> marginals{};                 ///< [T,B,K] probability of each label, or null
  std::span<std::byte> scratch{};      ///< crf_scratch_bytes
};

/// The gradient of scale * the sum of weight[b] * nats[b].
template <class T>
struct CrfBackward {
  CrfScores<T> scores{};
  View<const std::int32_t> targets{};  ///< [T,B]
  T scale{1};
  View<const T> weights{};                   ///< [B]; null: ones
  View<T> demissions{};                      ///< [T,B,K] written
  View<T> dtransitions{}, dstart{}, dend{};  ///< added to; null: frozen
  std::span<std::byte> scratch{};            ///< crf_scratch_bytes
};

/// Scratch of both for T steps and K labels, whatever the scalar.
inline std::size_t crf_scratch_bytes(Index time, Index labels) {
  return static_cast<std::size_t>(2 * time * labels + labels * labels + 3 * labels) * 2 *
         sizeof(double);
}

}  // namespace rnn
