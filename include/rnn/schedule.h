// Learning-rate schedules.
//
// A schedule is a pure function of how far training has come: it has no state to save and none to
// lose, and it never reads the clock.
#pragma once

#include <cstdint>
#include <span>

#include "rnn/export.h"
#include "rnn/fields.h"

namespace rnn {

/// How far training has come.
struct TrainingPosition {
  std::int64_t steps = 0;   ///< updates made
  std::int64_t tokens = 0;  ///< targets trained on
  double epochs = 0;        ///< with the part of the epoch at hand
  double total_epochs = 1;
  std::span<const double> validation{};  ///< loss of each validation so far
};

/// A factor for the learning rate. Flat: each kind reads the members that concern it.
struct RNN_API Schedule {
  enum class Kind { kConstant, kStep, kPlateau, kCosine, kOneCycle };
  enum class Unit { kSteps, kTokens, kEpochs };

  Kind kind = Kind::kConstant;
  Unit unit = Unit::kSteps;  ///< what `warmup`, `after`, `every` and `total` count

  /// Any kind: the factor rises linearly from 0 to the schedule's own over this long.
  double warmup = 0;

  /// Step: multiplied by `factor` at `after`, and again each `every` after that.
  double after = 0, every = 1;
  /// Step and plateau.
  double factor = 0.5;

  /// Plateau: multiplied by `factor` when more than `patience` validations in a row have not made
  /// the loss smaller than (1 - threshold) times the best.
  int patience = 0;
  double threshold = 0;

  /// Cosine (Loshchilov and Hutter 2017): from 1 to `last` over `total`; one cycle (Smith and Topin
  /// 2019): from `first` up to 1 at the share `peak` of `total`, then down to `last`, both as half
  /// cosines. A total of 0 means the whole training.
  double total = 0;
  double first = 0.04, peak = 0.3, last = 0;

  void exchange(Fields& fields);
  /// Throws ConfigError, naming the member.
  void validate() const;
  double factor_at(const TrainingPosition& position) const;
};

}  // namespace rnn
