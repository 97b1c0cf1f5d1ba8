// A backend that takes scratch and memory as another does, and computes nothing: to learn how much
// memory a pass needs, and to take it before the first step.
#pragma once

#include <memory>

#include "rnn/backend.h"

namespace rnn {

class DryBackend : public Backend {
 public:
  explicit DryBackend(std::shared_ptr<const Backend> like) : like_(std::move(like)) {}

  std::string_view name() const noexcept override { return like_->name(); }
  int threads() const noexcept override { return like_->threads(); }
  Precision precision() const noexcept override { return like_->precision(); }
  std::pmr::memory_resource* memory() const noexcept override { return like_->memory(); }
  KernelPath supports(const RecurrentForward<float>& args) const override {
    return like_->supports(args);
  }
  std::size_t scratch_bytes(const RecurrentForward<float>& args) const override {
    return like_->scratch_bytes(args);
  }
  std::size_t scratch_bytes(const RecurrentBackward<float>& args) const override {
    return like_->scratch_bytes(args);
  }
  std::size_t scratch_bytes(const DenseForward<float>& args) const override {
    return like_->scratch_bytes(args);
  }
  std::size_t scratch_bytes(const DenseBackward<float>& args) const override {
    return like_->scratch_bytes(args);
  }
  std::size_t scratch_bytes(const SoftmaxLossForward<float>& args) const override {
    return like_->scratch_bytes(args);
  }
  std::size_t scratch_bytes(const SoftmaxLossBackward<float>& args) const override {
    return like_->scratch_bytes(args);
  }
  Index kept_floats(const SoftmaxLossForward<float>& args) const override {
    return like_->kept_floats(args);
  }

  void recurrent_forward(const RecurrentForward<float>&) const noexcept override {}
  void recurrent_backward(const RecurrentBackward<float>&) const noexcept override {}
  void dense_forward(const DenseForward<float>&) const noexcept override {}
  void dense_backward(const DenseBackward<float>&) const noexcept override {}
  void embedding_forward(const EmbeddingForward<float>&) const noexcept override {}
  void embedding_backward(const EmbeddingBackward<float>&) const noexcept override {}
  void dropout(const DropoutForward<float>&) const noexcept override {}
  void activation_forward(const ActivationForward<float>&) const noexcept override {}
  void activation_backward(const ActivationBackward<float>&) const noexcept override {}
  void cross_entropy_forward(const CrossEntropyForward<float>&) const noexcept override {}
  void cross_entropy_backward(const CrossEntropyBackward<float>&) const noexcept override {}
  void softmax(const SoftmaxForward<float>&) const noexcept override {}
  void softmax_loss_forward(const SoftmaxLossForward<float>&) const noexcept override {}
  void softmax_loss_backward(const SoftmaxLossBackward<float>&) const noexcept override {}
  void merge_forward(const MergeForward<float>&) const noexcept override {}
  void merge_backward(const MergeBackward<float>&) const noexcept override {}
  void window_forward(const WindowForward<float>&) const noexcept override {}
  void window_backward(const WindowBackward<float>&) const noexcept override {}
  void pool_forward(const PoolForward<float>&) const noexcept override {}
  void pool_backward(const PoolBackward<float>&) const noexcept override {}
  void layer_norm_forward(const LayerNormForward<float>&) const noexcept override {}
  void layer_norm_backward(const LayerNormBackward<float>&) const noexcept override {}
  void activity_gradient(const ActivityGradient<float>&) const noexcept override {}
  void binary_cross_entropy_forward(
      const BinaryCrossEntropyForward<float>&) const noexcept override {}
  void binary_cross_entropy_backward(
      const BinaryCrossEntropyBackward<float>&) const noexcept override {}
  void crf_forward(const CrfForward<float>&) const noexcept override {}
  void crf_backward(const CrfBackward<float>&) const noexcept override {}
  void sgd_step(const SgdStep<float>&) const noexcept override {}
  void rmsprop_step(const RmspropStep<float>&) const noexcept override {}
  void adam_step(const AdamStep<float>&) const noexcept override {}
  double sum_of_squares(View<const float>) const noexcept override { return 0; }
  void clip(View<float>, float) const noexcept override {}

 private:
  std::shared_ptr<const Backend> like_;
};

}  // namespace rnn
