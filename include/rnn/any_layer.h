// AnyLayer: a layer as an option of another.
#pragma once

#include <concepts>
#include <memory>
#include <utility>

#include "rnn/layer.h"

namespace rnn {

/// Made from a layer by value, as in `Residual({.layer = LSTM({.units = 64})})`, or from a pointer.
/// Copies share the layer, which is immutable.
class AnyLayer {
 public:
  AnyLayer() = default;
  template <std::derived_from<Layer> L>
  AnyLayer(L layer) : layer_(std::make_shared<const L>(std::move(layer))) {}
  AnyLayer(std::shared_ptr<const Layer> layer) : layer_(std::move(layer)) {}

  explicit operator bool() const { return layer_ != nullptr; }
  const Layer& operator*() const { return *layer_; }
  const Layer* operator->() const { return layer_.get(); }
  const std::shared_ptr<const Layer>& pointer() const { return layer_; }

 private:
  std::shared_ptr<const Layer> layer_;
};

}  // namespace rnn
