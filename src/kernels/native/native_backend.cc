#include "kernels/native/native_backend.h"

#include <algorithm>
#include <string>

#include "kernels/native/huge_pages.h"
#include "kernels/native/targets.h"
#include "rnn/error.h"

namespace rnn {
namespace {

// The target AVX3 whose tiles are made by the processor's instructions for bf16 or int8.
constexpr const char* kAvx3 = "AVX3";
constexpr const char* kAmxBf16 = "AMX_BF16";
constexpr const char* kAvx3Bf16 = "AVX3_BF16";
constexpr const char* kAvx3Vnni = "AVX3_VNNI";

}  // namespace

std::vector<std::string> NativeBackend::targets(Precision precision) {
  std::vector<std::string> names;
  for (const native::SimdTarget& target : native::usable_targets()) {
    if (precision == Precision::kBf16 && target.name == kAvx3) {
      if (native::amx_bf16()) names.push_back(kAmxBf16);
      if (native::avx512_bf16()) names.push_back(kAvx3Bf16);
    }
    if (precision == Precision::kInt8 && target.name == kAvx3 && native::vnni_int8_tile()) {
      names.push_back(kAvx3Vnni);
    }
    names.push_back(target.name);
  }
  return names;
}

std::pmr::memory_resource* NativeBackend::memory() const noexcept {
  std::pmr::memory_resource* chosen = std::pmr::get_default_resource();
  return chosen == std::pmr::new_delete_resource() ? native::huge_pages() : chosen;
}

NativeBackend::NativeBackend(const ThreadPoolOptions& threads, const std::string& target,
                             Precision precision)
    : precision_(precision), pool_(threads) {
  const std::vector<std::string> names = targets(precision);
  target_ = target.empty() ? names.front() : target;
  const bool known = std::find(names.begin(), names.end(), target_) != names.end();
  const bool has_amx = target_ == kAmxBf16, has_bf16 = target_ == kAvx3Bf16;
  const bool has_vnni = target_ == kAvx3Vnni;
  for (const native::SimdTarget& candidate : native::usable_targets()) {
    if (!known || candidate.name != (has_amx || has_bf16 || has_vnni ? kAvx3 : target_)) {
      continue;
    }
    native::fill_recurrent_forward(kernels_, candidate.place);
    native::fill_recurrent_backward(kernels_, candidate.place);
    native::fill_dense(kernels_, candidate.place);
    native::fill_int8_recurrent(kernels_, candidate.place);
    native::fill_int8_dense(kernels_, candidate.place);
    native::fill_embedding(kernels_, candidate.place);
    native::fill_elementwise(kernels_, candidate.place);
    native::fill_softmax(kernels_, candidate.place);
    native::fill_softmax_loss_backward(kernels_, candidate.place);
    native::fill_softmax_loss_forward(kernels_, candidate.place);
    native::fill_optimizer_steps(kernels_, candidate.place);
    bf16_ = has_amx    ? *native::amx_bf16()
            : has_bf16 ? *native::avx512_bf16()
                       : native::widening_bf16(candidate.place);
    int8_tile_ = has_vnni ? native::vnni_int8_tile() : nullptr;
    return;
  }
  throw ConfigError("native backend: this machine or build has no SIMD target '" + target + "'");
}

const char* NativeBackend::why_not_int8(const RecurrentForward<float>& args) {
  const CellOptions<float>& o = args.options;
  const bool whole_rows = o.kernel_gamma || o.projection || o.recurrent_mask;
  const bool zoneout = o.zoneout_h || o.zoneout_c || o.zoneout_h_rate != 0 || o.zoneout_c_rate != 0;
  if (args.gates) return "fp32: int8 is for inference";
  if (whole_rows || zoneout) {
    return "fp32: int8 has no layer norm, projection, recurrent mask or zoneout";
  }
  static_assert(native::kInt8Deepest == 132104, "says the text");
  if (std::max(args.x.extent(2), args.y.extent(2)) > native::kInt8Deepest) {
    return "fp32: int8 has no products of more than 132104 numbers";
  }
  return nullptr;
}

bool NativeBackend::runs_int8(const RecurrentForward<float>& args) const {
  return precision_ == Precision::kInt8 && !why_not_int8(args);
}

bool NativeBackend::runs_int8(const DenseForward<float>& args) const {
  return precision_ == Precision::kInt8 && args.x.extent(2) <= native::kInt8Deepest;
}

KernelPath NativeBackend::supports(const RecurrentForward<float>& args) const {
  if (precision_ == Precision::kInt8) {
    // The name of what computes in fp32 is that of the registers alone.
    if (const char* why = why_not_int8(args)) {
      return {"native/" + (int8_tile_ ? std::string(kAvx3) : target_), why};
    }
    if (int8_tile_) return {"native/" + target_, ""};
    return {"native/" + target_ + "_INT8", "int8 widened, for want of an instruction"};
  }
  KernelPath path{"native/" + target_, ""};
  if (precision_ == Precision::kBf16 && target_ != kAvx3Bf16 && target_ != kAmxBf16) {
    path.path += "_BF16";
    path.reason = "bf16 widened to fp32, for want of an instruction";
  }
  return path;
}

std::size_t NativeBackend::scratch_bytes(const RecurrentForward<float>& args) const {
  if (runs_int8(args)) return kernels_.recurrent_forward_int8_scratch(args, pool_.threads());
  return kernels_.recurrent_forward_scratch(args, bf16(), pool_.threads());
}
std::size_t NativeBackend::scratch_bytes(const RecurrentBackward<float>& args) const {
  return kernels_.recurrent_backward_scratch(args, bf16(), pool_.threads());
}
std::size_t NativeBackend::scratch_bytes(const DenseForward<float>& args) const {
  if (runs_int8(args)) return kernels_.dense_forward_int8_scratch(args, pool_.threads());
  return kernels_.dense_forward_scratch(args, bf16(), pool_.threads());
}
std::size_t NativeBackend::scratch_bytes(const DenseBackward<float>& args) const {
  return kernels_.dense_backward_scratch(args, bf16(), pool_.threads());
}
// A loss in int8 is one of evaluation, of logits in int8: its two steps apart.
std::size_t NativeBackend::scratch_bytes(const SoftmaxLossForward<float>& args) const {
  if (precision_ == Precision::kInt8) return Backend::scratch_bytes(args);
  return kernels_.softmax_loss_forward_scratch(args, bf16(), pool_.threads());
}
std::size_t NativeBackend::scratch_bytes(const SoftmaxLossBackward<float>& args) const {
  if (precision_ == Precision::kInt8) return Backend::scratch_bytes(args);
  return kernels_.softmax_loss_backward_scratch(args, bf16(), pool_.threads());
}
Index NativeBackend::kept_floats(const SoftmaxLossForward<float>& args) const {
  if (precision_ == Precision::kInt8) return Backend::kept_floats(args);
  return kernels_.softmax_loss_kept(args);
}
void NativeBackend::softmax_loss_forward(const SoftmaxLossForward<float>& args) const noexcept {
  if (precision_ == Precision::kInt8) return Backend::softmax_loss_forward(args);
  kernels_.softmax_loss_forward(args, bf16(), pool_);
}
void NativeBackend::softmax_loss_backward(const SoftmaxLossBackward<float>& args) const noexcept {
  if (precision_ == Precision::kInt8) return Backend::softmax_loss_backward(args);
  kernels_.softmax_loss_backward(args, bf16(), pool_);
}
void NativeBackend::recurrent_forward(const RecurrentForward<float>& args) const noexcept {
  if (runs_int8(args)) return kernels_.recurrent_forward_int8(args, int8_tile_, pool_);
  kernels_.recurrent_forward(args, bf16(), pool_);
}
void NativeBackend::recurrent_backward(const RecurrentBackward<float>& args) const noexcept {
  kernels_.recurrent_backward(args, bf16(), pool_);
}
void NativeBackend::dense_forward(const DenseForward<float>& args) const noexcept {
  if (runs_int8(args)) return kernels_.dense_forward_int8(args, int8_tile_, pool_);
  kernels_.dense_forward(args, bf16(), pool_);
}
void NativeBackend::dense_backward(const DenseBackward<float>& args) const noexcept {
  kernels_.dense_backward(args, bf16(), pool_);
}
void NativeBackend::embedding_forward(const EmbeddingForward<float>& args) const noexcept {
  kernels_.embedding_forward(args, pool_);
}
void NativeBackend::embedding_backward(const EmbeddingBackward<float>& args) const noexcept {
  kernels_.embedding_backward(args, pool_);
}
void NativeBackend::dropout(const DropoutForward<float>& args) const noexcept {
  kernels_.dropout(args, pool_);
}
void NativeBackend::activation_forward(const ActivationForward<float>& args) const noexcept {
  kernels_.activation_forward(args, pool_);
}
void NativeBackend::activation_backward(const ActivationBackward<float>& args) const noexcept {
  kernels_.activation_backward(args, pool_);
}
void NativeBackend::cross_entropy_forward(const CrossEntropyForward<float>& args) const noexcept {
  kernels_.cross_entropy_forward(args, pool_);
}
void NativeBackend::cross_entropy_backward(const CrossEntropyBackward<float>& args) const noexcept {
  kernels_.cross_entropy_backward(args, pool_);
}
void NativeBackend::softmax(const SoftmaxForward<float>& args) const noexcept {
  kernels_.softmax(args, pool_);
}
void NativeBackend::sgd_step(const SgdStep<float>& args) const noexcept {
  kernels_.sgd_step(args, pool_);
}
void NativeBackend::rmsprop_step(const RmspropStep<float>& args) const noexcept {
  kernels_.rmsprop_step(args, pool_);
}
void NativeBackend::adam_step(const AdamStep<float>& args) const noexcept {
  kernels_.adam_step(args, pool_);
}
double NativeBackend::sum_of_squares(View<const float> x) const noexcept {
  return kernels_.sum_of_squares(x, pool_);
}
void NativeBackend::fill(View<float> x, float value) const noexcept {
  const Index size = x.size();
  const int parts = pool_.threads_for(size);
  pool_.run(parts, [&](int part) {
    std::fill(x.data() + size * part / parts, x.data() + size * (part + 1) / parts, value);
  });
}
void NativeBackend::clip(View<float> x, float limit) const noexcept {
  kernels_.clip(x, limit, pool_);
}

}  // namespace rnn
