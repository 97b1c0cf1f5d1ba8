// What every layer owes, in one place: shapes, its description, padding, the promises about batch
// mates and windows, gradients, and where memory comes from. A layer's test makes a LayerCase of
// each way to configure it and applies `check_layer_contract`.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/layer_call.h"

namespace rnn::test {

struct LayerCase {
  std::shared_ptr<const Layer> layer;
  Signal input{};
  bool streams = true;         ///< window by window with carried state gives the bits of the whole
  bool steady = true;          ///< training and evaluation give the same outputs
  bool hands_through = false;  ///< in training too y may be x, whose padding must be zeros already
  bool keeps = true;       ///< with a state or random draws, training keeps more than evaluation
  float step = 1e-2f;      ///< of finite differences; small where an activation has a kink
  std::uint64_t seed = 1;  ///< of parameters and inputs
  /// Steps that come out when so many go in; none: as many, or one for the whole sequence.
  std::function<Index(Index)> steps{};
  /// What backward differentiates beside the outputs; none: nothing.
  std::function<double(const LayerInput&, const LayerOutput&)> penalty{};
};

/// Every point of the contract, on every backend.
void check_layer_contract(const LayerCase& chosen);

}  // namespace rnn::test
