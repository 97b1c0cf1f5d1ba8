#pragma once

#include <string>

#include "rnn/output_head.h"

namespace rnn {

struct RNN_API SoftmaxOptions {
  Index units = 0;  ///< number of classes, V
  bool use_bias = true;
  /// Name of an embedding layer whose table [V,F] serves as the kernel (Press and Wolf 2017; Inan
  /// et al. 2017). Empty: a kernel [F,V] of its own.
  std::string tied_to{};
  /// Share of the target's weight that is spread over all classes in training (Szegedy et al.
  /// 2016).
  float label_smoothing = 0;
  Initializer kernel_initializer = Initializer::glorot_uniform();
  void exchange(Fields& fields);
};

/// Multinomial logistic regression on every step: softmax(x W + b) and its cross-entropy. Label
/// smoothing acts in training only: a loss in evaluation is a negative log-likelihood.
/// Parameters: `kernel` [F,V] unless tied, `bias` [V].
class RNN_API Softmax : public OutputHead {
 public:
  /// Throws ConfigError unless units are positive and label_smoothing is in [0, 1).
  explicit Softmax(const SoftmaxOptions& options);

  std::string_view type() const noexcept override { return "Softmax"; }
  void describe(Fields& fields) const override;
  Index classes(const Signal& features) const override;
  std::vector<ParameterSpec> parameters(const Signal& features) const override;
  LossSum loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
               Call& call) const override;
  View<const float> backward(const Sequence& features, View<const std::int32_t> targets,
                             float scale, Call& call) const override;
  View<const float> predict(const Sequence& features, Call& call) const override;
  void log_predict(const Sequence& features, View<float> logs, Call& call) const override;

 private:
  View<float> logits(const Sequence& features, Call& call) const;

  SoftmaxOptions options_;
};

}  // namespace rnn
