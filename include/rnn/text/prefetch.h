// PrefetchSource: makes the next batches while the network works on this one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "rnn/batch.h"
#include "rnn/export.h"

namespace rnn {

/// Wraps a source and reads it from one thread of its own, some batches ahead. It delivers the same
/// batches, and position() tells what has been delivered, not what was read ahead, so a position
/// saved is exact. What the source throws is thrown by next(), after the batches before it.
///
/// For batches that have to be put together, from pages that may have to come from the disk first:
/// those of classifiers and taggers, whose trainings use it where they may use several threads. A
/// window of LaneDataset costs next to nothing, so language models do without.
///
/// The thread sleeps while there is nothing to do; it counts as one more runnable thread while it
/// reads. It goes on to no other epoch by itself. An epoch that is over costs no reading.
class RNN_API PrefetchSource final : public BatchSource {
 public:
  /// `ahead` batches are kept ready. ConfigError when it is below 1 or there is no source.
  explicit PrefetchSource(std::unique_ptr<BatchSource> source, int ahead = 2);
  ~PrefetchSource() override;

  bool next(Batch& batch) override;
  void seek(const Position& position) override;
  Position position() const override;
  std::optional<std::int64_t> batches_per_epoch() const override;
  std::optional<std::int64_t> targets_per_epoch() const override;
  /// Of the source. It is read by whoever holds it, while the thread reads the rest: both must only
  /// read what they share, as data sets do.
  std::unique_ptr<BatchSource> hold_out(double share) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
