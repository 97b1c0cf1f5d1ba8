#pragma once

#include "rnn/joint_layer.h"

namespace rnn {

/// Vectors by number: an embedding whose table is computed. Inputs: a table [1,U,F], one vector for
/// each of U sequences (what PoolOverTime gives), and numbers [T,B] of its rows
/// (Signal::rows()). Output y[t,b] = table[0, rows[t,b]], [T,B,F]; a number below zero gives zeros.
///
/// So the distinct words of a batch are spelled out once, each as a sequence of characters, and
/// gathered wherever they stand:
///
///   auto words = g.add(PoolOverTime({}), g.add(Conv1D({...}), g.add(Embedding({...}), chars)));
///   auto x = g.gather(words, g.input("spelling", Signal::rows()));
///
/// The gradient of a row is the sum over the places it was gathered to, in the order t, b: like
/// that of a parameter, it depends on the whole batch.
class RNN_API Gather : public JointLayer {
 public:
  std::string_view type() const noexcept override { return "Gather"; }
  void describe(Fields& fields) const override;
  bool aligned() const override;
  Signal output(std::span<const Signal> inputs) const override;
  /// Throws ShapeError for a table of several steps and for a number that is no row of it.
  Sequence forward(std::span<const Sequence> inputs, Call& call) const override;
  void backward(std::span<const Sequence> inputs, View<const float> dy, Call& call,
                std::span<View<const float>> dx) const override;
};

}  // namespace rnn
