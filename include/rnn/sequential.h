// Sequential: layers one after another, and an output head at the end.
#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <vector>

#include "rnn/network.h"

namespace rnn {

/// A layer or an output head, made from either by value.
class Part {
 public:
  template <std::derived_from<Layer> L>
  Part(L layer) : layer_(std::make_shared<const L>(std::move(layer))) {}
  template <std::derived_from<OutputHead> H>
  Part(H head) : head_(std::make_shared<const H>(std::move(head))) {}
  Part(std::shared_ptr<const Layer> layer) : layer_(std::move(layer)) {}
  Part(std::shared_ptr<const OutputHead> head) : head_(std::move(head)) {}

  const std::shared_ptr<const Layer>& layer() const { return layer_; }
  const std::shared_ptr<const OutputHead>& head() const { return head_; }

 private:
  std::shared_ptr<const Layer> layer_;
  std::shared_ptr<const OutputHead> head_;
};

/// A network that is a chain, as code:
///
///   const rnn::Sequential network({rnn::Embedding({.input_dim = 10000, .output_dim = 200}),
///                                  rnn::LSTM({.units = 200}),
///                                  rnn::Dropout({.rate = 0.2f}),
///                                  rnn::Softmax({.units = 10000})});
///
/// Layers are named after their type in lower case, with _1, _2 ... from the second on; parameters
/// are named "lstm_1/kernel". The input is called "input". What branches is made with a Graph; a
/// Sequential has nothing that a Network has not.
class RNN_API Sequential : public Network {
 public:
  /// Throws ConfigError, naming the layer, when parts do not fit together, when a head stands
  /// anywhere but at the end, or when there is no layer at all. Input: symbols if the first layer
  /// is an Embedding, else vectors of width `input_features`.
  Sequential(std::initializer_list<Part> parts, Index input_features = 0);
  explicit Sequential(const std::vector<Part>& parts, Index input_features = 0);
};

}  // namespace rnn
