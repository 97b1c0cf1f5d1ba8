// Kernels that have no fast version: the reference's formula, compiled for floats, serves both
// backends.
#include "kernels/native/native_backend.h"
#include "kernels/reference/activity.h"
#include "kernels/reference/binary_cross_entropy.h"
#include "kernels/reference/crf.h"
#include "kernels/reference/layer_norm.h"
#include "kernels/reference/merge.h"
#include "kernels/reference/pooling.h"
#include "kernels/reference/windows.h"

namespace rnn {

void NativeBackend::merge_forward(const MergeForward<float>& args) const noexcept {
  reference::merge_forward(args);
}
void NativeBackend::merge_backward(const MergeBackward<float>& args) const noexcept {
  reference::merge_backward(args);
}
void NativeBackend::window_forward(const WindowForward<float>& args) const noexcept {
  reference::window_forward(args);
}
void NativeBackend::window_backward(const WindowBackward<float>& args) const noexcept {
  reference::window_backward(args);
}
void NativeBackend::pool_forward(const PoolForward<float>& args) const noexcept {
  reference::pool_forward(args);
}
void NativeBackend::pool_backward(const PoolBackward<float>& args) const noexcept {
  reference::pool_backward(args);
}
void NativeBackend::layer_norm_forward(const LayerNormForward<float>& args) const noexcept {
  reference::layer_norm_forward(args);
}
void NativeBackend::layer_norm_backward(const LayerNormBackward<float>& args) const noexcept {
  reference::layer_norm_backward(args);
}
void NativeBackend::activity_gradient(const ActivityGradient<float>& args) const noexcept {
  reference::activity_gradient(args);
}
void NativeBackend::binary_cross_entropy_forward(
    const BinaryCrossEntropyForward<float>& args) const noexcept {
  reference::binary_cross_entropy_forward(args);
}
void NativeBackend::binary_cross_entropy_backward(
    const BinaryCrossEntropyBackward<float>& args) const noexcept {
  reference::binary_cross_entropy_backward(args);
}
void NativeBackend::crf_forward(const CrfForward<float>& args) const noexcept {
  reference::crf_forward(args);
}
void NativeBackend::crf_backward(const CrfBackward<float>& args) const noexcept {
  reference::crf_backward(args);
}

}  // namespace rnn
