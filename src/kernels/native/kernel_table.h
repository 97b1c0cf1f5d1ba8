// The native kernels of one SIMD target.
//
// Each .cc file of this directory is compiled once per target and fills in its own functions. A
// backend picks a table when it is made, so two backends of one process may use different targets
// (the tests do) and nothing global is chosen.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/native/bf16.h"
#include "kernels/native/int8.h"
#include "rnn/kernels.h"
#include "rnn/loss_kernels.h"
#include "rnn/thread_pool.h"

namespace rnn::native {

/// Those with products take how these are computed; null: in fp32.
struct KernelTable {
  std::size_t (*recurrent_forward_scratch)(const RecurrentForward<float>&, const Bf16Arithmetic*,
                                           int threads);
  std::size_t (*recurrent_backward_scratch)(const RecurrentBackward<float>&, const Bf16Arithmetic*,
                                            int threads);
  std::size_t (*dense_forward_scratch)(const DenseForward<float>&, const Bf16Arithmetic*,
                                       int threads);
  std::size_t (*dense_backward_scratch)(const DenseBackward<float>&, const Bf16Arithmetic*,
                                        int threads);
  std::size_t (*softmax_loss_forward_scratch)(const SoftmaxLossForward<float>&,
                                              const Bf16Arithmetic*, int threads);
  std::size_t (*softmax_loss_backward_scratch)(const SoftmaxLossBackward<float>&,
                                               const Bf16Arithmetic*, int threads);
  Index (*softmax_loss_kept)(const SoftmaxLossForward<float>&);

  void (*recurrent_forward)(const RecurrentForward<float>&, const Bf16Arithmetic*, ThreadPool&);
  void (*recurrent_backward)(const RecurrentBackward<float>&, const Bf16Arithmetic*, ThreadPool&);
  void (*dense_forward)(const DenseForward<float>&, const Bf16Arithmetic*, ThreadPool&);
  void (*dense_backward)(const DenseBackward<float>&, const Bf16Arithmetic*, ThreadPool&);
  void (*softmax_loss_forward)(const SoftmaxLossForward<float>&, const Bf16Arithmetic*,
                               ThreadPool&);
  void (*softmax_loss_backward)(const SoftmaxLossBackward<float>&, const Bf16Arithmetic*,
                                ThreadPool&);
  /// Inference in int8; the tile null: by widening.
  std::size_t (*recurrent_forward_int8_scratch)(const RecurrentForward<float>&, int threads);
  std::size_t (*dense_forward_int8_scratch)(const DenseForward<float>&, int threads);
  void (*recurrent_forward_int8)(const RecurrentForward<float>&, Int8TileFunction, ThreadPool&);
  void (*dense_forward_int8)(const DenseForward<float>&, Int8TileFunction, ThreadPool&);
  void (*embedding_forward)(const EmbeddingForward<float>&, ThreadPool&);
  void (*embedding_backward)(const EmbeddingBackward<float>&, ThreadPool&);
  void (*dropout)(const DropoutForward<float>&, ThreadPool&);
  void (*activation_forward)(const ActivationForward<float>&, ThreadPool&);
  void (*activation_backward)(const ActivationBackward<float>&, ThreadPool&);
  void (*cross_entropy_forward)(const CrossEntropyForward<float>&, ThreadPool&);
  void (*cross_entropy_backward)(const CrossEntropyBackward<float>&, ThreadPool&);
  void (*softmax)(const SoftmaxForward<float>&, ThreadPool&);
  void (*sgd_step)(const SgdStep<float>&, ThreadPool&);
  void (*rmsprop_step)(const RmspropStep<float>&, ThreadPool&);
  void (*adam_step)(const AdamStep<float>&, ThreadPool&);
  double (*sum_of_squares)(View<const float>, ThreadPool&);
  void (*clip)(View<float>, float limit, ThreadPool&);
};

/// `target` is the place of a SIMD target in Highway's dispatch tables.
void fill_recurrent_forward(KernelTable& table, int target);
void fill_recurrent_backward(KernelTable& table, int target);
void fill_dense(KernelTable& table, int target);
void fill_int8_recurrent(KernelTable& table, int target);
void fill_int8_dense(KernelTable& table, int target);
void fill_embedding(KernelTable& table, int target);
void fill_elementwise(KernelTable& table, int target);
void fill_softmax(KernelTable& table, int target);
void fill_softmax_loss_backward(KernelTable& table, int target);
void fill_softmax_loss_forward(KernelTable& table, int target);
void fill_optimizer_steps(KernelTable& table, int target);

}  // namespace rnn::native
