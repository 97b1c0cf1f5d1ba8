// Watching a network at work: which shapes flow, and where numbers stop being finite.
//
//   session.observe([](const rnn::LayerEvent& e) { std::cerr << e.to_string() << '\n'; });
//   model.observe(rnn::require_finite());   // a step throws, naming the first layer
//
// The library itself prints nothing. An observer runs on the thread of the step, between layers, so
// a breakpoint in it stops a step under a debugger layer by layer.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "rnn/layer.h"

namespace rnn {

/// A layer or head has just gone forward or back. Everything is borrowed for the call.
struct RNN_API LayerEvent {
  std::string_view name{}, type{};
  bool backward = false;
  std::span<const Sequence> inputs{};
  /// Forward: what came out; of a head the loss of each target [T,B]. Backward: the gradient that
  /// arrived, null for a head.
  View<const float> values{};
  std::span<const View<const float>> input_gradients{};  ///< backward; null views: not wanted
  std::span<const View<float>> parameter_gradients{};    ///< backward, as they are by now

  /// "forward lstm (LSTM): [35,20,200] -> [35,20,300]"
  std::string to_string() const;
  /// What is not finite: "output", "gradient of input 1", "gradient of parameter 2"; empty when all
  /// numbers are.
  std::string not_finite() const;
};

using Observer = std::function<void(const LayerEvent&)>;

/// Throws DivergenceError at the first layer whose output or gradient is not finite, naming it, and
/// before that calls `next`, if there is one.
RNN_API Observer require_finite(Observer next = {});

}  // namespace rnn
