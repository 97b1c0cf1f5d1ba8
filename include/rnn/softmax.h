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
  Initializer kernel_initializer = Initializer::glorot_uniform();
  void exchange(Fields& fields);
};

/// Multinomial logistic regression on every step: softmax(x W + b) and its cross-entropy.
/// Parameters: `kernel` [F,V] unless tied, `bias` [V].
class RNN_API Softmax : public OutputHead {
 public:
  /// Throws ConfigError unless units are positive.
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

 private:
  View<float> logits(const Sequence& features, Call& call) const;

  SoftmaxOptions options_;
};

}  // namespace rnn
