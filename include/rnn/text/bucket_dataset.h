// BucketDataset: sequences of different lengths as batches of nearly equal ones.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rnn/batch.h"
#include "rnn/export.h"
#include "rnn/text/disk_vector.h"

namespace rnn {

/// Sequences one after another, with a target for each or for each of their steps. Numbers are kept
/// as DiskVector keeps them: memory does not grow with the sequences. Movable; safe to read from
/// many threads.
class RNN_API Sequences {
 public:
  explicit Sequences(const Storage& storage = {}) : ids_(storage), targets_(storage) {}

  /// A sequence with one target, such as a text and its class. IoError when the disk is full; the
  /// sequences are unusable afterwards.
  void add(const std::vector<std::int32_t>& ids, std::int32_t target);
  /// A sequence with a target for each step, such as words and their tags. ShapeError when there
  /// are not as many targets as ids. The two kinds cannot be mixed: ConfigError. IoError as above.
  void add(const std::vector<std::int32_t>& ids, const std::vector<std::int32_t>& targets);

  std::int64_t size() const { return ids_.size(); }
  bool one_target() const { return one_target_; }
  std::int64_t length(std::int64_t i) const { return ids_.length(i); }
  std::int64_t targets() const { return targets_.size(); }
  std::int32_t id(std::int64_t i, std::int64_t t) const { return ids_.at(i, t); }
  /// Its target, or that of its step t.
  std::int32_t target(std::int64_t i, std::int64_t t = 0) const {
    return targets_[one_target_ ? i : ids_.begin(i) + t];
  }

 private:
  DiskLists<std::int32_t> ids_;
  DiskVector<std::int32_t> targets_;
  bool one_target_ = false;
};

struct BucketDatasetOptions {
  std::int64_t batch = 32;  ///< sequences of a batch at most
  /// Steps of a batch at most, padding included; 0: no limit. A longer sequence is a batch alone.
  std::int64_t maximum_steps = 0;
  /// Another order in every epoch. Without: the order of the sequences, as evaluation wants it.
  bool shuffle = false;
  /// Batches whose sequences are sorted by length together before they are cut apart: more means
  /// less padding, fewer means more mixing. 1: no sorting.
  std::int64_t bucket_batches = 64;
  std::uint64_t seed = 0;  ///< of the shuffle
};

/// With `shuffle`, an epoch goes like this: all sequences in random order; groups of
/// bucket_batches * batch of them sorted by falling length (equal ones stay in their random order);
/// each group cut into batches; all batches in random order. The order is a function of (seed,
/// epoch) and the lengths alone. `examples` are the numbers of the sequences. The order takes 4
/// bytes of memory a sequence, twice as many while it is made, and 8 bytes a batch, 24 while it is
/// made.
class RNN_API BucketDataset final : public BatchSource {
 public:
  /// `sequences` must live as long as the data set and not change. ConfigError for an option out of
  /// range, TextError when there is no sequence.
  explicit BucketDataset(const Sequences& sequences, const BucketDatasetOptions& options = {});

  bool next(Batch& batch) override;
  void seek(const Position& position) override;
  Position position() const override { return {epoch_, next_}; }
  std::optional<std::int64_t> batches_per_epoch() const override {
    return static_cast<std::int64_t>(starts_.size()) - 1;
  }
  std::optional<std::int64_t> targets_per_epoch() const override;
  /// The last sequences, in their order.
  std::unique_ptr<BatchSource> hold_out(double share) override;

 private:
  BucketDataset(const Sequences& sequences, const BucketDatasetOptions& options, std::int64_t first,
                std::int64_t last);
  void arrange();

  const Sequences& sequences_;
  BucketDatasetOptions options_;
  std::int64_t first_, last_;         // of the sequences: the range that is delivered
  std::vector<std::int32_t> order_;   // sequences, batch after batch
  std::vector<std::int64_t> starts_;  // where each batch starts in it, and the end
  std::int64_t epoch_ = 0;
  std::int64_t arranged_ = -1;  // the epoch that order_ belongs to
  std::int64_t next_ = 0;
};

}  // namespace rnn
