#include "tasks/tag_decoder.h"

#include <algorithm>
#include <cmath>

#include "base/number.h"
#include "rnn/error.h"

namespace rnn {
namespace {

/// A sentence without labels would be lost without a word.
[[noreturn]] void refuse_no_path(Index words) {
  throw DivergenceError(
      "tag: no labels are possible for a sentence of " + to_text(words) +
      " words: the model's scores are not finite, and its training must have diverged, or what its "
      "labels allow leaves no way from the first word to the last");
}

}  // namespace

TagDecoder::TagDecoder(const Network& network, const Parameters& parameters,
                       std::shared_ptr<const Backend> backend, std::vector<std::uint8_t> allowed)
    : network_(network),
      backend_(std::move(backend)),
      inference_(network, parameters, backend_),
      crf_(dynamic_cast<const CRF*>(network.head().head.get())),
      allowed_(std::move(allowed)) {}

void TagDecoder::run(const Batch& batch) {
  State state = network_.zero_state(batch.batch, *backend_);
  inference_.run(batch, state);
  const HeadInput input = inference_.head_input();
  for (Index b = 0; b < batch.batch; ++b) {
    const Index words = length_of(batch.lengths, b, batch.time);
    const Index steps = length_of(input.features.lengths, b, input.features.time());
    if (steps == words) continue;
    throw ShapeError("tag: the network gives " + to_text(steps) + " steps for a sentence of " +
                     to_text(words) + " words; a layer before its head shortens sequences");
  }
  if (crf_) {
    scores_ = crf_->scores(input.features, *input.call);
    return;
  }
  const View<const float> probabilities = inference_.predictions();
  log_probabilities_.resize(probabilities.shape());
  std::transform(probabilities.begin(), probabilities.end(), log_probabilities_.data(),
                 [](float p) { return std::log(p); });
  scores_ = {.emissions = log_probabilities_, .lengths = batch.lengths, .allowed = allowed_};
}

Index TagDecoder::words(Index b) const {
  return length_of(scores_.lengths, b, scores_.emissions.extent(0));
}

std::vector<std::int32_t> TagDecoder::best(Index b) const {
  if (crf_ || !allowed_.empty()) {
    std::vector<std::int32_t> labels = crf_best_labels(scores_, b);
    if (labels.empty() && words(b) > 0) refuse_no_path(words(b));
    return labels;
  }
  // Any label may follow any other: no need of a table of all pairs.
  std::vector<std::int32_t> labels;
  for (Index t = 0; t < words(b); ++t) {
    float top = -HUGE_VALF;
    std::int32_t best = -1;
    for (Index j = 0; j < scores_.labels(); ++j) {
      const float here = scores_.emissions(t, b, j);
      if (here > top) {
        top = here;
        best = static_cast<std::int32_t>(j);
      }
    }
    if (best < 0) refuse_no_path(words(b));
    labels.push_back(best);
  }
  return labels;
}

std::vector<CrfPath> TagDecoder::n_best(Index b, Index n) const {
  std::vector<CrfPath> paths = crf_n_best(scores_, b, n);
  const bool none = paths.empty() || std::isnan(paths.front().log_prob);
  if (none && words(b) > 0) refuse_no_path(words(b));
  if (crf_) return paths;
  for (CrfPath& path : paths) {  // without the share that impossible paths have
    path.log_prob = 0;
    for (std::size_t t = 0; t < path.labels.size(); ++t) {
      path.log_prob += double{scores_.emissions(static_cast<Index>(t), b, path.labels[t])};
    }
  }
  return paths;
}

LossSum TagDecoder::loss(const Batch& batch) {
  const HeadInput input = inference_.head_input();
  const Shape steps{input.features.time(), input.features.batch()};
  nats_.resize(steps);
  return network_.head().head->loss(input.features, {batch.targets.data(), steps}, nats_,
                                    *input.call);
}

View<const float> TagDecoder::marginals() {
  const View<const float> marginals = inference_.predictions();
  for (const float probability : marginals) {
    if (std::isfinite(probability)) continue;
    throw DivergenceError(
        "tag: the model's probabilities are not finite; its training must have diverged");
  }
  return marginals;
}

}  // namespace rnn
