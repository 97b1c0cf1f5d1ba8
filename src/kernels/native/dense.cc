// Dense layers: one product forward, two backward, over the valid rows.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/dense.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/product-inl.h"
#include "kernels/native/rows.h"
#include "kernels/native/schedule.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// With few rows the weights stay packed in scratch for the next call: packing them would cost as
// much as the product.
constexpr Index kRowsToKeepPacked = 64;

struct ForwardPlan {
  Index F, U;
  PackedKey* key;
  float* packed;
  const float** x;
  float** y;
  float* words;  // under bf16: rows of x, rounded
  float* buffers;
};

ForwardPlan lay_out(const DenseForward<float>& a, const Bf16Arithmetic* bf16, int threads,
                    Scratch& scratch) {
  const Index rows = a.x.extent(0) * a.x.extent(1);
  ForwardPlan p{};
  p.F = a.x.extent(2);
  p.U = a.y.extent(2);
  p.key = scratch.take<PackedKey>(1);
  if (rows <= kRowsToKeepPacked && a.weights_version != 0) {
    p.packed = scratch.take<float>(packed_floats(bf16, p.F, p.U));
  }
  p.x = scratch.take<const float*>(rows);
  p.y = scratch.take<float*>(rows);
  if (bf16) p.words = scratch.take<float>(rows * words_of(bf16, p.F));
  p.buffers = scratch.take<float>(product_buffer_floats() * threads);
  return p;
}

struct BackwardPlan {
  Index F, U;
  PackedKey* key;
  const float** x;
  const float** dy;
  float** dx;
  float* words;  // under bf16: rows of dy, rounded
  const float** dy_words;
  float* buffers;
  Index buffer_floats;
};

BackwardPlan lay_out(const DenseBackward<float>& a, const Bf16Arithmetic* bf16, int threads,
                     Scratch& scratch) {
  const Index rows = a.x.extent(0) * a.x.extent(1);
  BackwardPlan p{};
  p.F = a.x.extent(2);
  p.U = a.dy.extent(2);
  p.key = scratch.take<PackedKey>(1);
  p.x = scratch.take<const float*>(rows);
  p.dy = scratch.take<const float*>(rows);
  p.dx = scratch.take<float*>(rows);
  if (bf16 && a.dx) {
    p.words = scratch.take<float>(rows * words_of(bf16, p.U));
    p.dy_words = scratch.take<const float*>(rows);
  }
  p.buffer_floats = std::max(product_buffer_floats(), outer_buffer_floats());
  p.buffers = scratch.take<float>(p.buffer_floats * threads);
  return p;
}

}  // namespace

std::size_t dense_forward_scratch(const DenseForward<float>& a, const Bf16Arithmetic* bf16,
                                  int threads) {
  Scratch scratch;
  lay_out(a, bf16, threads, scratch);
  return scratch.bytes();
}

std::size_t dense_backward_scratch(const DenseBackward<float>& a, const Bf16Arithmetic* bf16,
                                   int threads) {
  Scratch scratch;
  lay_out(a, bf16, threads, scratch);
  return scratch.bytes();
}

