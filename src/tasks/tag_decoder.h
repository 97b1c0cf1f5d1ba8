// TagDecoder: from batches to labels.
#pragma once

#include <memory>
#include <vector>

#include "rnn/crf.h"
#include "rnn/session.h"
#include "tasks/tagger_dataset.h"

namespace rnn {

/// Runs a tagger's network up to its head, and reads the head in every way there is. One is for one
/// thread at a time.
class TagDecoder {
 public:
  /// `allowed` as CrfScores has it: what a softmax head must not give; a CRF head knows by itself.
  /// Network and parameters must live as long.
  TagDecoder(const Network& network, const Parameters& parameters,
             std::shared_ptr<const Backend> backend, std::vector<std::uint8_t> allowed);

  /// What its batches must have.
  TaggerInputs inputs() const { return TaggerInputs::of(network_); }
  /// Works on a batch, which must stay as it is while the functions below read the result.
  void run(const Batch& batch);
  /// The best possible labels of its sequence b. This and `n_best` throw DivergenceError when there
  /// are none, as where no score is a number.
  std::vector<std::int32_t> best(Index b) const;
  /// The n best; log-probabilities of a softmax head are sums over its steps.
  std::vector<CrfPath> n_best(Index b, Index n) const;
  /// The loss of the batch's targets, as Inference::evaluate gives it.
  LossSum loss(const Batch& batch);
  /// [T,B,K] the probability of each label; valid until the next call of `run`. Throws
  /// DivergenceError when they are not finite.
  View<const float> marginals();

 private:
  Index words(Index b) const;

  const Network& network_;
  std::shared_ptr<const Backend> backend_;
  Inference inference_;
  const CRF* crf_;  // null: the head is a softmax
  std::vector<std::uint8_t> allowed_;
  CrfScores<float> scores_;
  Tensor log_probabilities_, nats_;
};

}  // namespace rnn
