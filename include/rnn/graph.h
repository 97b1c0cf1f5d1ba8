// Graph: a branching network as code.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/any_layer.h"
#include "rnn/gather.h"
#include "rnn/merging.h"
#include "rnn/network.h"

namespace rnn {

/// A joint layer, made from one by value or from a pointer.
class AnyJointLayer {
 public:
  template <std::derived_from<JointLayer> L>
  AnyJointLayer(L layer) : layer_(std::make_shared<const L>(std::move(layer))) {}
  AnyJointLayer(std::shared_ptr<const JointLayer> layer) : layer_(std::move(layer)) {}
  const std::shared_ptr<const JointLayer>& pointer() const { return layer_; }

 private:
  std::shared_ptr<const JointLayer> layer_;
};

/// An output head, made from one by value or from a pointer.
class AnyHead {
 public:
  template <std::derived_from<OutputHead> H>
  AnyHead(H head) : head_(std::make_shared<const H>(std::move(head))) {}
  AnyHead(std::shared_ptr<const OutputHead> head) : head_(std::move(head)) {}
  const std::shared_ptr<const OutputHead>& pointer() const { return head_; }

 private:
  std::shared_ptr<const OutputHead> head_;
};

struct InputOptions {
  /// Step by step with the first input: a batch gives its ids or values alone. False: sequences of
  /// its own, with their own T, B, lengths and examples.
  bool aligned = true;
};

struct NodeOptions {
  std::string name{};    ///< empty: the type in lower case, with _1, _2 ... from the second on
  std::string shares{};  ///< name of a layer of equal parameter shapes, whose parameters it uses
};

struct OutputOptions {
  std::string name{};  ///< empty: the head's type in lower case, or "output"
  float weight = 1;    ///< of its loss in the sum of all
};

/// Takes layers one by one and makes a Network of them. A tagger that also reads how words are
/// spelled, each distinct word of a batch once:
///
///   rnn::Graph g;
///   const auto words = g.input("words", rnn::Signal::symbols(10000));
///   const auto letters = g.input("letters", rnn::Signal::symbols(80), {.aligned = false});
///   const auto spelling = g.input("spelling", rnn::Signal::rows());
///   const auto read = g.add(rnn::Conv1D({.filters = 30, .kernel_size = 3}),
///                           g.add(rnn::Embedding({.input_dim = 80, .output_dim = 30}), letters));
///   const auto spelled = g.gather(g.add(rnn::PoolOverTime({}), read), spelling);
///   const auto x = g.add(rnn::Concatenate(), {g.add(rnn::Embedding({...}), words), spelled});
///   g.output(rnn::CRF({.units = 17}), g.add(rnn::Bidirectional({...}), x));
///   const rnn::Network network = g.build();
///
/// What flows is at most 2^28 wide, and symbols at most so many. Every mistake is a ConfigError
/// where it is made, naming the layer, what it expected and what it was given. Names of inputs,
/// layers and outputs are unique and hold no '/'.
class RNN_API Graph {
 public:
  /// What an input gives or a layer makes; belongs to the graph that gave it.
  class Value {
   public:
    Value() = default;

   private:
    friend class Graph;
    Value(Network::Source source, std::uint64_t graph) : source_(source), graph_(graph) {}
    Network::Source source_{};
    std::uint64_t graph_ = 0;  // of none
  };

  Graph();

  /// The first is the batch's main input; others stand in Batch::other_inputs.
  Value input(std::string name, const Signal& signal, const InputOptions& options = {});
  Value add(const AnyLayer& layer, Value x, const NodeOptions& options = {});
  Value add(const AnyJointLayer& layer, const std::vector<Value>& from,
            const NodeOptions& options = {});
  /// A Gather of rows out of `table`.
  Value gather(Value table, Value rows, const NodeOptions& options = {});
  /// An output with a loss. The loss of a network is the sum of all, each times its weight.
  void output(const AnyHead& head, Value features, const OutputOptions& options = {});
  /// Features as an output, to be read.
  void output(Value features, const OutputOptions& options = {});

  /// What flows there, as a type, and what the input or layer is called.
  const Signal& signal(Value value) const;
  const std::string& name(Value value) const;
  /// Throws ConfigError when there is no output, or a layer or input that leads to none.
  Network build() const;

 private:
  std::string take_name(const std::string& given, std::string_view type);
  void check(Value value, const std::string& owner) const;
  std::size_t sequences_of(Network::Source source) const;
  bool needs_gradient(Network::Source source) const;
  std::vector<std::size_t> declare(const std::string& owner,
                                   const std::vector<ParameterSpec>& specs);
  std::vector<std::size_t> share(const Network::Node& node,
                                 const std::vector<ParameterSpec>& specs) const;
  Value add(Network::Node node, const NodeOptions& options, std::size_t sequences,
            const std::vector<ParameterSpec>& specs);

  std::uint64_t id_;  // by which values know it
  Network network_;
  std::set<std::string> names_;
  std::map<std::string, std::size_t> numbered_{};  // by stem: the last number that a name was given
  std::map<std::string, std::size_t> nodes_{};     // by name: where they stand in the network
  std::map<std::string, std::size_t> parameters_{};
};

}  // namespace rnn
