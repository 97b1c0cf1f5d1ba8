// Sequential: layers one after another, and an output head at the end.
#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "rnn/layer.h"
#include "rnn/output_head.h"
#include "rnn/parameters.h"

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

/// A network as code:
///
///   const rnn::Sequential network({rnn::Embedding({.input_dim = 10000, .output_dim = 200}),
///                                  rnn::LSTM({.units = 200}),
///                                  rnn::Dropout({.rate = 0.2f}),
///                                  rnn::Softmax({.units = 10000})});
///
/// Immutable once made, and cheap to copy: layers are shared. Layers are named after their type in
/// lower case, with _1, _2 ... from the second on; parameters are named "lstm_1/kernel".
class RNN_API Sequential {
 public:
  /// Throws ConfigError, naming the layer, when parts do not fit together, when a head stands
  /// anywhere but at the end, or when there is no layer at all. Input: symbols if the first layer
  /// is an Embedding, else vectors of width `input_features`.
  Sequential(std::initializer_list<Part> parts, Index input_features = 0);
  explicit Sequential(const std::vector<Part>& parts, Index input_features = 0);

  struct Node {
    std::string name;
    std::shared_ptr<const Layer> layer;
    Signal input, output;
    std::vector<std::size_t> parameters;  ///< positions in the network's list
    std::size_t first_state = 0, states = 0;
  };
  struct Head {
    std::string name;
    std::shared_ptr<const OutputHead> head;
    Signal features;
    Index classes = 0;
    std::vector<std::size_t> parameters;
  };

  const Signal& input() const { return input_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  /// Null head when the network has none.
  const Head& head() const { return head_; }
  /// Full names and shapes, without those shared from elsewhere.
  const std::vector<ParameterSpec>& parameter_specs() const { return parameter_specs_; }

  /// Full names and widths, in the order of a State.
  const std::vector<StateSpec>& state_specs() const { return state_specs_; }

  /// First values, a function of the seed and each parameter's name.
  Parameters initial_parameters(std::uint64_t seed, const Backend& backend) const;
  /// Zeros: the state before a text begins.
  State zero_state(Index batch, const Backend& backend) const;

 private:
  std::vector<std::size_t> declare(const std::string& owner,
                                   const std::vector<ParameterSpec>& specs);

  Signal input_;
  std::vector<Node> nodes_;
  Head head_;
  std::vector<ParameterSpec> parameter_specs_;
  std::vector<StateSpec> state_specs_;
};

}  // namespace rnn
