// --cache-size, --dynamic-lr and what belongs to them.
#pragma once

#include <optional>

#include "apps/command_line.h"
#include "rnn/tasks/adaptive_language_model.h"

namespace rnn {

void add_adaptation_options(CommandLine& line);
/// What they say. Throws ConfigError, also together with --state reset or with the option
/// `excluded`.
Adaptation adaptation_of(const CommandLine& line, const char* excluded);
/// A reader of `model` that adapts so; nothing when nothing is asked for.
std::optional<AdaptiveLanguageModel> adaptive_reader(const CommandLine& line,
                                                     const Adaptation& adaptation,
                                                     const LanguageModel& model);

}  // namespace rnn
