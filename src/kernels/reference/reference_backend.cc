#include "kernels/reference/reference_backend.h"

#include <complex>

#include "kernels/reference/activity.h"
#include "kernels/reference/binary_cross_entropy.h"
#include "kernels/reference/crf.h"
#include "kernels/reference/dense.h"
#include "kernels/reference/elementwise.h"
#include "kernels/reference/layer_norm.h"
#include "kernels/reference/merge.h"
#include "kernels/reference/optimizer_steps.h"
#include "kernels/reference/pooling.h"
#include "kernels/reference/recurrent_backward.h"
#include "kernels/reference/recurrent_forward.h"
#include "kernels/reference/softmax.h"
#include "kernels/reference/windows.h"

namespace rnn {

template <class T>
std::size_t ReferenceBackend<T>::scratch_bytes(const RecurrentForward<T>& args) const {
  return reference::recurrent_scratch<T>(args);
}
template <class T>
std::size_t ReferenceBackend<T>::scratch_bytes(const RecurrentBackward<T>& args) const {
  return reference::recurrent_scratch<T>(args);
}
template <class T>
void ReferenceBackend<T>::recurrent_forward(const RecurrentForward<T>& args) const noexcept {
  reference::recurrent_forward(args);
}
template <class T>
void ReferenceBackend<T>::recurrent_backward(const RecurrentBackward<T>& args) const noexcept {
  reference::recurrent_backward(args);
}
template <class T>
void ReferenceBackend<T>::dense_forward(const DenseForward<T>& args) const noexcept {
  reference::dense_forward(args);
}
template <class T>
void ReferenceBackend<T>::dense_backward(const DenseBackward<T>& args) const noexcept {
  reference::dense_backward(args);
}
template <class T>
void ReferenceBackend<T>::embedding_forward(const EmbeddingForward<T>& args) const noexcept {
  reference::embedding_forward(args);
}
template <class T>
void ReferenceBackend<T>::embedding_backward(const EmbeddingBackward<T>& args) const noexcept {
  reference::embedding_backward(args);
}
template <class T>
void ReferenceBackend<T>::dropout(const DropoutForward<T>& args) const noexcept {
  reference::dropout(args);
}
template <class T>
void ReferenceBackend<T>::activation_forward(const ActivationForward<T>& args) const noexcept {
  reference::activation_forward(args);
}
template <class T>
void ReferenceBackend<T>::activation_backward(const ActivationBackward<T>& args) const noexcept {
  reference::activation_backward(args);
}
template <class T>
void ReferenceBackend<T>::cross_entropy_forward(const CrossEntropyForward<T>& args) const noexcept {
  reference::cross_entropy_forward(args);
}
template <class T>
void ReferenceBackend<T>::cross_entropy_backward(
    const CrossEntropyBackward<T>& args) const noexcept {
  reference::cross_entropy_backward(args);
}
template <class T>
void ReferenceBackend<T>::softmax(const SoftmaxForward<T>& args) const noexcept {
  reference::softmax(args);
}
template <class T>
void ReferenceBackend<T>::merge_forward(const MergeForward<T>& args) const noexcept {
  reference::merge_forward(args);
}
template <class T>
void ReferenceBackend<T>::merge_backward(const MergeBackward<T>& args) const noexcept {
  reference::merge_backward(args);
}
template <class T>
void ReferenceBackend<T>::window_forward(const WindowForward<T>& args) const noexcept {
  reference::window_forward(args);
}
template <class T>
void ReferenceBackend<T>::window_backward(const WindowBackward<T>& args) const noexcept {
  reference::window_backward(args);
}
template <class T>
void ReferenceBackend<T>::pool_forward(const PoolForward<T>& args) const noexcept {
  reference::pool_forward(args);
}
template <class T>
void ReferenceBackend<T>::pool_backward(const PoolBackward<T>& args) const noexcept {
  reference::pool_backward(args);
}
template <class T>
void ReferenceBackend<T>::layer_norm_forward(const LayerNormForward<T>& args) const noexcept {
  reference::layer_norm_forward(args);
}
template <class T>
void ReferenceBackend<T>::layer_norm_backward(const LayerNormBackward<T>& args) const noexcept {
  reference::layer_norm_backward(args);
}
template <class T>
void ReferenceBackend<T>::activity_gradient(const ActivityGradient<T>& args) const noexcept {
  reference::activity_gradient(args);
}
template <class T>
void ReferenceBackend<T>::binary_cross_entropy_forward(
    const BinaryCrossEntropyForward<T>& args) const noexcept {
  reference::binary_cross_entropy_forward(args);
}
template <class T>
void ReferenceBackend<T>::binary_cross_entropy_backward(
    const BinaryCrossEntropyBackward<T>& args) const noexcept {
  reference::binary_cross_entropy_backward(args);
}
template <class T>
void ReferenceBackend<T>::crf_forward(const CrfForward<T>& args) const noexcept {
  reference::crf_forward(args);
}
template <class T>
void ReferenceBackend<T>::crf_backward(const CrfBackward<T>& args) const noexcept {
  reference::crf_backward(args);
}
template <class T>
void ReferenceBackend<T>::sgd_step(const SgdStep<T>& args) const noexcept {
  reference::sgd_step(args);
}
template <class T>
void ReferenceBackend<T>::rmsprop_step(const RmspropStep<T>& args) const noexcept {
  reference::rmsprop_step(args);
}
template <class T>
void ReferenceBackend<T>::adam_step(const AdamStep<T>& args) const noexcept {
  reference::adam_step(args);
}
template <class T>
double ReferenceBackend<T>::sum_of_squares(View<const T> x) const noexcept {
  return reference::sum_of_squares(x);
}
template <class T>
void ReferenceBackend<T>::clip(View<T> x, float limit) const noexcept {
  reference::clip(x, limit);
}

template class ReferenceBackend<float>;
template class ReferenceBackend<double>;
template class ReferenceBackend<std::complex<double>>;

}  // namespace rnn
