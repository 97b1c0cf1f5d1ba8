// GradientTape: any forward you can write, differentiated.
//
//   rnn::GradientTape tape(network, parameters, backend, {.seed = 1});
//   tape.begin_step(step, state);                          // state: moved along by the calls below
//   auto x = tape.call("embedding", tape.input(batch));    // layers by name, in any order, any
//   auto h = tape.call("lstm", x);                         // number of times
//   auto y = tape.add(x, tape.scale(h, 0.5f));             // and operations between them
//   auto loss = tape.loss("softmax", y, batch.targets);
//   tape.backward(loss, 1.0f / count);                     // adds to tape.gradients()
//   tape.gradient(x);                                      // dloss/dx, if somebody wants to know
//
// The network lends layers, names and parameters; which way values take is the program's. A tape
// records one entry for each layer call or operation (not one for each number), and its backward
// calls the layers' own backward: a step on the tape has the bits of the same step in a Session.
// Memory of a step is kept for the next, so nothing is allocated once the largest step has been
// seen. A tape is for one thread at a time.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "rnn/batch.h"
#include "rnn/network.h"
#include "rnn/session.h"

namespace rnn {

class Tape;

/// What flows over a tape: a Sequence of values or symbols. A handle, good until the next step.
class TapeValue {
 public:
  TapeValue() = default;

 private:
  friend class Tape;
  friend class TapeOperations;
  friend class GradientTape;
  explicit TapeValue(std::size_t number) : number_(number) {}
  std::size_t number_ = static_cast<std::size_t>(-1);
};

/// What can be done with values beside calling layers; a GradientTape and the tape of a
/// CompositeLayer have it. Values are [T,B,F] with lengths; operations on two want equal T, B and
/// lengths. All throw ShapeError, naming the operation, for what does not fit.
class RNN_API TapeOperations {
 public:
  /// Any sequence as a value, borrowed until the step is over.
  TapeValue input(const Sequence& sequence);
  /// The numbers a value holds; valid until the next step.
  Sequence value(TapeValue value) const;

  TapeValue add(TapeValue a, TapeValue b);           ///< a + b
  TapeValue mul(TapeValue a, TapeValue b);           ///< a * b, element by element
  TapeValue scale(TapeValue a, float factor);        ///< factor * a
  TapeValue concat(std::span<const TapeValue> all);  ///< side by side, [T,B,F1+F2+...]
  TapeValue concat(std::initializer_list<TapeValue> all);
  TapeValue slice(TapeValue a, Index first, Index width);  ///< features first .. first+width-1
  TapeValue steps(TapeValue a, Index first, Index count);  ///< steps first .. first+count-1
  TapeValue stack(std::span<const TapeValue> all);         ///< one after another in time
  TapeValue gate(TapeValue g, TapeValue a, TapeValue b);   ///< g * a + (1 - g) * b
  TapeValue activation(TapeValue a, Activation kind);
  TapeValue mean_over_time(TapeValue a);  ///< [1,B,F], over each own length
  /// The sum of all elements before the lengths, [1,1,1]; summed in the order t, b, f.
  TapeValue sum(TapeValue a);
  /// x W + b with values W [1,F,U] and b [1,1,U]; without b none is added.
  TapeValue dense(TapeValue x, TapeValue kernel);
  TapeValue dense(TapeValue x, TapeValue kernel, TapeValue bias);
  /// The same numbers, through which no gradient goes.
  TapeValue stop_gradient(TapeValue a);

 protected:
  TapeOperations();
  ~TapeOperations();
  TapeOperations(TapeOperations&&) noexcept;
  TapeOperations& operator=(TapeOperations&&) noexcept;
  Tape& tape() const { return *tape_; }

 private:
  friend class CompositeLayer;
  friend class GradientTape;
  std::unique_ptr<Tape> tape_;
};

class RNN_API GradientTape : public TapeOperations {
 public:
  /// All are borrowed. Throws ShapeError unless the parameters are the network's.
  GradientTape(const Network& network, const Parameters& parameters,
               std::shared_ptr<const Backend> backend, const SessionOptions& options = {});
  ~GradientTape();
  GradientTape(GradientTape&&) noexcept;

  /// Forgets what was recorded. Random draws are a function of the seed, this number, the layer
  /// and how often it was called before; the first call draws as in a Session. The state, if any,
  /// is read where the step begins and written by the calls. It must stay where it is until
  /// `backward` is done.
  void begin_step(std::int64_t step);
  void begin_step(std::int64_t step, State& state);
  /// Regularisers act, and what backward needs is kept; on to begin with. Holds from the next step.
  void set_training(bool training);

  using TapeOperations::input;
  /// The batch's main input, or another of the network's by name; borrowed.
  TapeValue input(const Batch& batch);
  TapeValue input(const Batch& batch, std::string_view name);
  /// A parameter as a value: a matrix [R,C] as [1,R,C], a vector [C] as [1,1,C]. Its gradient is
  /// added to gradients().
  TapeValue parameter(std::string_view name);

  /// The output of a layer of the network. Throws ConfigError for a name that is none, with those
  /// there are. A second call in a step of a layer with a recurrent state goes on from the first.
  TapeValue call(std::string_view layer, TapeValue x);
  TapeValue call(std::string_view layer, std::span<const TapeValue> inputs);
  /// The summed loss of a head, [1,1,1]. `targets` and `weights` as a Batch has them; the weight of
  /// an output among several is for `scale`.
  TapeValue loss(std::string_view head, TapeValue features, std::span<const std::int32_t> targets,
                 std::span<const float> weights = {});
  /// The same in double precision, with the number of targets.
  LossSum loss_sum(TapeValue loss) const;
  /// What the head predicts from features; no gradient goes through it.
  View<const float> predict(std::string_view head, TapeValue features);

  /// Adds the gradient of factor * sum(y) to gradients(). Once a step; a second call is a
  /// ConfigError.
  void backward(TapeValue y, float factor = 1);
  /// The gradient of the sum of dy * y: where y is not a loss. One logit's, with a dy that is 1
  /// there and 0 elsewhere.
  void backward(TapeValue y, View<const float> dy);
  /// After backward: with respect to a value, for whose steps before the lengths it holds. Zeros
  /// for a value that had no influence. Throws ConfigError for one that has no gradient: symbols.
  View<const float> gradient(TapeValue value);

  TensorList& gradients();
  void zero_gradients();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
