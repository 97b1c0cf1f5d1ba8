#pragma once

#include <string>

#include "rnn/softmax.h"

namespace rnn {

/// What classes are drawn from, V classes numbered from 0:
///   kLogUniform  q(v) = log((v + 2) / (v + 1)) / log(V + 1): near to how often words come when
///                they are numbered from the most frequent to the rarest (Zipf)
///   kUniform     q(v) = 1 / V
enum class Proposal { kLogUniform, kUniform };

struct RNN_API SampledSoftmaxOptions {
  Index units = 0;        ///< number of classes, V
  Index num_sampled = 0;  ///< different classes drawn for each batch, S: 1 to V / 2, or V
  Proposal proposal = Proposal::kLogUniform;
  bool use_bias = true;
  std::string tied_to{};  ///< as in SoftmaxOptions
  Initializer kernel_initializer = Initializer::glorot_uniform();
  void exchange(Fields& fields);
};

/// Softmax for large vocabularies that learns from a sample of the classes (Bengio and Senecal
/// 2008; with the correction of Jean et al. 2015). In training, S different classes C are drawn for
/// the whole batch, and the loss of a step with target y is
///
///   z_v = x W_v + b_v - log pi(v)      v in C or v = y
///   nats = log(exp z_y + sum over v in C, v != y of exp z_v) - z_y
///
/// pi(v) = 1 - (1 - q(v))^n is the probability that v is among n draws from q, n those that it took
/// to find S different ones. The loss is smallest where the full softmax is right, whatever S is;
/// its value is not comparable with a loss over all classes. With S = V nothing is left to chance:
/// pi = 1, and loss and gradients are those of Softmax. In evaluation and `predict` it is Softmax,
/// exactly. The draws are a function of the call's random key alone.
///
/// Parameters: `kernel` [V,F], a row for each class, unless tied; `bias` [V]. A sequence's gradient
/// depends on the classes that were drawn for its batch.
class RNN_API SampledSoftmax : public OutputHead {
 public:
  /// Throws ConfigError unless units and num_sampled are in their ranges.
  explicit SampledSoftmax(const SampledSoftmaxOptions& options);

  std::string_view type() const noexcept override { return "SampledSoftmax"; }
  void describe(Fields& fields) const override;
  Index classes(const Signal& features) const override;
  std::vector<ParameterSpec> parameters(const Signal& features) const override;
  /// Throws ShapeError for a target that is no class.
  LossSum loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
               Call& call) const override;
  View<const float> backward(const Sequence& features, View<const std::int32_t> targets,
                             float scale, Call& call) const override;
  View<const float> predict(const Sequence& features, Call& call) const override;
  void log_predict(const Sequence& features, View<float> logs, Call& call) const override;

 private:
  double proposal(Index v) const;
  /// Fills the buffer of classes and that of their columns.
  void draw(Call& call) const;
  void sampled_logits(const Sequence& x, Call& call) const;
  void target_logits(const Sequence& x, View<const std::int32_t> targets, Call& call) const;

  SampledSoftmaxOptions options_;
  Softmax full_;  // over the same parameters
};

}  // namespace rnn
