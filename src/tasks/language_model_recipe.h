#pragma once

#include "rnn/tasks/language_model.h"

namespace rnn {

/// How validation and evaluation cut a text into windows: not part of the result (a window cut does
/// not change a bit of the log-probabilities), only of memory and speed.
inline constexpr std::int64_t kEvaluationWindow = 128;

}  // namespace rnn
