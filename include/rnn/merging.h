// Merging layers: several sequences become one, step by step.
//
// All take two or more sequences of vectors [T,B,F] of the same T, B and lengths.
#pragma once

#include "rnn/joint_layer.h"

namespace rnn {

/// What the four below share: one kernel pair, used once for each input after the first.
class RNN_API MergingLayer : public JointLayer {
 public:
  void describe(Fields& fields) const override;
  Signal output(std::span<const Signal> inputs) const override;
  /// Throws ShapeError, naming the input, for other steps, batch or lengths than the first's.
  Sequence forward(std::span<const Sequence> inputs, Call& call) const override;
  void backward(std::span<const Sequence> inputs, View<const float> dy, Call& call,
                std::span<View<const float>> dx) const override;

 protected:
  explicit MergingLayer(Merge merge) : merge_(merge) {}

 private:
  Merge merge_;
};

/// y = [x1, x2, ...] side by side, [T,B,F1+F2+...].
class RNN_API Concatenate : public MergingLayer {
 public:
  Concatenate() : MergingLayer(Merge::kConcat) {}
  std::string_view type() const noexcept override { return "Concatenate"; }
};

/// y = x1 + x2 + ..., from left to right; all equally wide.
class RNN_API Add : public MergingLayer {
 public:
  Add() : MergingLayer(Merge::kSum) {}
  std::string_view type() const noexcept override { return "Add"; }
};

/// y = (x1 + x2) / 2, of two inputs.
class RNN_API Average : public MergingLayer {
 public:
  Average() : MergingLayer(Merge::kMean) {}
  std::string_view type() const noexcept override { return "Average"; }
};

/// y = x1 * x2 * ..., element by element; all equally wide.
class RNN_API Multiply : public MergingLayer {
 public:
  Multiply() : MergingLayer(Merge::kMul) {}
  std::string_view type() const noexcept override { return "Multiply"; }
};

}  // namespace rnn
