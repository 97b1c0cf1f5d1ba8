// Batch and BatchSource: how data reaches a network.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"
#include "rnn/tensor.h"

namespace rnn {

/// What a network takes beside its first input (see Graph::input), by the name it has there.
struct BatchInput {
  std::string name{};
  std::vector<std::int32_t> ids{};  ///< [T,B] symbols or row numbers; empty when `values` are given
  Tensor values{};                  ///< [T,B,F]
  // Of an input that is not aligned with the first; otherwise those of the batch hold.
  Index time = 0, batch = 0;
  std::vector<std::int32_t> lengths{};    ///< as in Batch
  std::vector<std::uint32_t> examples{};  ///< as in Batch
};

/// Targets of an output beside the first, by its name.
struct BatchTargets {
  std::string name{};
  std::vector<std::int32_t> targets{};  ///< as in Batch
  std::vector<float> weights{};         ///< as in Batch
};

/// Sequences that are worked on together, time-major. Reuse one: its memory stays.
struct Batch {
  Index time = 0;   ///< T, the longest length
  Index batch = 0;  ///< B, the number of sequences

  std::vector<std::int32_t> ids{};  ///< [T,B] input symbols; empty when `values` are given
  Tensor values{};                  ///< [T,B,F] input vectors; empty when `ids` are given
  std::vector<std::int32_t>
      targets{};  ///< [T,B] (or [B] for one target a sequence), or with several targets a step
                  ///< [T,B,OutputHead::targets_per_step]; below 0: masked
  std::vector<float> weights{};  ///< of the targets, each at least 0: [T,B], or [B] for all targets
                                 ///< of a sequence; empty: all 1. A loss is the weighted mean
  std::vector<std::int32_t> lengths{};    ///< [B] steps of each sequence; empty: all are T long
  std::vector<std::uint32_t> examples{};  ///< [B] identity of each sequence, from which its random
                                          ///< draws are made; empty: 0, 1, ...

  // For networks with several inputs or outputs. A reference into them stays good as they grow.
  std::list<BatchInput> other_inputs{};
  std::list<BatchTargets> other_targets{};

  /// The other input of that name; made when there is none.
  BatchInput& input(std::string_view name) { return named(other_inputs, name); }
  /// Targets of the output of that name, one beside the first; made when there are none.
  std::vector<std::int32_t>& targets_of(std::string_view name) {
    return named(other_targets, name).targets;
  }

  /// Empties everything; names of other inputs and targets stay, with their memory.
  void clear() {
    time = batch = 0;
    ids.clear();
    values.resize({0});
    targets.clear();
    weights.clear();
    lengths.clear();
    examples.clear();
    for (BatchInput& other : other_inputs) {
      other.time = other.batch = 0;
      other.ids.clear();
      other.values.resize({0});
      other.lengths.clear();
      other.examples.clear();
    }
    for (BatchTargets& other : other_targets) {
      other.targets.clear();
      other.weights.clear();
    }
  }

 private:
  template <class Named>
  static Named& named(std::list<Named>& all, std::string_view name) {
    for (Named& one : all) {
      if (one.name == name) return one;
    }
    all.emplace_back().name = name;
    return all.back();
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

  /// Takes the last `share` of the data (0 < share < 1) out of this source, as a source of its own
  /// in the order of the data. Always a share of the whole, so that asking again gives the same; 0
  /// puts everything back. The source must outlive it. Throws ConfigError when this source cannot
  /// be divided, TextError when a part would be empty.
  virtual std::unique_ptr<BatchSource> hold_out(double share);
};

}  // namespace rnn
