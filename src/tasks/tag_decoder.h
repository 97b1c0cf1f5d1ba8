// TagDecoder: from batches to labels.
#pragma once

#include <memory>
#include <vector>

#include "rnn/crf.h"
#include "rnn/sequential.h"
#include "rnn/session.h"

namespace rnn {

/// Runs a tagger's network up to its head, and reads the head in every way there is. One is for one
/// thread at a time.
class TagDecoder {
 public:
  /// `allowed` as CrfScores has it: what a softmax head must not give; a CRF head knows by itself.
  /// The parameters are copied.
  TagDecoder(const Network& network, const Parameters& parameters,
             std::shared_ptr<const Backend> backend, std::vector<std::uint8_t> allowed);

  /// Works on a batch; the functions below then read it.
  void run(const Batch& batch);
  /// The best possible labels of its sequence b.
  std::vector<std::int32_t> best(Index b) const;
  /// The n best; log-probabilities of a softmax head are sums over its steps.
  std::vector<CrfPath> n_best(Index b, Index n) const;
  /// The loss of the batch's targets, as Inference::evaluate gives it.
  LossSum loss(const Batch& batch);
  /// [T,B,K] the probability of each label; valid until the next call of `run`.
  View<const float> marginals();

 private:
  Call call(CallMemory& memory) const;

  Sequential body_;
  Parameters parameters_;  // of the body
  std::shared_ptr<const Backend> backend_;
  Inference inference_;
  std::shared_ptr<const OutputHead> head_;
  std::vector<Tensor> head_parameters_;
  std::vector<View<const float>> head_views_;
  std::uint64_t version_;
  CallMemory memory_, other_memory_;
  std::vector<std::uint8_t> allowed_;
  Tensor transitions_, ends_;  // zeros: what a softmax head has instead
  std::vector<std::int32_t> lengths_;
  Sequence features_;
  CrfScores<float> scores_;
  Tensor log_probabilities_, nats_;
};

}  // namespace rnn
