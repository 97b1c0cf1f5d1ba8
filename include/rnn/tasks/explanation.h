// Explanation: how much each unit of a text speaks for a label.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"

namespace rnn {

enum class ExplainMethod {
  /// Integrated gradients (Sundararajan, Taly and Yan 2017), from no text at all (zeros in place of
  /// every unit's vector) to the text: contributions add up to the change of the logit. What comes
  /// from the vector of an n-gram is shared out evenly among its units.
  kIntegratedGradients,
  /// What the logit loses when the vectors of the unit, and of n-grams with it, are zeros; the text
  /// stays as long as it is. Does not add up to anything; a hundred times slower on long texts.
  kOcclusion,
};

/// "integrated-gradients" or "occlusion". Throws ConfigError for another name.
RNN_API ExplainMethod explain_method(std::string_view name);

struct ExplainOptions {
  ExplainMethod method = ExplainMethod::kIntegratedGradients;
  std::int32_t label = -1;  ///< -1: the likeliest
  /// Called again and again during the work; what it throws ends the explanation and is passed on.
  std::function<void()> between{};
};

struct UnitContribution {
  std::size_t begin = 0, end = 0;  ///< bytes of the text
  bool unknown = false;            ///< the vocabulary does not have it
  double contribution = 0;         ///< to the logit: above 0 it speaks for the label
};

/// Logits are natural: log p + constant of a softmax, log (p / (1-p)) of a sigmoid.
struct Explanation {
  std::int32_t label = 0;                 ///< what is explained
  double logit = 0;                       ///< of the label for this text
  double baseline = 0;                    ///< the same without any unit
  std::vector<UnitContribution> units{};  ///< those that were read, in their order
  bool cut = false;                       ///< the middle of the text was not read
  /// Integrated gradients: logit - baseline - sum of all contributions, which the number of points
  /// is raised to make small. It stays large where no number of points is enough: a recurrent
  /// network may amplify the smallest change of a text of hundreds of units beyond any bound.
  double remainder = 0;
};

}  // namespace rnn
