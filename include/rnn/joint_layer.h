// JointLayer: a layer of several inputs. What layer.h says of layers holds here too.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "rnn/layer.h"

namespace rnn {

/// A documented forward/backward pair over several sequences: immutable, called with a Call, as a
/// Layer is. It has no recurrent state. The result belongs to the sequences of its last input: it
/// has their lengths and examples.
class RNN_API JointLayer {
 public:
  virtual ~JointLayer() = default;

  /// "Concatenate": the name in model files.
  virtual std::string_view type() const noexcept = 0;
  /// Shows every option, as the options' `exchange` does.
  virtual void describe(Fields& fields) const = 0;

  /// Whether all inputs must be of the same sequences, step by step.
  virtual bool aligned() const { return true; }
  /// What comes out when `inputs` come in. Throws ConfigError when they cannot be used.
  virtual Signal output(std::span<const Signal> inputs) const = 0;
  virtual std::vector<ParameterSpec> parameters(std::span<const Signal> inputs) const;

  /// The result lives in call.memory, or is one of the inputs, until the next call with it.
  virtual Sequence forward(std::span<const Sequence> inputs, Call& call) const = 0;
  /// Writes into `dx` a gradient for each input, after a forward call in training with the same
  /// inputs and memory. Null for an input that has no gradient, such as symbols.
  virtual void backward(std::span<const Sequence> inputs, View<const float> dy, Call& call,
                        std::span<View<const float>> dx) const = 0;
};

/// A joint layer by its type and options, as a model file has them. Throws ConfigError for a type
/// that nobody knows.
RNN_API std::shared_ptr<const JointLayer> make_joint_layer(std::string_view type, Fields& options);

}  // namespace rnn
