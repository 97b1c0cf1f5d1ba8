// Pass: one walk through a network, forward and, in training, back. What Session and Inference
// share.
#pragma once

#include <memory>
#include <vector>

#include "network/frame.h"
#include "network/output_pass.h"
#include "rnn/batch.h"
#include "rnn/network.h"
#include "rnn/observer.h"

namespace rnn {

class Pass {
 public:
  Pass(const Network& network, std::shared_ptr<const Backend> backend);

  const Network& network() const { return network_; }
  const std::shared_ptr<const Backend>& backend() const { return backend_; }

  /// Up to the outputs. `parameters` are borrowed until `backward` is done; `state` is read and
  /// then written.
  void forward(const Parameters& parameters, const Batch& batch, State& state, bool training,
               const Random& random);
  /// After forward: the losses of all heads, each times its weight. Counted are the targets of the
  /// first output that has any.
  LossSum loss();
  /// Of the last loss: one for each output, without its weight.
  const std::vector<LossSum>& losses() const { return losses_; }
  OutputPass& output(std::size_t number) { return outputs_.at(number); }
  const OutputPass& output(std::size_t number) const { return outputs_.at(number); }
  /// Once after each loss in training: adds the gradient of `scale` times the summed loss to
  /// `gradients`, one tensor for each parameter.
  void backward(float scale, TensorList& gradients);

  void observe(Observer observer) { observer_ = std::move(observer); }

  /// Takes the memory of a training pass over batches as large as this, without computing anything.
  void reserve(const Parameters& parameters, Batch batch);
  std::size_t memory() const;

 private:
  /// A layer of the network, what it was given and what it made.
  struct Place : Frame {
    std::vector<Sequence> inputs{};
    Sequence result{};
    View<const float> dresult{};  // null until somebody who took the result has given its gradient
    Tensor sum{};                 // of several gradients
    std::vector<View<const float>> dinputs{};
  };

  const Sequence& value(const Network::Source& source) const;
  void run(std::size_t number, const Parameters& parameters, State& state, bool training,
           const Random& random);
  void add_gradient(const Network::Source& source, View<const float> gradient);
  View<const float> run_back_from(std::size_t output, float scale, TensorList& gradients);
  void run_back(std::size_t number, float scale, TensorList& gradients);

  const Network& network_;
  std::shared_ptr<const Backend> backend_;
  std::vector<Sequence> inputs_;
  std::vector<Place> places_;  // one for each node
  std::vector<OutputPass> outputs_;
  std::vector<LossSum> losses_;
  CallMemory scratch_;  // see Call::scratch
  bool trains_ = false;
  bool running_ = false;
  State before_;  // the state at the start, which backward still needs
  bool ready_for_backward_ = false;
  Observer observer_;
};

}  // namespace rnn
