#pragma once

#include <vector>

#include "rnn/output_head.h"

namespace rnn {

struct RNN_API AdaptiveSoftmaxOptions {
  Index units = 0;  ///< number of classes, V, numbered from the most frequent to the rarest
  /// Where clusters of rare classes begin, ascending: {2000, 10000} makes classes 2000 .. 9999 the
  /// first and 10000 .. V-1 the second.
  std::vector<Index> cutoffs{};
  /// Cluster c = 1, 2, .. sees features projected to F / divisor^c values, at least one.
  Index divisor = 4;
  bool use_bias = true;  ///< in the head
  Initializer kernel_initializer = Initializer::glorot_uniform();
  void exchange(Fields& fields);
};

/// Adaptive softmax (Grave et al. 2017) for large vocabularies: a softmax over the frequent classes
/// and the C clusters, and within a cluster one over its classes.
///
///   p(v | x) = head(x)_v                                      v < cutoffs[0] = S
///   p(v | x) = head(x)_(S+c) * tail_c(x)_(v - cutoffs[c])     v in cluster c = 0 .. C-1
///   head = softmax(x W + b), tail_c = softmax((x P_c) W_c)
///
/// It is a distribution over all V classes, in training as in evaluation: its losses compare with
/// those of Softmax. A cluster is computed only for the steps whose target lies in it, which is
/// what makes training fast; `predict` computes all of them. Parameters: `kernel` [F,S+C], `bias`
/// [S+C], then for each cluster `tail_c_projection` [F,D_c] and `tail_c_kernel` [D_c,V_c].
class RNN_API AdaptiveSoftmax : public OutputHead {
 public:
  /// Throws ConfigError unless 0 < cutoffs[0] < cutoffs[1] < .. < units and divisor is positive.
  explicit AdaptiveSoftmax(const AdaptiveSoftmaxOptions& options);

  std::string_view type() const noexcept override { return "AdaptiveSoftmax"; }
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
  Index clusters() const { return static_cast<Index>(options_.cutoffs.size()); }
  Index frequent() const { return options_.cutoffs.front(); }
  Index first_of(Index cluster) const {
    return options_.cutoffs[static_cast<std::size_t>(cluster)];
  }
  Index size_of(Index cluster) const;
  View<float> head_logits(const Sequence& features, Call& call) const;
  /// Logits [T,B,V_c] of a cluster, for x [T,B,F].
  View<float> tail_logits(const Sequence& x, Index cluster, Call& call) const;

  AdaptiveSoftmaxOptions options_;
};

}  // namespace rnn
