// CRF: an output head that scores whole label sequences, and ways to read it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rnn/output_head.h"

namespace rnn {

struct RNN_API CRFOptions {
  Index units = 0;  ///< number of labels, K
  bool use_bias = true;
  /// Transitions that never happen, as "from>to" with labels by number, `start` and `end`, and
  /// spaces between: "start>2 0>2" when label 2 must not begin a sequence or follow label 0.
  std::string forbidden{};
  Initializer kernel_initializer = Initializer::glorot_uniform();
  void exchange(Fields& fields);
};

/// Linear-chain conditional random field (Lafferty, McCallum and Pereira 2001) over the emissions
/// x W + b; CrfScores says what a path of labels scores.
///
/// Parameters: `kernel` [F,K], `bias` [K], `transitions` [K,K] from row to column, `start` [K],
/// `end` [K]; the last three begin as zeros.
///
/// The loss of a sequence is the negative log-probability of its labels, and stands in `nats` at
/// its first target; targets count one by one, so the mean is nats per token. A step whose target
/// is below zero may have any label (Tsuboi et al. 2008): a sequence with no target at all has loss
/// 0. `predict` gives the marginal probability of each label at each step.
class RNN_API CRF : public OutputHead {
 public:
  /// Throws ConfigError unless units are positive, and for a bad `forbidden`.
  explicit CRF(const CRFOptions& options);

  std::string_view type() const noexcept override { return "CRF"; }
  void describe(Fields& fields) const override;
  Index classes(const Signal& features) const override;
  std::vector<ParameterSpec> parameters(const Signal& features) const override;
  /// Throws ShapeError for a target that is no label, and for a sequence whose labels are
  /// forbidden.
  LossSum loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
               Call& call) const override;
  View<const float> backward(const Sequence& features, View<const std::int32_t> targets,
                             float scale, Call& call) const override;
  View<const float> predict(const Sequence& features, Call& call) const override;

  /// What the functions below read; it lives in call.memory and in the parameters.
  CrfScores<float> scores(const Sequence& features, Call& call) const;

 private:
  /// The forbidden transitions, and the table of them that CrfScores reads.
  class Rules;
  void check(const Sequence& features, View<const std::int32_t> targets) const;

  CRFOptions options_;
  std::shared_ptr<const Rules> rules_;
};

/// A path through a sequence and its log-probability.
struct CrfPath {
  std::vector<std::int32_t> labels{};
  double log_prob = 0;
};

/// Below, transitions, start and end that are null are zeros.
///
/// The most probable path of sequence b (Viterbi 1967); of equals the one whose last label, and
/// then the one before it, is lowest. Empty, with log_prob 0, for an empty sequence.
RNN_API CrfPath crf_viterbi(const CrfScores<float>& scores, Index b);
/// The labels of that path alone: several times as fast, because nothing is summed.
RNN_API std::vector<std::int32_t> crf_best_labels(const CrfScores<float>& scores, Index b);
/// The n most probable paths of sequence b, best first; fewer when there are fewer.
RNN_API std::vector<CrfPath> crf_n_best(const CrfScores<float>& scores, Index b, Index n);

}  // namespace rnn
