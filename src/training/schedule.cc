#include "rnn/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/require.h"

namespace rnn {
namespace {

double half_cosine(double from, double to, double share) {
  return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * std::clamp(share, 0.0, 1.0)));
}

double plateau(const Schedule& schedule, std::span<const double> losses) {
  double factor = 1, best = std::numeric_limits<double>::infinity();
  int without_gain = 0;
  for (double loss : losses) {
    if (loss < best * (1 - schedule.threshold)) {
      best = loss;
      without_gain = 0;
    } else if (++without_gain > schedule.patience) {
      factor *= schedule.factor;
      without_gain = 0;
    }
  }
  return factor;
}

}  // namespace

void Schedule::exchange(Fields& fields) {
  fields.choice("kind", kind, {"constant", "step", "plateau", "cosine", "one-cycle"});
  fields.choice("unit", unit, {"steps", "tokens", "epochs"});
  fields("warmup", warmup);
  fields("after", after);
  fields("every", every);
  fields("factor", factor);
  fields("patience", patience);
  fields("threshold", threshold);
  fields("total", total);
  fields("first", first);
  fields("peak", peak);
  fields("last", last);
}

void Schedule::validate() const {
  require(warmup >= 0, "schedule warmup", "at least 0", warmup);
  require(after >= 0, "schedule after", "at least 0", after);
  require(every > 0, "schedule every", "more than 0", every);
  require(factor > 0 && factor <= 1, "schedule factor", "in (0, 1]", factor);
  require(patience >= 0, "schedule patience", "at least 0", patience);
  require(threshold >= 0 && threshold < 1, "schedule threshold", "in [0, 1)", threshold);
  require(total >= 0, "schedule total", "at least 0", total);
  require(first > 0 && first <= 1, "schedule first", "in (0, 1]", first);
  require(peak >= 0 && peak <= 1, "schedule peak", "in [0, 1]", peak);
  require(last >= 0 && last <= 1, "schedule last", "in [0, 1]", last);
}

double Schedule::factor_at(const TrainingPosition& position) const {
  const double count = unit == Unit::kSteps    ? static_cast<double>(position.steps)
                       : unit == Unit::kTokens ? static_cast<double>(position.tokens)
                                               : position.epochs;
  const double share = total > 0 ? count / total : position.epochs / position.total_epochs;
  double result = 1;
  switch (kind) {
    case Kind::kConstant:
      break;
    case Kind::kStep:
      if (count >= after) result = std::pow(factor, std::floor((count - after) / every) + 1);
      break;
    case Kind::kPlateau:
      result = plateau(*this, position.validation);
      break;
    case Kind::kCosine:
      result = half_cosine(1, last, share);
      break;
    case Kind::kOneCycle:
      result = share < peak ? half_cosine(first, 1, share / peak)
                            : half_cosine(1, last, peak < 1 ? (share - peak) / (1 - peak) : 1);
      break;
  }
  // Counted in steps, the first step already moves: step n of a warm-up of n takes the whole rate.
  const double done = unit == Unit::kSteps ? count + 1 : count;
  if (warmup > 0 && done < warmup) result *= done / warmup;
  return result;
}

}  // namespace rnn
