#pragma once

#include "rnn/output_head.h"

namespace rnn {

struct RNN_API SigmoidOptions {
  Index units = 0;  ///< number of labels, V
  bool use_bias = true;
  Initializer kernel_initializer = Initializer::glorot_uniform();
  void exchange(Fields& fields);
};

/// Independent yes-or-no labels on every step (multi-label classification): p = sigmoid(x W + b)
/// and the binary cross-entropy of each label. Parameters: `kernel` [F,V], `bias` [V].
///
/// Targets are [T,B,V] (targets_per_step is V): 1 for a label that holds, 0 for one that does not,
/// below zero for one that is masked. `nats` [T,B] is the sum over a step's labels; every label
/// counts as a target, so the mean is nats per label.
class RNN_API Sigmoid : public OutputHead {
 public:
  /// Throws ConfigError unless units are positive.
  explicit Sigmoid(const SigmoidOptions& options);

  std::string_view type() const noexcept override { return "Sigmoid"; }
  void describe(Fields& fields) const override;
  Index classes(const Signal& features) const override;
  Index targets_per_step() const override { return options_.units; }
  std::vector<ParameterSpec> parameters(const Signal& features) const override;
  /// Throws ShapeError for a target above 1.
  LossSum loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
               Call& call) const override;
  View<const float> backward(const Sequence& features, View<const std::int32_t> targets,
                             float scale, Call& call) const override;
  /// The probability of each label.
  View<const float> predict(const Sequence& features, Call& call) const override;

 private:
  View<float> logits(const Sequence& features, Call& call) const;

  SigmoidOptions options_;
};

}  // namespace rnn
