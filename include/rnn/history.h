// History: what training saw, epoch by epoch. A value.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rnn/export.h"
#include "rnn/output_head.h"

namespace rnn {

/// A loss over a text of so many characters: comparable between models of different units.
RNN_API double bits_per_character(const LossSum& loss, std::int64_t characters);

inline double perplexity(const LossSum& loss) { return std::exp(loss.mean()); }

struct EpochRecord {
  std::int64_t epoch = 0;    ///< from 1
  std::int64_t steps = 0;    ///< updates since the beginning
  std::int64_t tokens = 0;   ///< targets since the beginning
  double learning_rate = 0;  ///< of the epoch's last step
  double gradient_norm = 0;  ///< mean over the epoch, before clipping
  LossSum train{};           ///< as training saw it, regularisers acting
  std::optional<LossSum> validation{};
  std::optional<double> metric{};  ///< what FitOptions::metric gave: the higher, the better
  double seconds = 0;  ///< wall time of the steps: neither validation nor saving is counted
};

/// What epochs are chosen by, the smaller the better: the metric negated; without one the
/// validation loss, or the training loss where nothing was validated.
RNN_API double cost_of(const EpochRecord& record);

struct RNN_API History {
  std::vector<EpochRecord> epochs{};
  /// FitOptions::validation_characters; 0: not known.
  std::int64_t validation_characters = 0;

  std::vector<double> validation_losses() const;
  /// The record with the highest metric; without metrics that with the smallest validation loss, or
  /// training loss where nothing was validated. The earliest of equals. An epoch whose measure is
  /// not finite is never the best. Null while there is none.
  const EpochRecord* best() const;
  /// cost_of each epoch that was validated or measured.
  std::vector<double> costs() const;
  /// Of a record's validation; nothing unless there was one and its characters are known.
  std::optional<double> bits_per_character(const EpochRecord& record) const;
  /// One header line, then one line an epoch; numbers with all their digits, read back exactly.
  /// `metric` and `valid_bits_per_char` are columns where they are known.
  std::string to_csv() const;
  /// The same as one JSON object a line; what is not there is left out, what is not finite is null.
  std::string to_json_lines() const;
};

}  // namespace rnn
