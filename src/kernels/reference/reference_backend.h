// ReferenceBackend: the specification, the oracle and the fallback. Plain, single-threaded, and
// templated on the scalar, so that gradients can be proved with complex numbers.
#pragma once

#include "rnn/backend.h"

namespace rnn {

/// T is float, double or std::complex<double>.
template <class T>
class ReferenceBackend : public BasicBackend<T> {
 public:
  std::string_view name() const noexcept override { return "reference"; }
  KernelPath supports(const RecurrentForward<T>&) const override { return {"reference", ""}; }

  std::size_t scratch_bytes(const RecurrentForward<T>&) const override;
  std::size_t scratch_bytes(const RecurrentBackward<T>&) const override;

  void recurrent_forward(const RecurrentForward<T>&) const noexcept override;
  void recurrent_backward(const RecurrentBackward<T>&) const noexcept override;
  void dense_forward(const DenseForward<T>&) const noexcept override;
  void dense_backward(const DenseBackward<T>&) const noexcept override;
  void embedding_forward(const EmbeddingForward<T>&) const noexcept override;
  void embedding_backward(const EmbeddingBackward<T>&) const noexcept override;
  void dropout(const DropoutForward<T>&) const noexcept override;
  void activation_forward(const ActivationForward<T>&) const noexcept override;
  void activation_backward(const ActivationBackward<T>&) const noexcept override;
  void cross_entropy_forward(const CrossEntropyForward<T>&) const noexcept override;
  void cross_entropy_backward(const CrossEntropyBackward<T>&) const noexcept override;
  void softmax(const SoftmaxForward<T>&) const noexcept override;
  void merge_forward(const MergeForward<T>&) const noexcept override;
  void merge_backward(const MergeBackward<T>&) const noexcept override;
  void window_forward(const WindowForward<T>&) const noexcept override;
  void window_backward(const WindowBackward<T>&) const noexcept override;
  void pool_forward(const PoolForward<T>&) const noexcept override;
  void pool_backward(const PoolBackward<T>&) const noexcept override;
  void layer_norm_forward(const LayerNormForward<T>&) const noexcept override;
  void layer_norm_backward(const LayerNormBackward<T>&) const noexcept override;
  void activity_gradient(const ActivityGradient<T>&) const noexcept override;
  void binary_cross_entropy_forward(const BinaryCrossEntropyForward<T>&) const noexcept override;
  void binary_cross_entropy_backward(const BinaryCrossEntropyBackward<T>&) const noexcept override;
  void crf_forward(const CrfForward<T>&) const noexcept override;
  void crf_backward(const CrfBackward<T>&) const noexcept override;
  void sgd_step(const SgdStep<T>&) const noexcept override;
  void rmsprop_step(const RmspropStep<T>&) const noexcept override;
  void adam_step(const AdamStep<T>&) const noexcept override;
  double sum_of_squares(View<const T>) const noexcept override;
  void clip(View<T>, float limit) const noexcept override;
};

}  // namespace rnn