void dense_forward(const DenseForward<float>& a, const Bf16Arithmetic* bf16, ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  const ForwardPlan p = lay_out(a, bf16, pool.threads(), scratch);
  const Index F = p.F, U = p.U;
  Index rows = 0;
  for_steps(
      a.lengths, a.x.extent(0), a.x.extent(1),
      [&](Index row) {
        p.x[rows] = a.x.data() + row * F;
        p.y[rows++] = a.y.data() + row * U;
      },
      [&](Index row) { std::fill_n(a.y.data() + row * U, U, 0.0f); });
  const PackedKey made{.magic = PackedKey::kMagic,
                       .version = a.weights_version,
                       .first = a.kernel.data(),
                       .second = nullptr,
                       .extents = {F, U},
                       .kind = a.transposed ? 101 : 100,
                       .layout = pool.threads(),
                       .arithmetic = bf16};
  const bool valid = p.packed && *p.key == made;
  SpinBarrier barrier;
  const int limit = pool.threads_for(rows * F * U);
  pool.run_team(limit, [&](int member, int members) HWY_ATTR {
    if (bf16) {
      round_share(*bf16, p.x, rows, F, p.words, p.x, member, members);
      barrier.wait(members);
    }
    multiply_share({.bf16 = bf16,
                    .a = p.x,
                    .c = p.y,
                    .rows = rows,
                    .depth = F,
                    .columns = U,
                    .b = a.kernel.data(),
                    .b_stride = a.transposed ? F : U,
                    .b_transposed = a.transposed,
                    .start = a.bias ? Start::kBias : Start::kZero,
                    .bias = a.bias.data(),
                    .packed = p.packed,
                    .packed_valid = valid,
                    .packed_panels = panels_of(vectors_of(U), kMaxVectors, pool.threads())},
                   member, members, p.buffers + member * product_buffer_floats());
  });
  // With many rows nothing is packed, and what an earlier call with few had packed is overwritten.
  *p.key = p.packed ? made : PackedKey{};
}

void dense_backward(const DenseBackward<float>& a, const Bf16Arithmetic* bf16, ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  const BackwardPlan p = lay_out(a, bf16, pool.threads(), scratch);
  *p.key = {};  // whatever a forward pass left packed here is gone
  const Index F = p.F, U = p.U;
  Index rows = 0;
  for_steps(
      a.lengths, a.x.extent(0), a.x.extent(1),
      [&](Index row) {
        p.x[rows] = a.x.data() + row * F;
        p.dx[rows] = a.dx ? a.dx.data() + row * F : nullptr;
        p.dy[rows++] = a.dy.data() + row * U;
      },
      [&](Index row) {
        if (a.dx) std::fill_n(a.dx.data() + row * F, F, 0.0f);
      });
  SpinBarrier barrier;
  pool.run_team(pool.threads_for(rows * F * U), [&](int member, int members) HWY_ATTR {
    float* buffer = p.buffers + member * p.buffer_floats;
    if (a.dx) {
      if (bf16) {
        round_share(*bf16, p.dy, rows, U, p.words, p.dy_words, member, members);
        barrier.wait(members);
      }
      multiply_share({.bf16 = bf16,
                      .a = bf16 ? p.dy_words : p.dy,
                      .c = p.dx,
                      .rows = rows,
                      .depth = U,
                      .columns = F,
                      .b = a.kernel.data(),
                      .b_stride = a.transposed ? F : U,
                      .b_transposed = !a.transposed,
                      .start = Start::kZero,
                      .bias = nullptr,
                      .packed = nullptr,
                      .packed_valid = false},
                     member, members, buffer);
    }
    OuterProduct outer{};
    outer.bf16 = bf16;
    outer.depth = rows;
    if (a.transposed) {
      if (a.dkernel) {
        outer.terms[0] = {p.dy, U, a.dkernel.data()};
        outer.c_stride = F;
        outer.b = p.x;
        outer.columns = F;
        add_outer(outer, member, members, buffer);
      }
      outer.terms[0] = {};
    } else if (a.dkernel) {
      outer.terms[0] = {p.x, F, a.dkernel.data()};
      outer.c_stride = U;
    }
    outer.b = p.dy;
    outer.columns = U;
    outer.sums = a.dbias ? a.dbias.data() : nullptr;
    if (outer.sums || outer.terms[0].width > 0) add_outer(outer, member, members, buffer);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(dense_forward);
HWY_EXPORT(dense_backward);
HWY_EXPORT(dense_forward_scratch);
HWY_EXPORT(dense_backward_scratch);

void fill_dense(KernelTable& table, int target) {
  table.dense_forward = HWY_DISPATCH_TABLE(dense_forward)[target];
  table.dense_backward = HWY_DISPATCH_TABLE(dense_backward)[target];
  table.dense_forward_scratch = HWY_DISPATCH_TABLE(dense_forward_scratch)[target];
  table.dense_backward_scratch = HWY_DISPATCH_TABLE(dense_backward_scratch)[target];
}
}  // namespace rnn::native
#endif
