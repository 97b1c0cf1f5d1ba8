#pragma once

#include "rnn/any_layer.h"

namespace rnn {

struct RNN_API ResidualOptions {
  AnyLayer layer{};
  Merge merge = Merge::kSum;  ///< or kConcat
  void exchange(Fields& fields);
};

/// A layer with a way round it: y = x + layer(x) (He et al. 2016), where the layer keeps the width
/// F, or with concat y = [x, layer(x)] (Huang et al. 2017). [T,B,F] -> [T,B,F] or [T,B,F+U].
/// Parameters and state are the layer's, under their own names.
class RNN_API Residual : public Layer {
 public:
  /// Throws ConfigError without a layer or for another merge.
  explicit Residual(const ResidualOptions& options);

  std::string_view type() const noexcept override { return "Residual"; }
  void describe(Fields& fields) const override;
  bool causal() const override;
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  std::vector<StateSpec> states(const Signal& input) const override;
  KernelPath path(const Backend& backend, const Signal& input) const override;
  /// Throws ShapeError when the layer changes the number of steps.
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  ResidualOptions options_;
};

}  // namespace rnn
