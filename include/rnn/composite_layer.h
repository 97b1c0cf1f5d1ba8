// CompositeLayer: a layer, or a whole model up to its head, with a forward of your own.
//
//   struct Mine : rnn::CompositeLayer {
//     rnn::AnyLayer conv = rnn::Conv1D({.filters = 64, .kernel_size = 3});
//     rnn::AnyLayer lstm = rnn::LSTM({.units = 64});
//     std::string_view type() const noexcept override { return "Mine"; }
//     void describe(rnn::Fields&) const override {}
//     std::vector<Inner> layers(const rnn::Signal& input) const override {
//       return {{"conv", conv, input}, {"lstm", lstm, conv->output(input)}};
//     }
//     rnn::Signal output(const rnn::Signal&) const override { return rnn::Signal::vectors(64); }
//     rnn::TapeValue run(rnn::CompositeTape& tape, rnn::TapeValue x) const override {
//       const auto c = tape.call("conv", x);
//       return tape.add(c, tape.call("lstm", c));
//     }
//   };
//   rnn::Model model(rnn::Sequential({rnn::Embedding({...}), Mine(), rnn::Softmax({...})}));
//
// The backward is had from a tape. Such a layer stands wherever a layer may: in a Sequential, a
// Graph, a Bidirectional; fit, Session, state, threads and checkpoints work as with any other. A
// network that holds one is saved once its type is known (register_layer).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rnn/any_layer.h"
#include "rnn/gradient_tape.h"

namespace rnn {

/// The operations of a tape, and the layers inside a CompositeLayer.
class RNN_API CompositeTape : public TapeOperations {
 public:
  /// The output of an inner layer, by the name that CompositeLayer::layers gives it. Throws
  /// ConfigError for another name. A second call of a layer with a recurrent state goes on from the
  /// first.
  TapeValue call(std::string_view layer, TapeValue x);
  /// Whether regularisers act.
  bool training() const;

 private:
  friend class CompositeLayer;
  CompositeTape() = default;
};

class RNN_API CompositeLayer : public Layer {
 public:
  /// A layer inside, and what it is given. Its parameters and state bear its name, as in
  /// "conv_kernel".
  struct Inner {
    std::string name;
    AnyLayer layer;
    Signal input;
  };

  /// The layers inside, in an order that depends on nothing.
  virtual std::vector<Inner> layers(const Signal& input) const = 0;
  /// The forward. It must record the same calls in training and evaluation, and be a function of x
  /// and of the layers alone.
  virtual TapeValue run(CompositeTape& tape, TapeValue x) const = 0;

  /// False, unless a subclass knows better.
  bool causal() const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const final;
  std::vector<StateSpec> states(const Signal& input) const final;
  /// Those of the layers inside.
  KernelPath path(const Backend& backend, const Signal& input) const final;
  Sequence forward(const Sequence& x, Call& call) const final;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const final;
};

}  // namespace rnn
