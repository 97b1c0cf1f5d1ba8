#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API DropoutOptions {
  float rate = 0;  ///< share of values set to zero, 0 <= rate < 1
  bool shared_over_time =
      false;  ///< one mask for all steps of a sequence (Gal and Ghahramani 2016)
  void exchange(Fields& fields);
};

/// Inverted dropout (Srivastava et al. 2014): acts in training only, and scales what it keeps by
/// 1 / (1 - rate), so that nothing changes in evaluation. A mask belongs to the sequence's identity
/// (Sequence::examples), not to its place in the batch.
class RNN_API Dropout : public Layer {
 public:
  /// Throws ConfigError for a rate outside [0, 1).
  explicit Dropout(const DropoutOptions& options);

  std::string_view type() const noexcept override { return "Dropout"; }
  void describe(Fields& fields) const override;
  Signal output(const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  DropoutOptions options_;
};

}  // namespace rnn
