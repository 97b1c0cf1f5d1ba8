// Pass: one walk through a network, forward and, in training, back. What Session and Inference
// share.
#pragma once

#include <memory>
#include <vector>

#include "rnn/batch.h"
#include "rnn/sequential.h"

namespace rnn {

class Pass {
 public:
  Pass(const Sequential& network, const Parameters& parameters,
       std::shared_ptr<const Backend> backend);

  /// Features that leave the last layer. `state` is read and then written.
  Sequence forward(const Batch& batch, State& state, bool training, const Random& random);
  /// After forward: the loss of the batch's targets.
  LossSum loss();
  View<const float> nats() const { return nats_; }
  /// After forward: the head's probabilities, or the features.
  View<const float> predict();
  /// Once after each loss in training: adds the gradient of `scale` times the summed loss to `gradients`, one
  /// tensor for each parameter.
  void backward(float scale, TensorList& gradients);

  /// Takes the memory of a training pass over so large a batch, without computing anything.
  void reserve(Index time, Index batch);
  std::size_t memory() const;

 private:
  struct Frame {
    CallMemory memory;
    Call call;
    std::vector<View<const float>> parameters, state;
    std::vector<View<float>> gradients, new_state;
    Sequence input;
  };

  void check(const Batch& batch, const State& state) const;
  void take_targets(const Batch& batch, const Sequence& features);
  void bind(Frame& frame, const std::vector<std::size_t>& positions, bool training,
            const Random& random);
  void bind_gradients(Frame& frame, const std::vector<std::size_t>& positions,
                      TensorList& gradients);

  const Sequential& network_;
  const Parameters& parameters_;
  std::shared_ptr<const Backend> backend_;
  std::vector<Frame> frames_;  // one a layer, then one for the head
  State before_;               // the state at the start, which backward still needs
  Sequence features_;
  std::vector<std::int32_t> targets_;
  View<const std::int32_t> target_view_;
  Tensor nats_;
  bool ready_for_backward_ = false;
};

}  // namespace rnn
