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
            const Backend& backend, bool training, const Random& random,
            CallMemory* shared_scratch = nullptr) {
    parameters.clear();
    for (std::size_t position : positions) parameters.push_back(all[position]);
    call = {.backend = &backend,
            .memory = &memory,
            .training = training,
            .random = random,
            // In shared scratch nothing stays packed.
            .weights_version = shared_scratch ? 0 : all.version(),
            .shared_scratch = shared_scratch,
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

/// What a hand-written forward gives a layer: kernels believe in it. A signal of 0 symbols is of
/// any number.
inline void require_signal(const Signal& expected, const Sequence& x) {
  const bool symbols = expected.kind != Signal::Kind::kVectors;
  if (symbols ? !x.ids : !x.values || x.values.extent(2) != expected.size) {
    const std::string got = x.ids       ? "symbols"
                            : !x.values ? "nothing"
                                        : Signal::vectors(x.values.extent(2)).to_string();
    throw ShapeError("expected " + expected.to_string() + ", got " + got);
  }
  if (!x.lengths.empty() && static_cast<Index>(x.lengths.size()) != x.batch()) {
    throw ShapeError("expected " + std::to_string(x.batch()) + " lengths, got " +
                     std::to_string(x.lengths.size()));
  }
  if (expected.kind != Signal::Kind::kSymbols || expected.size == 0) return;
  for (Index b = 0; b < x.batch(); ++b) {
    for (Index t = 0; t < length_of(x.lengths, b, x.time()); ++t) {
      const std::int32_t id = x.ids(t, b);
      if (id < 0 || id >= expected.size) {
        throw ShapeError("expected " + expected.to_string() + ", got the symbol " +
                         std::to_string(id));
      }
    }
  }
}

/// A layer of somebody's own may break its promise; better said here than by a kernel behind it.
/// `width`: what it promised to give; below 0: not known. Messages are made when they are needed: a
/// step must not allocate.
inline void require_result(const std::string& name, std::string_view type, const Sequence& x,
                           const Sequence& y, Index width) {
  const auto refuse = [&](const std::string& what) {
    throw ShapeError("layer '" + name + "' (" + std::string(type) + "): " + what);
  };
  const Shape got = y.values.shape();
  if (got.rank() != 3 || got[1] != x.batch() || (width >= 0 && got[2] != width)) {
    refuse("expected to get [T," + std::to_string(x.batch()) + "," +
           (width < 0 ? "F" : std::to_string(width)) + "] from it, got " + got.to_string());
  }
  if (!y.lengths.empty() && static_cast<Index>(y.lengths.size()) != x.batch()) {
    refuse("expected " + std::to_string(x.batch()) + " lengths from it, got " +
           std::to_string(y.lengths.size()));
  }
  if (!x.lengths.empty() && y.lengths.empty() && y.time() == x.time() && y.time() > 1) {
    refuse("the lengths of its input were lost on the way: it took " + std::to_string(x.batch()) +
           " of them and gave none");
  }
}

}  // namespace rnn
