// The kernels in one precision against the same in fp32.
#pragma once

#include <string>

#include "rnn/precision.h"

namespace rnn::bench {

/// Prints time and ratio of each window and of inference at batch 1, fp32 and `precision` taking
/// turns within a round; medians over rounds. `only`: part of a case's name.
void compare_precisions(Precision precision, int threads, int rounds, const std::string& only);

}  // namespace rnn::bench
