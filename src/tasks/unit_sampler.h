// The choice of the next unit among those that a model finds likely.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rnn/tasks/language_model.h"
#include "rnn/view.h"

namespace rnn {

/// Candidates are ordered by probability, equals by id, so that a choice is the same on every
/// machine that computes the same probabilities.
class UnitSampler {
 public:
  /// `banned` is never chosen; -1: none.
  UnitSampler(const GenerateOptions& options, std::int32_t banned)
      : options_(options), banned_(banned) {}

  /// `draw` is uniform in [0, 1); `seen[id]` tells what the text has already. Throws
  /// DivergenceError when the probabilities are none, ConfigError when no unit that may be chosen
  /// has any.
  std::int32_t choose(View<const float> probabilities, std::span<const char> seen, double draw);

 private:
  struct Candidate {
    double log_prob = 0;
    double weight = 0;
    std::int32_t id = 0;
  };
  /// Cuts to the first that have this share of `total` together, at least to one.
  void keep_share(double share, double& total);
  void cut_to_typical(double& total);

  const GenerateOptions& options_;
  std::int32_t banned_;
  std::vector<Candidate> candidates_{};
};

/// Throws DivergenceError unless all are finite and none is negative.
void require_probabilities(View<const float> probabilities);
/// Throws ConfigError: all units that may be chosen have probability 0.
[[noreturn]] void refuse_no_unit(bool unknown_is_banned);

}  // namespace rnn
