// OutputHead: a loss with parameters, at the end of a network.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "rnn/layer.h"

namespace rnn {

/// A loss over a batch, kept as a sum and a count so that batches add up exactly.
struct LossSum {
  double nats = 0;           ///< sum of weight * negative log-likelihood
  std::int64_t targets = 0;  ///< targets counted; masked ones are not
  double excess = 0;         ///< sum of weight - 1 over them: 0 when targets carry no weights

  /// Sum of the weights, each 1 unless a batch says otherwise.
  double weight() const { return static_cast<double>(targets) + excess; }
  /// The weighted mean: nats per target where all weigh the same; 0 when there is none.
  double mean() const { return weight() > 0 ? nats / weight() : 0; }
  LossSum& operator+=(const LossSum& other) {
    nats += other.nats;
    targets += other.targets;
    excess += other.excess;
    return *this;
  }
};

/// What turns features into a loss, a prediction and log-probabilities. Immutable, as a Layer is,
/// and called with a Call in the same way; a head has no recurrent state.
class RNN_API OutputHead {
 public:
  virtual ~OutputHead() = default;

  /// "Softmax": the name in model files.
  virtual std::string_view type() const noexcept = 0;
  virtual void describe(Fields& fields) const = 0;
  /// Width of what `predict` gives. Throws ConfigError when the features cannot be used.
  virtual Index classes(const Signal& features) const = 0;
  virtual std::vector<ParameterSpec> parameters(const Signal& features) const = 0;
  /// Targets of one step. Where it is not 1, targets are [T,B,targets_per_step] below.
  virtual Index targets_per_step() const { return 1; }

  /// Loss of every target: `nats` [T,B] is written, 0 where a target [T,B] is below zero. The
  /// caller masks targets beyond a length so. The sum is taken in the order t, b.
  virtual LossSum loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
                       Call& call) const = 0;
  /// dfeatures [T,B,F] of `scale` times the loss summed with `call.target_weights`, after a call of
  /// `loss` (which gives losses without weights) with the same arguments and memory.
  virtual View<const float> backward(const Sequence& features, View<const std::int32_t> targets,
                                     float scale, Call& call) const = 0;
  /// Probabilities [T,B,classes], zeros in padding; they live in call.memory.
  virtual View<const float> predict(const Sequence& features, Call& call) const = 0;
  /// Natural logarithms of these into `logs` [T,B,classes]; what stands in padding means nothing.
  /// A head overrides it where the logarithm of a probability that is too small for a float can be
  /// told all the same.
  virtual void log_predict(const Sequence& features, View<float> logs, Call& call) const;
};

/// A head by its type and options, as a model file has them. Throws ConfigError for an unknown
/// type.
RNN_API std::shared_ptr<const OutputHead> make_output_head(std::string_view type, Fields& options);

}  // namespace rnn
