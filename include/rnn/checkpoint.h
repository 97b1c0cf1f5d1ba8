// Checkpoints: all that a training needs to go on with the same bits, as a file that a kill, a full
// disk or a loss of power cannot spoil.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "rnn/export.h"

namespace rnn {

/// How often a checkpoint is written, for whoever leaves its place to others.
struct CheckpointTimes {
  std::int64_t steps = 0;   ///< updates; 0: not by steps
  double minutes = 0;       ///< 0: not by the clock
  std::int64_t epochs = 1;  ///< evaluations; 0: not by evaluations
};

/// When `fit` writes a checkpoint. Besides, it does so whenever an epoch was the best so far and
/// when it is stopped.
struct CheckpointOptions {
  std::string path{};             ///< where
  std::int64_t every_steps = 0;   ///< updates; 0: not by steps
  double every_minutes = 0;       ///< after the first step so long after the last; 0: never
  std::int64_t every_epochs = 1;  ///< evaluations; 0: not by evaluations
  std::string note{};             ///< kept in it, for whoever finds it
};

/// A checkpoint that is there and whole.
struct FoundCheckpoint {
  std::string path{};
  std::string note{};  ///< as CheckpointOptions had it
  /// Empty, or why this is not the newest one.
  std::string warning{};
};

/// A checkpoint is written beside its place, flushed, and moved there; the one before is kept under
/// this name, so that there is a whole one at every moment.
RNN_API std::string previous_checkpoint(const std::string& path);

/// The checkpoint at `path`. Where that is damaged or missing, the one before takes its place;
/// nothing when there is neither. Throws FormatError, naming what is there, when all of it is
/// damaged.
RNN_API std::optional<FoundCheckpoint> find_checkpoint(const std::string& path);

/// Takes away the checkpoint and the one before.
RNN_API void remove_checkpoints(const std::string& path);

}  // namespace rnn
