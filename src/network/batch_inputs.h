// A batch as a network takes it: checked at the border, where kernels behind it check nothing.
#pragma once

#include <span>
#include <vector>

#include "rnn/batch.h"
#include "rnn/network.h"

namespace rnn {

/// Fills `inputs` with what the batch holds for each input of the network; it borrows from the
/// batch. Throws ShapeError, naming the input, for whatever does not fit.
void take_inputs(const Network& network, const Batch& batch, std::vector<Sequence>& inputs);

/// The targets that the batch has for an output; empty when it has none. Throws ShapeError when it
/// names an output that is not there.
std::span<const std::int32_t> targets_for(const Network& network, const Batch& batch,
                                          std::size_t output);

/// The weights of those targets; empty when they have none.
std::span<const float> weights_for(const Network& network, const Batch& batch, std::size_t output);

/// Throws ShapeError, naming the parameter, unless these are parameters of this network.
void require_parameters(const Network& network, const Parameters& parameters);

/// Throws ShapeError unless the state is one of this network and of so many sequences.
void require_state(const Network& network, const State& state, Index batch);

/// A batch of that size, all zeros, with masked targets for features of `time` steps: what memory
/// depends on. Inputs with sequences of their own are as large.
Batch blank_batch(const Network& network, Index time, Index batch);

}  // namespace rnn
