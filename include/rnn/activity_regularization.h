#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API ActivityRegularizationOptions {
  float l2 = 0;           ///< of the outputs: AR, Merity's alpha
  float temporal_l2 = 0;  ///< of their change from step to step: TAR, Merity's beta
  void exchange(Fields& fields);
};

/// Hands its input through, and adds the gradient of a penalty on it (Merity, McCann and Socher
/// 2017, "Revisiting activation regularization for language RNNs"):
///
///   R = l2 * mean(h_t^2) + temporal_l2 * mean((h_t - h_(t-1))^2)
///
/// The means are over tokens and features, as the loss is a mean over tokens, and R is scaled as
/// that loss is; so no sequence's gradient depends on its batch mates. The first step of each
/// window has nothing before it, but counts. The reported loss, and so every perplexity, is without
/// R; in evaluation the layer does nothing. AWD-LSTM has AR after the last dropout and TAR before
/// it:
///
///   rnn::LSTM({.units = 400}), rnn::ActivityRegularization({.temporal_l2 = 1}),
///   rnn::Dropout({.rate = 0.4f, .shared_over_time = true}), rnn::ActivityRegularization({.l2 = 2})
class RNN_API ActivityRegularization : public Layer {
 public:
  /// Throws ConfigError unless both are finite and at least 0.
  explicit ActivityRegularization(const ActivityRegularizationOptions& options);

  std::string_view type() const noexcept override { return "ActivityRegularization"; }
  void describe(Fields& fields) const override;
  Signal output(const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  ActivityRegularizationOptions options_;
};

}  // namespace rnn
