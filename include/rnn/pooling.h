#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API PoolOverTimeOptions {
  Pooling pooling = Pooling::kMax;
  Index attention_units = 0;  ///< A, width of what attention compares; 0: as wide as the input
  Initializer kernel_initializer = Initializer::glorot_uniform();  ///< of attention
  void exchange(Fields& fields);
};

/// One vector for a whole sequence: [T,B,F] -> [1,B,F], over the sequence's own length (padding is
/// never looked at). An empty sequence gives zeros.
///
///   max        the largest of each feature
///   mean       the mean
///   last       the last step
///   attention  sum over t of w_t * x_t,   w = softmax over t of s_t,
///              s_t = tanh(x_t W + b) v    (Yang et al. 2016)
///   sum        the sum
///
/// Parameters, of attention alone: `kernel` W [F,A], `bias` b [A], `context` v [A,1].
class RNN_API PoolOverTime : public Layer {
 public:
  /// Throws ConfigError for negative attention_units.
  explicit PoolOverTime(const PoolOverTimeOptions& options);

  std::string_view type() const noexcept override { return "PoolOverTime"; }
  void describe(Fields& fields) const override;
  bool causal() const override;
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  /// Fills the slots of hidden values and scores.
  void attend(const Sequence& x, Call& call) const;

  PoolOverTimeOptions options_;
};

}  // namespace rnn
