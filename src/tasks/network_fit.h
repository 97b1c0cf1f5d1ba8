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

/// Throws ConfigError for the first option of which `given` is not `standard`.
void require_standard(const Json& given, const Json& standard);

/// For a recipe that brings a network: none of the options that would describe one, those that
/// `exchange` lists, may be given. Nobody would read them, and the recorded recipe would claim what
/// is not so. Throws ConfigError.
template <class Recipe>
void require_undescribed(Recipe given, void (*exchange)(Fields&, Recipe&)) {
  const auto options = [&](Recipe& recipe) {
    Json json;
    JsonWriter writer(json);
    exchange(writer, recipe);
    return json;
  };
  Recipe standard;
  require_standard(options(given), options(standard));
}

/// Why a network is no language model over so many units; empty when it is one.
std::string language_model_misfit(const Network& network, Index vocabulary);

}  // namespace rnn
