#pragma once

#include <optional>

#include "rnn/layer.h"

namespace rnn {

/// Where a convolution's places lie on a sequence of length L, with span = (K-1) * dilation + 1:
///   kValid   wholly inside: floor((L - span) / stride) + 1 places, none when L < span
///   kSame    centred on every stride-th step: ceil(L / stride) places, (span-1)/2 zeros before
///   kCausal  ending at every stride-th step: ceil(L / stride) places, span-1 zeros before
enum class Padding { kValid, kSame, kCausal };

struct RNN_API Conv1DOptions {
  Index filters = 0;      ///< width of the output, U
  Index kernel_size = 0;  ///< steps that a place sees, K
  Index strides = 1;      ///< steps from place to place
  Index dilation_rate = 1;
  Padding padding = Padding::kSame;  ///< (Keras: valid)
  bool use_bias = true;
  std::optional<Activation> activation = std::nullopt;  ///< none: linear
  Initializer kernel_initializer = Initializer::glorot_uniform();
  void exchange(Fields& fields);
};

/// Convolution over time: [T,B,F] -> [T',B,U]
///
///   y_t = activation(b + sum over k of x[t * strides - left + k * dilation_rate] W_k)
///
/// Parameters: `kernel` [K*F,U], row k*F + f holding what step k of a place gives for feature f;
/// `bias` [U]. Glorot's fans are those of that matrix. Lengths are honoured: each sequence has the
/// number of places that its own length gives, and beyond its ends zeros are read, whatever its
/// batch mates. With kSame and strides above 1 `left` does not depend on the length (Keras's
/// does). A batch whose sequences are all too short for kValid gives one step of padding.
///
/// kCausal with strides 1 streams: its state `context` [B,(span-1)*F] is what stands before the
/// first step, so a text in windows gives the bits of the text as a whole. Other paddings have no
/// state.
class RNN_API Conv1D : public Layer {
 public:
  /// Throws ConfigError unless filters, kernel_size, strides and dilation_rate are positive.
  explicit Conv1D(const Conv1DOptions& options);

  std::string_view type() const noexcept override { return "Conv1D"; }
  void describe(Fields& fields) const override;
  bool causal() const override;
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  std::vector<StateSpec> states(const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

  /// Places on a sequence of this length.
  Index places(Index length) const;

 private:
  Index span() const { return (options_.kernel_size - 1) * options_.dilation_rate + 1; }
  Index left() const;
  bool streams() const;
  bool needs_lengths(const Sequence& x) const;

  Conv1DOptions options_;
};

}  // namespace rnn
