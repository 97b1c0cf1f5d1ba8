// What a network must be for a task, whether a recipe gives it to a training or a model that is
// loaded brings it.
#pragma once

#include <string>

#include "base/json.h"
#include "rnn/network.h"

namespace rnn {

/// Steps of what comes out, for a sequence that goes in.
enum class Steps { kEach, kOne, kOther };

/// Why the first output is no head along the sequences of the first input that is given `expected`
/// steps; empty when it is one. Layers that a program has registered are taken at their word: what
/// they give is seen only when they run.
std::string head_misfit(const Network& network, Steps expected);

/// For a recipe that brings a network: `given` are its options that would describe one, `standard`
/// the same of a recipe that says nothing. Throws ConfigError for one that differs: nobody would
/// read it, and the recorded recipe would claim what is not so.
void require_undescribed(const Json& given, const Json& standard);

/// Why a network is no language model over so many units; empty when it is one.
std::string language_model_misfit(const Network& network, Index vocabulary);

}  // namespace rnn
