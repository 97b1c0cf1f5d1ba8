// Frame: one layer or head of a network in the middle of a pass.
#pragma once

#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/layer.h"
#include "rnn/parameters.h"

namespace rnn {

/// The memory of a call, and the views that a Call borrows. Nothing is allocated when a frame is
/// bound again.
struct Frame {
  CallMemory memory{};
  Call call{};
  std::vector<View<const float>> parameters{}, state{};
  std::vector<View<float>> gradients{}, new_state{};

  void bind(const std::vector<std::size_t>& positions, const Parameters& all,
            const Backend& backend, bool training, const Random& random) {
    parameters.clear();
    for (std::size_t position : positions) parameters.push_back(all[position]);
    call = {.backend = &backend,
            .memory = &memory,
            .training = training,
            .random = random,
            .weights_version = all.version(),
            .parameters = parameters};
  }

  /// Null views where there is no gradient: the layer skips those.
  void bind_gradients(const std::vector<std::size_t>& positions, TensorList& all) {
    gradients.clear();
    for (std::size_t position : positions) {
      gradients.push_back(all.size() > 0 ? all[position].view() : View<float>());
    }
    call.gradients = gradients;
  }
};

/// Runs `work`; a ShapeError it throws is told which layer it is about.
template <class Work>
auto in_layer(const std::string& name, std::string_view type, Work work) {
  try {
    return work();
  } catch (const ShapeError& error) {
    throw ShapeError("layer '" + name + "' (" + std::string(type) + "): " + error.what());
  }
}

}  // namespace rnn
