// Averages of the parameters over the steps of a training: with a learning rate that does not fall
// to zero, the average of the last weights is often better than the last weights themselves.
#pragma once

#include <cstdint>
#include <span>

#include "rnn/backend.h"
#include "rnn/export.h"
#include "rnn/fields.h"
#include "rnn/parameters.h"

namespace rnn {

/// What is averaged. Flat: each kind reads the members that concern it.
///   kEma      a = m * a + (1 - m) * p after each step, with m = min(momentum, (1 + n) / (10 + n))
///             at the n-th step from 0, so that the first values are soon forgotten
///   kAsgd     the mean of p over all steps from epoch `start` on (Polyak and Juditsky 1992)
///   kNtAsgd   as kAsgd, from the first validation on whose loss is larger than the smallest of
///             those more than `non_monotone` validations before (Merity, Keskar and Socher 2017)
struct RNN_API Averaging {
  enum class Kind { kNone, kEma, kAsgd, kNtAsgd };

  Kind kind = Kind::kNone;
  float momentum = 0.999f;        ///< EMA: m
  std::int64_t start = 0;         ///< ASGD: epochs before it begins
  std::int64_t non_monotone = 5;  ///< NT-ASGD: validations that are endured

  void exchange(Fields& fields);
  /// Throws ConfigError, naming the member.
  void validate() const;
  /// Whether steps are averaged after `epochs` whole epochs with these validation losses: a
  /// function of the history, so that there is no trigger to save or to lose.
  bool begun(std::int64_t epochs, std::span<const double> validation) const;
};

/// What an averaging remembers between steps. A value.
struct AverageState {
  std::int64_t steps = 0;  ///< averaged so far; there are no values before the first
  Parameters values{};
};

/// Takes the parameters after a step into the average.
RNN_API void average(const Averaging& averaging, const TensorList& parameters, AverageState& state,
                     const Backend& backend);

}  // namespace rnn
