// Batch and BatchSource: how data reaches a network.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rnn/export.h"
#include "rnn/tensor.h"

namespace rnn {

/// Sequences that are worked on together, time-major. Reuse one: its memory stays.
struct Batch {
  Index time = 0;   ///< T, the longest length
  Index batch = 0;  ///< B, the number of sequences

  std::vector<std::int32_t> ids{};  ///< [T,B] input symbols; empty when `values` are given
  Tensor values{};                  ///< [T,B,F] input vectors; empty when `ids` are given
  std::vector<std::int32_t>
      targets{};  ///< [T,B] (or [B] for one target a sequence), or with several targets a step
                  ///< [T,B,OutputHead::targets_per_step]; below 0: masked
  std::vector<std::int32_t> lengths{};    ///< [B] steps of each sequence; empty: all are T long
  std::vector<std::uint32_t> examples{};  ///< [B] identity of each sequence, from which its random
                                          ///< draws are made; empty: 0, 1, ...

  void clear() {
    time = batch = 0;
    ids.clear();
    values.resize({0});
    targets.clear();
    lengths.clear();
    examples.clear();
  }
};

/// A stream of batches that can be left and taken up again.
///
/// What an epoch delivers is a pure function of the source's options and the epoch's number, so
/// that a position is two numbers. Not thread-safe.
class RNN_API BatchSource {
 public:
  struct Position {
    std::int64_t epoch = 0;
    std::int64_t batch = 0;  ///< batches of this epoch already delivered
    friend bool operator==(const Position&, const Position&) = default;
  };

  virtual ~BatchSource() = default;

  /// Fills `batch` with the next one; false when the epoch is over.
  virtual bool next(Batch& batch) = 0;
  /// Goes to the start of an epoch, or to any place inside one.
  virtual void seek(const Position& position) = 0;
  virtual Position position() const = 0;
  /// Batches and targets in the epoch at hand, when known: for progress and schedules.
  virtual std::optional<std::int64_t> batches_per_epoch() const { return std::nullopt; }
  virtual std::optional<std::int64_t> targets_per_epoch() const { return std::nullopt; }
};

}  // namespace rnn
