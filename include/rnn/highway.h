#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API HighwayOptions {
  Activation activation = Activation::kRelu;
  /// First value of the gate's bias: below zero the layer begins by handing its input on (-2 in
  /// Kim et al. 2016).
  float gate_bias = -2;
  Initializer kernel_initializer = Initializer::glorot_uniform();
  void exchange(Fields& fields);
};

/// Highway layer (Srivastava, Greff and Schmidhuber 2015), [T,B,F] -> [T,B,F]:
///
///   g = sigmoid(x W_g + b_g)
///   y = g * activation(x W + b) + (1 - g) * x
///
/// Parameters: `kernel` [F,F], `bias` [F], `gate_kernel` [F,F], `gate_bias` [F].
class RNN_API Highway : public Layer {
 public:
  explicit Highway(const HighwayOptions& options = {});

  std::string_view type() const noexcept override { return "Highway"; }
  void describe(Fields& fields) const override;
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  /// One of the two affine maps with its activation, into its slot.
  View<float> branch(const Sequence& x, int which, Call& call) const;
  /// Its gradient, given that of its output in the slot; the result is null unless dx is wanted.
  View<float> branch_backward(const Sequence& x, int which, Call& call) const;

  HighwayOptions options_;
};

}  // namespace rnn
