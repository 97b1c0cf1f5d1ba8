// One argument struct per kernel: what goes in, what comes out, what may overlap.
//
// Common to all. T is the number of time steps, B the batch, N = T*B rows. `lengths` [B] gives each
// sequence's own number of steps, 0 <= length <= T; empty means that all are T long. Steps beyond a
// length are padding: never read, and written as zeros. Outputs are overwritten, except the
// gradients of parameters, which are added to. A null view means: not given, or not wanted. Views
// overlap only where a struct says so. `scratch` holds at least the bytes that
// Backend::scratch_bytes answers for the same struct.
//
// Order of sums, which the promises of the library rest on: an element of an output or of the
// gradient of an input is one accumulator, started at the bias, to which x_k * w_k is added in the
// order of k, then h_k * u_k likewise. A parameter's gradient is summed in an order that depends on
// (T, B, lengths) alone. No order depends on the number of threads. A backend that computes in bf16
// (precision.h) rounds both factors of each product first, to nearest, ties to even, and may add
// two neighbouring products at a time; all else is as in fp32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rnn/cell_options.h"
#include "rnn/cells.h"
#include "rnn/random.h"
#include "rnn/view.h"

namespace rnn {

/// Steps of sequence b when `lengths` may be empty.
inline Index length_of(std::span<const std::int32_t> lengths, Index b, Index time) {
  return lengths.empty() ? time : static_cast<Index>(lengths[static_cast<std::size_t>(b)]);
}

/// A whole window of a recurrent layer; the equations stand in cells.h, options in cell_options.h.
/// P is the width of h: H, unless it is projected.
template <class T>
struct RecurrentForward {
  Cell cell = Cell::kLstm;
  bool go_backwards = false;  ///< each sequence from its own last step to its first
  View<const T> x{};          ///< [T,B,I]
  std::span<const std::int32_t> lengths{};
  View<const T> kernel{};            ///< [I,G*H]
  View<const T> recurrent_kernel{};  ///< [P,G*H]
  View<const T> bias{};              ///< bias_shape(cell, H), or null
  View<const T> h0{}, c0{};          ///< [B,P] and [B,H]; null: zeros
  View<T> y{};                       ///< [T,B,P] h of every step, in the order of time
  View<T> hn{}, cn{};  ///< [B,P], [B,H] state after the last step of each sequence (h0 for
                       ///< an empty one); may be null; may alias h0, c0
  View<T> gates{};     ///< [T,B,G*H] gates after activation; null in inference
  View<T> extra{};     ///< [T,B,H] see keeps_extra; null in inference. Padding of
                       ///< these two is unspecified and never read
  CellOptions<T> options{};
  CellKept<T> kept{};  ///< as `gates`
  std::span<std::byte> scratch{};
  /// Changes whenever the weights do; 0: unknown. While it stays, `scratch` handed in again may
  /// still hold what a backend derived from the weights.
  std::uint64_t weights_version = 0;
  /// Where x is rows of a table, which changes with `weights_version` too: at valid steps x[t,b] is
  /// table[symbols[t,b]], or zeros for a symbol below 0. A backend may make use of it; `x` is given
  /// all the same.
  View<const std::int32_t> symbols{};  ///< [T,B], or null
  View<const T> table{};               ///< [V,I], or null
};

/// The gradient of RecurrentForward. `gates` and `extra` are consumed: `gates` comes back as the
/// gradient with respect to the pre-activations, `extra` is unspecified.
template <class T>
struct RecurrentBackward {
  Cell cell = Cell::kLstm;
  bool go_backwards = false;
  View<const T> x{};  ///< [T,B,I]
  std::span<const std::int32_t> lengths{};
  View<const T> kernel{};            ///< [I,G*H]
  View<const T> recurrent_kernel{};  ///< [P,G*H]
  View<const T> h0{}, c0{};          ///< as given to the forward pass, which must not have
                                     ///< overwritten them
  View<const T> y{};                 ///< [T,B,P]
  View<T> gates{};                   ///< [T,B,G*H], consumed
  View<T> extra{};                   ///< [T,B,H], consumed
  View<const T> dy{};                ///< [T,B,P]; null: zeros
  View<const T> dhn{}, dcn{};        ///< [B,P], [B,H]; null: zeros
  View<T> dx{};                      ///< [T,B,I], or null
  View<T> dh0{}, dc0{};              ///< [B,P], [B,H], or null
  View<T> dkernel{}, drecurrent_kernel{}, dbias{};  ///< added to; null: frozen
  CellOptions<T> options{};                         ///< as given to the forward pass
  CellKept<T> kept{};                               ///< consumed
  CellGradients<T> doptions{};
  std::span<std::byte> scratch{};
};

/// y = x W + b for every step, or x W^T + b: a softmax layer tied to an embedding uses the table
/// [U,F] as it is.
template <class T>
struct DenseForward {
  View<const T> x{};  ///< [T,B,F]
  std::span<const std::int32_t> lengths{};
  View<const T> kernel{};  ///< [F,U], or [U,F] when transposed
  bool transposed = false;
  View<const T> bias{};  ///< [U], or null
  View<T> y{};           ///< [T,B,U]
  std::span<std::byte> scratch{};
  std::uint64_t weights_version = 0;
};

template <class T>
struct DenseBackward {
  View<const T> x{};  ///< [T,B,F]
  std::span<const std::int32_t> lengths{};
  View<const T> kernel{};  ///< [F,U], or [U,F] when transposed
  bool transposed = false;
  View<const T> dy{};          ///< [T,B,U]
  View<T> dx{};                ///< [T,B,F], or null
  View<T> dkernel{}, dbias{};  ///< added to; null: frozen
  std::span<std::byte> scratch{};
};

/// What dropout of whole rows multiplies row `id` by: 0, or 1 / (1 - rate).
template <class T>
T row_factor(float rate, const Random& random, std::int32_t id) {
  if (rate == 0) return T(1);
  const float draw = Random::to_uniform(random.block(static_cast<std::uint32_t>(id))[0]);
  return draw >= rate ? T(1) / T(1 - rate) : T(0);
}

/// Rows of a table by number. An id below zero gives a row of zeros. With dropout (Gal and
/// Ghahramani 2016; Merity et al. 2018) each row of the table is kept with probability 1 - rate and
/// then divided by it, or set to zero: a symbol has the same fate wherever it stands, since the
/// draw is a function of (random, id).
template <class T>
struct EmbeddingForward {
  View<const std::int32_t> ids{};  ///< [T,B], each below V
  std::span<const std::int32_t> lengths{};
  View<const T> table{};  ///< [V,E]
  View<T> y{};            ///< [T,B,E]
  float rate = 0;         ///< of rows dropped, 0 <= rate < 1
  Random random{};

