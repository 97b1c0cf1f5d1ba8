#pragma once

#include <optional>

#include "rnn/layer.h"

namespace rnn {

struct RNN_API DenseOptions {
  Index units = 0;  ///< width of the output, U
  bool use_bias = true;
  std::optional<Activation> activation = std::nullopt;  ///< none: linear
  Initializer kernel_initializer = Initializer::glorot_uniform();
  void exchange(Fields& fields);
};

/// The same affine map at every step: y = activation(x W + b), [T,B,F] -> [T,B,U].
/// Parameters: `kernel` [F,U], `bias` [U]. (What Keras calls TimeDistributed is nothing else: every
/// layer here works on sequences.)
class RNN_API Dense : public Layer {
 public:
  /// Throws ConfigError unless units are positive.
  explicit Dense(const DenseOptions& options);

  std::string_view type() const noexcept override { return "Dense"; }
  void describe(Fields& fields) const override;
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  DenseOptions options_;
};

}  // namespace rnn
