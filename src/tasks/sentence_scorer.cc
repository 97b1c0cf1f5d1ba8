#include "tasks/sentence_scorer.h"

#include <algorithm>

namespace rnn {

SentenceScorer::SentenceScorer(const Network& network, const Parameters& parameters,
                               std::shared_ptr<const Backend> backend, std::int32_t end_id)
    : network_(network),
      backend_(backend),
      inference_(network, parameters, backend),
      end_id_(end_id) {}

/// Steps `first` and on: the input of a step is the unit before, its target the unit itself; before
/// and after a sentence stands its end.
void SentenceScorer::fill_window(std::span<const std::span<const std::int32_t>> sentences,
                                 std::size_t first) {
  batch_.clear();
  batch_.batch = static_cast<Index>(sentences.size());
  for (const auto& ids : sentences) {
    const std::size_t steps = ids.size() + 1;
    const std::size_t here =
        steps <= first ? 0 : std::min<std::size_t>(steps - first, kStepsTogether);
    batch_.time = std::max(batch_.time, static_cast<Index>(here));
    batch_.lengths.push_back(static_cast<std::int32_t>(here));
  }
  batch_.ids.assign(static_cast<std::size_t>(batch_.time * batch_.batch), end_id_);
  batch_.targets.assign(batch_.ids.size(), -1);
  for (std::size_t b = 0; b < sentences.size(); ++b) {
    const auto& ids = sentences[b];
    for (std::size_t t = 0; t < static_cast<std::size_t>(batch_.lengths[b]); ++t) {
      const std::size_t place = t * sentences.size() + b, step = first + t;
      if (step > 0) batch_.ids[place] = ids[step - 1];
      batch_.targets[place] = step < ids.size() ? ids[step] : end_id_;
    }
  }
}

const std::vector<std::vector<float>>& SentenceScorer::nats(
    std::span<const std::span<const std::int32_t>> sentences, State& state) {
  nats_.assign(sentences.size(), {});
  std::size_t longest = 0;
  for (const auto& ids : sentences) longest = std::max(longest, ids.size() + 1);
  for (std::size_t first = 0; first < longest; first += kStepsTogether) {
    fill_window(sentences, first);
    inference_.evaluate(batch_, state);
    const View<const float> window = inference_.nats();
    for (std::size_t b = 0; b < sentences.size(); ++b) {
      for (Index t = 0; t < batch_.lengths[b]; ++t) nats_[b].push_back(window(t, b));
    }
  }
  return nats_;
}

const std::vector<std::vector<float>>& SentenceScorer::nats(
    std::span<const std::span<const std::int32_t>> sentences) {
  State state = network_.zero_state(static_cast<Index>(sentences.size()), *backend_);
  return nats(sentences, state);
}

}  // namespace rnn
