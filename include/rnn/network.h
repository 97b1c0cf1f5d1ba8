// Network: layers that feed each other without circles, and what comes out of them.
//
// Sequential makes a chain, Graph anything that branches; both give a Network, which is what
// Session, Inference, Model and the model files work with.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/joint_layer.h"
#include "rnn/output_head.h"
#include "rnn/parameters.h"

namespace rnn {

/// Immutable once made, and cheap to copy: layers are shared.
class RNN_API Network {
 public:
  /// Where a value comes from: an input, or the layer of a node.
  struct Source {
    bool is_input = false;
    std::size_t number = 0;  ///< in inputs() or in nodes()
    friend bool operator==(const Source&, const Source&) = default;
  };

  /// The first input is the one that a Batch itself holds; others stand in it under their names.
  struct Input {
    std::string name;
    Signal signal;
    /// Goes step by step with the first input, whose lengths and examples then hold. Otherwise it
    /// has sequences of its own.
    bool aligned = true;
  };

  /// A layer in its place. Nodes stand after all that they take from.
  struct Node {
    std::string name;
    std::shared_ptr<const Layer> layer;       ///< of one input, or
    std::shared_ptr<const JointLayer> joint;  ///< of several; the other is null
    std::vector<Source> from{};
    Signal input, output;                 ///< input: the first
    std::vector<std::size_t> parameters;  ///< positions in the network's list
    /// Its part of the State: of layers that walk along the first input's sequences.
    std::size_t first_state = 0, states = 0;
    std::size_t sequences = 0;    ///< the input to whose sequences it belongs; aligned ones are 0
    bool needs_gradient = false;  ///< there are parameters here or before
    std::string shares{};         ///< the node whose parameters these are; empty: its own

    std::string_view type() const { return layer ? layer->type() : joint->type(); }
  };

  /// An output: a head and what it reads, or, without a head, features as they are.
  struct Head {
    std::string name;
    std::shared_ptr<const OutputHead> head;
    Source from{};
    Signal features;
    Index classes = 0;  ///< width of a prediction: of the features when there is no head
    std::vector<std::size_t> parameters;
    float weight = 1;  ///< of its loss in the sum
  };

  const std::vector<Input>& inputs() const { return inputs_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Head>& outputs() const { return outputs_; }
  /// The first input, as a type.
  const Signal& input() const { return inputs_.front().signal; }
  /// The first output. Null head when it has none.
  const Head& head() const { return outputs_.front(); }
  /// Position of an output by name. Throws ConfigError with the names there are.
  std::size_t output(std::string_view name) const;
  /// Name of an input or node.
  const std::string& name_of(const Source& source) const;
  /// The first layer along the first input's sequences that sees the future or gives fewer outputs
  /// than steps; null when there is none, and the network can walk a text step by step.
  const Node* first_not_causal() const;

  /// Full names and shapes, without those shared from elsewhere.
  const std::vector<ParameterSpec>& parameter_specs() const { return parameter_specs_; }
  /// Full names and widths, in the order of a State.
  const std::vector<StateSpec>& state_specs() const { return state_specs_; }

  /// First values, a function of the seed and each parameter's name.
  Parameters initial_parameters(std::uint64_t seed, const Backend& backend) const;
  /// Zeros, to be filled from a file.
  Parameters zero_parameters(const Backend& backend) const;
  /// Zeros: the state before a text begins.
  State zero_state(Index batch, const Backend& backend) const;

 private:
  friend class Graph;
  Network() = default;

  std::vector<Input> inputs_;
  std::vector<Node> nodes_;
  std::vector<Head> outputs_;
  std::vector<ParameterSpec> parameter_specs_;
  std::vector<StateSpec> state_specs_;
};

}  // namespace rnn
