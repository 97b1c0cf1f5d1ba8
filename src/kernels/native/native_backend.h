// NativeBackend: the fast kernels, one source for all SIMD targets, chosen when the backend is
// made.
//
// Fast are recurrent and dense layers, embeddings, dropout, activations, softmax with its
// cross-entropy, the loss of a softmax over tiles of the vocabulary, optimiser steps, norms and
// clipping. The rest is computed by the formulas of the
// reference, compiled for floats and run by the calling thread (forwarded.cc): merging, windows
// (convolutions, whose product is a dense one), pooling over time, layer normalisation as a layer
// (inside a recurrent cell it is native), gradients of activities, binary cross-entropy and the
// CRF.
#pragma once

#include <string>
#include <vector>

#include "kernels/native/kernel_table.h"
#include "rnn/backend.h"

namespace rnn {

class NativeBackend : public Backend {
 public:
  /// What this build has and this machine can run, the best first: SIMD targets by Highway's names.
  /// For bf16 also "AMX_BF16" and "AVX3_BF16" and for int8 "AVX3_VNNI", the target AVX3 with the
  /// processor's own products; the others widen. Asking for those of bf16 asks the system for the
  /// matrix registers of AMX too, for the whole process: what it saves of a thread that has used
  /// them, as when a signal comes, is 8 KB larger, and alternate signal stacks must have room for
  /// it.
  static std::vector<std::string> targets(Precision precision = Precision::kFp32);

  /// `target`: one of targets(precision); empty: the best. Throws ConfigError for others. A
  /// backend in int8 is for inference: it has no use for gates, and its backward passes are fp32.
  /// So are recurrent layers with layer norm, projection, recurrent mask or zoneout, which
  /// supports() says and names, and products of more than kInt8Deepest (132,104) numbers.
  explicit NativeBackend(const ThreadPoolOptions& threads = {}, const std::string& target = {},
                         Precision precision = Precision::kFp32);

  std::string_view name() const noexcept override { return "native"; }
  int threads() const noexcept override { return pool_.threads(); }
  Precision precision() const noexcept override { return precision_; }
  /// Huge pages for what is large, unless the default resource is another than new and delete.
  std::pmr::memory_resource* memory() const noexcept override;
  KernelPath supports(const RecurrentForward<float>&) const override;
  void run_parts(int parts, const std::function<void(int part)>& work) const override {
    pool_.run(parts, work);
  }

  std::size_t scratch_bytes(const RecurrentForward<float>&) const override;
  std::size_t scratch_bytes(const RecurrentBackward<float>&) const override;
  std::size_t scratch_bytes(const DenseForward<float>&) const override;
  std::size_t scratch_bytes(const DenseBackward<float>&) const override;
  std::size_t scratch_bytes(const SoftmaxLossForward<float>&) const override;
  std::size_t scratch_bytes(const SoftmaxLossBackward<float>&) const override;
  Index kept_floats(const SoftmaxLossForward<float>&) const override;

  void recurrent_forward(const RecurrentForward<float>&) const noexcept override;
  void recurrent_backward(const RecurrentBackward<float>&) const noexcept override;
  void dense_forward(const DenseForward<float>&) const noexcept override;
  void dense_backward(const DenseBackward<float>&) const noexcept override;
  void embedding_forward(const EmbeddingForward<float>&) const noexcept override;
  void embedding_backward(const EmbeddingBackward<float>&) const noexcept override;
  void dropout(const DropoutForward<float>&) const noexcept override;
  void activation_forward(const ActivationForward<float>&) const noexcept override;
  void activation_backward(const ActivationBackward<float>&) const noexcept override;
  void cross_entropy_forward(const CrossEntropyForward<float>&) const noexcept override;
  void cross_entropy_backward(const CrossEntropyBackward<float>&) const noexcept override;
  void softmax(const SoftmaxForward<float>&) const noexcept override;
  void softmax_loss_forward(const SoftmaxLossForward<float>&) const noexcept override;
  void softmax_loss_backward(const SoftmaxLossBackward<float>&) const noexcept override;
  void merge_forward(const MergeForward<float>&) const noexcept override;
  void merge_backward(const MergeBackward<float>&) const noexcept override;
  void window_forward(const WindowForward<float>&) const noexcept override;
  void window_backward(const WindowBackward<float>&) const noexcept override;
  void pool_forward(const PoolForward<float>&) const noexcept override;
  void pool_backward(const PoolBackward<float>&) const noexcept override;
  void layer_norm_forward(const LayerNormForward<float>&) const noexcept override;
  void layer_norm_backward(const LayerNormBackward<float>&) const noexcept override;
  void activity_gradient(const ActivityGradient<float>&) const noexcept override;
  void binary_cross_entropy_forward(
      const BinaryCrossEntropyForward<float>&) const noexcept override;
  void binary_cross_entropy_backward(
      const BinaryCrossEntropyBackward<float>&) const noexcept override;
  void crf_forward(const CrfForward<float>&) const noexcept override;
  void crf_backward(const CrfBackward<float>&) const noexcept override;
  void sgd_step(const SgdStep<float>&) const noexcept override;
  void rmsprop_step(const RmspropStep<float>&) const noexcept override;
  void adam_step(const AdamStep<float>&) const noexcept override;
  double sum_of_squares(View<const float> x) const noexcept override;
  void fill(View<float> x, float value) const noexcept override;
  void clip(View<float> x, float limit) const noexcept override;

 private:
  /// Why a call in int8 is computed in fp32; null: it is not.
  static const char* why_not_int8(const RecurrentForward<float>& args);
  bool runs_int8(const RecurrentForward<float>& args) const;
  bool runs_int8(const DenseForward<float>& args) const;
  const native::Bf16Arithmetic* bf16() const {
    return precision_ == Precision::kBf16 ? &bf16_ : nullptr;
  }

  std::string target_;
  Precision precision_;
  native::KernelTable kernels_{};
  native::Bf16Arithmetic bf16_{};
  native::Int8TileFunction int8_tile_ = nullptr;
  mutable ThreadPool pool_;
};

}  // namespace rnn
