#pragma once

#include "rnn/any_layer.h"

namespace rnn {

struct RNN_API BidirectionalOptions {
  AnyLayer layer{};     ///< the direction forward
  AnyLayer backward{};  ///< none: `layer` with go_backwards the other way round
  Merge merge = Merge::kConcat;
  void exchange(Fields& fields);
};

/// A sequence read in both directions (Schuster and Paliwal 1997):
///
///   y_t = merge(forward(x)_t, backward(x)_t)      [T,B,I] -> [T,B,2H], or [T,B,H] unless concat
///
///   rnn::Bidirectional({.layer = rnn::LSTM({.units = 100})})
///
/// Each direction honours lengths: backward, a sequence begins at its own last step, so padding and
/// batch mates never reach it. Without return_sequences y [1,B,.] merges the forward state after
/// the last step with the backward state after the first: both have seen the whole sequence.
/// The directions may be any two layers that give the same number of steps, and of the same width
/// unless merge is concat. Parameters and state are theirs, as `forward_kernel`, `backward_h` and
/// so on. A carried state enters each direction where it begins: for the backward one that is the
/// end of the window, so a text in windows is not the text as a whole.
class RNN_API Bidirectional : public Layer {
 public:
  /// Throws ConfigError without a layer, for Merge::kGate, and when a missing `backward` cannot be
  /// had from `layer`.
  explicit Bidirectional(const BidirectionalOptions& options);

  std::string_view type() const noexcept override { return "Bidirectional"; }
  void describe(Fields& fields) const override;
  bool causal() const override;
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  std::vector<StateSpec> states(const Signal& input) const override;
  KernelPath path(const Backend& backend, const Signal& input) const override;
  /// Throws ShapeError when the directions give different numbers of steps.
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  BidirectionalOptions options_;
  std::size_t forward_parameters_ = 0, forward_states_ = 0;  // the first so many are forward's
};

}  // namespace rnn
