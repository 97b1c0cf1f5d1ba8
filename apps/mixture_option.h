// --mix: other models whose probabilities are mixed with those of --model.
#pragma once

#include <optional>

#include "apps/command_line.h"
#include "rnn/tasks/language_model_mixture.h"

namespace rnn {

void add_mixture_option(CommandLine& line);
/// The model of --model and those of --mix; nothing without --mix. Throws ConfigError.
std::optional<LanguageModelMixture> load_mixture(const CommandLine& line);

}  // namespace rnn