  /// What row `id` is multiplied by.
  T factor(std::int32_t id) const { return row_factor<T>(rate, random, id); }
};

template <class T>
struct EmbeddingBackward {
  View<const std::int32_t> ids{};  ///< [T,B]
  std::span<const std::int32_t> lengths{};
  View<const T> dy{};  ///< [T,B,E]
  View<T> dtable{};    ///< [V,E], added to
  float rate = 0;      ///< as given to the forward pass
  Random random{};

  /// What row `id` is multiplied by.
  T factor(std::int32_t id) const { return row_factor<T>(rate, random, id); }
};

/// Inverted dropout (Srivastava et al. 2014): each value is kept with probability 1 - rate and then
/// divided by it, or set to zero. The mask is drawn where it is used, from (random, example, t,
/// unit), so the backward pass is the same call with dy for x. Shared over time (Gal and Ghahramani
/// 2016): one mask per sequence, drawn as at t = 0. Not scaled: what is kept is not divided.
template <class T>
struct DropoutForward {
  View<const T> x{};  ///< [T,B,F]; may be the same memory as y; null: ones, so y is the mask
  std::span<const std::int32_t> lengths{};
  std::span<const std::uint32_t> examples{};  ///< [B] identity of each sequence; empty: 0, 1, ...
  float rate = 0;                             ///< 0 <= rate < 1
  bool shared_over_time = false;
  bool scaled = true;
  Random random{};
  View<T> y{};  ///< [T,B,F]
};

enum class Activation { kTanh, kSigmoid, kRelu };

template <class T>
struct ActivationForward {
  Activation activation = Activation::kTanh;
  View<const T> x{};  ///< any shape; may be the same memory as y
  View<T> y{};
};

template <class T>
struct ActivationBackward {
  Activation activation = Activation::kTanh;
  View<const T> y{};   ///< what the forward pass gave
  View<const T> dy{};  ///< may be the same memory as dx
  View<T> dx{};
};

/// Negative log-likelihood of each target under softmax(logits), in nats. With smoothing s (Szegedy
/// et al. 2016) the target is a distribution: 1 - s on the target and s spread over all V classes.
template <class T>
struct CrossEntropyForward {
  View<const T> logits{};              ///< [N,V]
  View<const std::int32_t> targets{};  ///< [N]; below zero: masked, its loss is 0
  View<T> nats{};                      ///< [N]
  View<T> log_normalizer{};            ///< [N] log of the sum of exp(logits)
  T smoothing{0};                      ///< s, 0 <= s < 1
};

/// dlogits = scale * weight * (softmax(logits) - (1 - s) * one_hot(target) - s / V); zero where
/// masked.
template <class T>
struct CrossEntropyBackward {
  View<const T> logits{};              ///< [N,V]; may be the same memory as dlogits
  View<const std::int32_t> targets{};  ///< [N]
  View<const T> log_normalizer{};      ///< [N]
  T scale{1};
  View<const T> weights{};  ///< [N]; null: ones
  View<T> dlogits{};        ///< [N,V]
  T smoothing{0};           ///< s
};

/// Probabilities: softmax of each row.
template <class T>
struct SoftmaxForward {
  View<const T> logits{};  ///< [N,V]; may be the same memory as y
  View<T> y{};             ///< [N,V]
};

/// Stochastic gradient descent with optional momentum (Sutskever et al. 2013) and L2 penalty.
///   g = gradient_scale * gradient + weight_decay * p
///   v = momentum * v + g;  p = p - learning_rate * (nesterov ? g + momentum * v : v)
template <class T>
struct SgdStep {
  View<T> parameter{};
  View<const T> gradient{};
  View<T> velocity{};  ///< null when momentum is 0
  float learning_rate = 0, momentum = 0, weight_decay = 0, gradient_scale = 1;
  bool nesterov = false;
};

/// RMSProp (Tieleman and Hinton 2012):
///   g = gradient_scale * gradient + weight_decay * p;  s = decay * s + (1 - decay) * g^2
///   p = p - learning_rate * g / (sqrt(s) + epsilon)
template <class T>
struct RmspropStep {
  View<T> parameter{};
  View<const T> gradient{};
  View<T> mean_square{};
  float learning_rate = 0, decay = 0, epsilon = 0, weight_decay = 0, gradient_scale = 1;
};

/// Adam (Kingma and Ba 2015); with decoupled decay AdamW (Loshchilov and Hutter 2019).
///   g = gradient_scale * gradient (+ weight_decay * p when not decoupled)
///   m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
///   p = p - learning_rate * ( (m / correction1) / (sqrt(v / correction2) + epsilon)
///                             (+ weight_decay * p when decoupled) )
/// with correction = 1 - beta^step, made by the caller.
template <class T>
struct AdamStep {
  View<T> parameter{};
  View<const T> gradient{};
  View<T> mean{}, mean_square{};
  float learning_rate = 0, beta1 = 0, beta2 = 0, epsilon = 0, weight_decay = 0;
  float correction1 = 1, correction2 = 1, gradient_scale = 1;
  bool decoupled = false;
};

}  // namespace rnn
