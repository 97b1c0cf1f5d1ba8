#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API LayerNormalizationOptions {
  float epsilon = 1e-5f;  ///< added to the variance (Keras: 1e-3)
  void exchange(Fields& fields);
};

/// Every step normalised over its features (Ba, Kiros and Hinton 2016), [T,B,F] -> [T,B,F]:
///
///   y = gamma * (x - mean(x)) / sqrt(variance(x) + epsilon) + beta
///
/// Parameters: `gamma` [F], ones at first; `beta` [F]. It looks at one step of one sequence, so
/// training and evaluation are the same.
class RNN_API LayerNormalization : public Layer {
 public:
  /// Throws ConfigError unless epsilon is positive.
  explicit LayerNormalization(const LayerNormalizationOptions& options = {});

  std::string_view type() const noexcept override { return "LayerNormalization"; }
  void describe(Fields& fields) const override;
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  LayerNormalizationOptions options_;
};

}  // namespace rnn
