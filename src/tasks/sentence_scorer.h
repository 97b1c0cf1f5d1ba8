// Losses of sentences, several side by side.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "rnn/session.h"

namespace rnn {

/// Sentences worked on together: enough to fill a kernel's rows.
inline constexpr std::size_t kSentencesTogether = 32;
/// Steps of a longer sentence that go through the network at once: the logits are theirs all.
inline constexpr std::size_t kStepsTogether = 64;

/// Scores sentences with their ends. Long ones are walked window by window with carried state,
/// which does not change a bit of the result, so memory does not grow with a sentence's length.
class SentenceScorer {
 public:
  SentenceScorer(const Network& network, const Parameters& parameters,
                 std::shared_ptr<const Backend> backend, std::int32_t end_id);

  /// `sentences` are ids without their ends; result [b][t] is the loss of the t-th, and last that
  /// of the end. All start from `state` (one row each), which is moved along.
  const std::vector<std::vector<float>>& nats(
      std::span<const std::span<const std::int32_t>> sentences, State& state);
  /// From the beginning of a text.
  const std::vector<std::vector<float>>& nats(
      std::span<const std::span<const std::int32_t>> sentences);

 private:
  void fill_window(std::span<const std::span<const std::int32_t>> sentences, std::size_t first);

  const Network& network_;
  std::shared_ptr<const Backend> backend_;
  Inference inference_;
  std::int32_t end_id_;
  Batch batch_;
  std::vector<std::vector<float>> nats_;
};

}  // namespace rnn
