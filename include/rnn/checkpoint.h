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
  double minutes = 10;      ///< 0: not by the clock
  std::int64_t epochs = 1;  ///< evaluations; 0: not by evaluations
};

/// When `fit` writes a checkpoint. Besides, it does so whenever an epoch was the best so far and
/// when it is stopped, also by a divergence.
struct CheckpointOptions {
  std::string path{};             ///< where
  std::int64_t every_steps = 0;   ///< updates; 0: not by steps
  double every_minutes = 0;       ///< after the first step so long after the last; 0: never
  std::int64_t every_epochs = 1;  ///< evaluations; 0: not by evaluations
  std::string note{};             ///< kept in it, for whoever finds it
};

/// A checkpoint that is there and whole.
struct FoundCheckpoint {
  std::string path{};      ///< the file that it is in
  std::string note{};      ///< as CheckpointOptions had it
  std::int64_t steps = 0;  ///< updates made before it
  /// Its place is one of `CheckpointOptions::every_steps`, `every_epochs` or a best epoch, or where
  /// a divergence went back to: the same place whoever stopped the training in between, and when.
  bool planned = true;
  /// Empty, or why this is not the newest one.
  std::string warning{};
};

/// A checkpoint is written beside its place, flushed, and moved there; the one before is kept under
/// this name, so that there is a whole one at every moment. In a training that goes back to a
/// checkpoint after a divergence that is the last planned one: one of the clock or of a stop takes
/// the place of another such.
RNN_API std::string previous_checkpoint(const std::string& path);

/// The checkpoint at `path`; where that is damaged, missing or cannot be read, the one before, with
/// a warning. Nothing when there is neither. Changes nothing. Throws FormatError, naming what is
/// there, when all of it is damaged or of another version of rnn, and IoError when some of it
/// cannot be read.
RNN_API std::optional<FoundCheckpoint> find_checkpoint(const std::string& path);

/// The same for whoever goes on writing at `path`: the one before is moved there, so that the next
/// one that is written does not push it out for a damaged one. What could not be read, or is of
/// another version of rnn, may yet be whole: it is kept beside, under `unread_checkpoint(path)`.
RNN_API std::optional<FoundCheckpoint> take_checkpoint(const std::string& path);
RNN_API std::string unread_checkpoint(const std::string& path);

/// Takes away the checkpoint, the one before and one that was not read. Throws IoError.
RNN_API void remove_checkpoints(const std::string& path);

}  // namespace rnn
