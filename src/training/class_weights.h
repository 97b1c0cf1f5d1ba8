// Class weights: factors of the weights that the targets of a batch have.
#pragma once

#include <span>

#include "rnn/batch.h"
#include "rnn/network.h"

namespace rnn {

/// Throws ConfigError unless there is none or one for each class of a head with one target a step,
/// finite and at least 0.
void check_class_weights(std::span<const float> class_weights, const Network::Head& head);

/// Multiplies each target's weight by that of its class.
void weigh(Batch& batch, std::span<const float> class_weights);

}  // namespace rnn
