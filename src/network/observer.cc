#include "rnn/observer.h"

#include <algorithm>
#include <cmath>

#include "rnn/error.h"

namespace rnn {
namespace {

bool finite(View<const float> values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); });
}

std::string shape_of(const Sequence& x) {
  return x.ids ? "symbols " + x.ids.shape().to_string() : x.values.shape().to_string();
}

}  // namespace

std::string LayerEvent::to_string() const {
  std::string text =
      (backward ? "backward " : "forward ") + std::string(name) + " (" + std::string(type) + "): ";
  std::string given;
  for (const Sequence& input : inputs) given += (given.empty() ? "" : ", ") + shape_of(input);
  const std::string made = values ? values.shape().to_string() : "loss";
  return text + (backward ? made + " -> " + given : given + " -> " + made);
}

std::string LayerEvent::not_finite() const {
  if (!finite(values)) return backward ? "gradient of the output" : "output";
  for (std::size_t i = 0; i < input_gradients.size(); ++i) {
    if (!finite(input_gradients[i])) return "gradient of input " + std::to_string(i + 1);
  }
  for (std::size_t i = 0; i < parameter_gradients.size(); ++i) {
    if (!finite(parameter_gradients[i])) return "gradient of parameter " + std::to_string(i + 1);
  }
  return {};
}

Observer require_finite(Observer next) {
  return [next = std::move(next)](const LayerEvent& event) {
    if (next) next(event);
    const std::string what = event.not_finite();
    if (!what.empty()) {
      throw DivergenceError("layer '" + std::string(event.name) + "': not finite: " + what + ", " +
                            event.to_string());
    }
  };
}

}  // namespace rnn
