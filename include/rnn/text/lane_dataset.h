// LaneDataset: one long stream of tokens as batches for truncated back-propagation through time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "rnn/batch.h"
#include "rnn/export.h"

namespace rnn {

struct LaneDatasetOptions {
  std::int64_t batch = 1;  ///< lanes that are worked on side by side
  std::int64_t bptt = 35;  ///< steps of a window
  /// Window lengths drawn as by Merity, Keskar and Socher ("Regularizing and optimizing LSTM
  /// language models", 2018): the mean is bptt with probability 0.95 and bptt / 2 otherwise, the
  /// length is normal with that mean and deviation 5, rounded, and at least 5.
  bool random_window = false;
  std::uint64_t seed = 0;          ///< of the window lengths
  std::int64_t minimum_steps = 1;  ///< fewer tokens in a lane than this are refused
};

/// The stream is x_0 x_1 ... x_{N-1}. Step i predicts the target x_i from the input x_{i-1}; the
/// input of step 0 is the end of a sentence, so that each token is predicted exactly once. The N
/// steps are cut into `batch` contiguous lanes whose lengths differ by at most one, the longer ones
/// first. A batch is the next window of every lane: the state of lane b after one batch is the
/// state before the next. `lengths` tell where the last window of a lane is shorter (it may be 0);
/// no token is lost. `examples[b]` is the lane's number b.
///
/// Window lengths are a function of (seed, epoch, number of the window) alone.
class RNN_API LaneDataset final : public BatchSource {
 public:
  /// `ids` must live as long as the data set. `end_id` is the first input. Throws ConfigError for
  /// options out of range, TextError when there are too few tokens for the lanes.
  LaneDataset(std::span<const std::int32_t> ids, std::int32_t end_id,
              const LaneDatasetOptions& options = {});

  bool next(Batch& batch) override;
  void seek(const Position& position) override;
  Position position() const override { return {epoch_, window_}; }
  std::optional<std::int64_t> batches_per_epoch() const override { return windows_; }
  std::optional<std::int64_t> targets_per_epoch() const override {
    return static_cast<std::int64_t>(ids_.size());
  }
  /// The last tokens, which begin a text of their own, in as many lanes and windows of bptt steps.
  std::unique_ptr<BatchSource> hold_out(double share) override;

 private:
  std::int64_t window_length(std::int64_t window) const;

  void use(std::span<const std::int32_t> ids);

  std::span<const std::int32_t> all_;
  std::span<const std::int32_t> ids_;  // without what is held out
  std::int32_t end_id_;
  LaneDatasetOptions options_;
  std::int64_t longest_;  // steps of the longest lane
  std::int64_t epoch_ = 0;
  std::int64_t window_ = 0;   // windows delivered
  std::int64_t step_ = 0;     // steps delivered of each lane
  std::int64_t windows_ = 0;  // of this epoch
};

}  // namespace rnn
