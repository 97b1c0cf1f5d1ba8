// What a network must be for a task, whether a recipe gives it to a training or a model that is
// loaded brings it.
#pragma once

#include <string>

#include "rnn/network.h"

namespace rnn {

/// Steps of what comes out, for a sequence that goes in.
enum class Steps { kEach, kOne, kOther };

/// Why the first output is no head along the sequences of the first input that is given `expected`
/// steps; empty when it is one. Layers that a program has registered are taken at their word: what
/// they give is seen only when they run.
std::string head_misfit(const Network& network, Steps expected);

/// Why a network is no language model over so many units; empty when it is one.
std::string language_model_misfit(const Network& network, Index vocabulary);

}  // namespace rnn
