// Session and Inference: running a network by hand.
//
// `fit` is a loop over these; a loop of your own looks like
//
//   rnn::Session session(network, parameters, backend, {.seed = 1});
//   rnn::State state = network.zero_state(20, *backend);  // as many rows as lanes
//   while (lanes.next(batch)) {
//     session.begin_step(step++);
//     const rnn::LossSum loss = session.forward(batch, state);  // state: now after the window
//     session.backward();                                       // adds to session.gradients()
//     ... update `parameters`, then parameters.changed() and session.zero_gradients()
//   }
//
// A state is the caller's: carry it from window to window for truncated BPTT (the gradient is cut
// at the window), or begin each with zeros.
#pragma once

#include <memory>
#include <vector>

#include "rnn/batch.h"
#include "rnn/network.h"
#include "rnn/observer.h"

namespace rnn {

/// What a batch's recurrent state starts from. The policy belongs to the call, not to the layer.
enum class StatePolicy {
  kReset,  ///< zeros: every batch holds whole sequences
  kCarry,  ///< the state after the batch before; zeros at the start of an epoch
};

/// What reached an output, and the Call with which its head can be asked more than the general
/// questions, as in `crf.scores(input.features, *input.call)`.
struct HeadInput {
  Sequence features{};
  Call* call = nullptr;
};

class Session;

/// Runs a network without training it. The network and parameters stay with the caller, unchanged,
/// and may serve many of these at once; one Inference is for one thread at a time.
class RNN_API Inference {
 public:
  Inference(const Network& network, const Parameters& parameters,
            std::shared_ptr<const Backend> backend);
  /// The same in the memory of a session, for use between its steps: what a forward kept for its
  /// backward is lost, and from inside a step, as of an observer, it is a ConfigError. They share
  /// an observer too.
  Inference(Session& session, const Parameters& parameters);
  ~Inference();
  Inference(Inference&&) noexcept;

  /// Loss of a batch; `state` goes from before its first step to after its last. Regularisers are
  /// off. Of several outputs it is the sum of the losses, each times its weight, over the targets
  /// of the first that has any. Throws ShapeError when the batch does not fit the network.
  LossSum evaluate(const Batch& batch, State& state);
  /// Loss over the first epoch of a source.
  LossSum evaluate(BatchSource& data, StatePolicy policy);
  /// Loss of each target [T,B] of the last `evaluate`; 0 where masked.
  View<const float> nats(std::size_t output = 0) const;
  /// The loss of each output in the last `evaluate`, without its weight.
  const std::vector<LossSum>& losses() const;
  /// Probabilities [T,B,classes], or features [T,B,F] of a network without head. Valid until the
  /// next call.
  View<const float> predict(const Batch& batch, State& state);
  /// Walks through the layers and asks no head.
  void run(const Batch& batch, State& state);
  /// What `predict` gives, of any output (see Network::output), for the batch of the last `run`,
  /// `evaluate` or `predict`.
  View<const float> predictions(std::size_t output = 0);
  HeadInput head_input(std::size_t output = 0);
  /// Calls `observer` after every layer from now on; an empty one: nobody.
  void observe(Observer observer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct SessionOptions {
  std::uint64_t seed = 1;  ///< of every random draw in training
};

/// Runs a network forward and backward.
class RNN_API Session {
 public:
  Session(const Network& network, const Parameters& parameters,
          std::shared_ptr<const Backend> backend, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;

  /// Random draws are a function of the seed and this number.
  void begin_step(std::int64_t step);
  /// Loss of a batch, in training, as Inference::evaluate counts it; `state` goes from before its
  /// first step to after its last. The batch is borrowed: it must stay as it is until `backward` is
  /// done with it.
  LossSum forward(const Batch& batch, State& state);
  /// Adds the gradient of the mean loss of the last `forward` (or of `scale` times the summed
  /// loss), weighted as the batch says, to `gradients`. Consumes what `forward` kept: a second call
  /// without a forward of its own is a ConfigError.
  void backward();
  void backward(float scale);

  /// Calls `observer` after every layer, forward and back, from now on; an empty one: nobody.
  void observe(Observer observer);
  /// The loss of each output in the last `forward`, without its weight.
  const std::vector<LossSum>& losses() const;

  /// One for each parameter; that of a parameter which is not trained is empty.
  TensorList& gradients();
  void zero_gradients();
  /// Takes the memory that batches up to this size need, so that no later step allocates any.
  void reserve(Index time, Index batch);
  /// The same for batches as large as this one; only its shapes are looked at. Of use for inputs
  /// with sequences of their own, which otherwise are thought as large as the first.
  void reserve(const Batch& like);
  /// Bytes held for activations and scratch; gradients are as large as the parameters.
  std::size_t memory() const;

 private:
  friend class Inference;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
