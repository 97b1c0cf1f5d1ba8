// A softmax and its loss over tiles of the vocabulary, forward: see softmax_loss-inl.h.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/softmax_loss_forward.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/rows.h"
#include "kernels/native/softmax_loss-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// With few rows the weights stay packed in scratch for the next call.
constexpr Index kRowsToKeepPacked = 64;
// So many rows of a tile are made of logits to exponentials at a time.
constexpr Index kRowsAtOnce = 1024;

struct ForwardPlan {
  Index F, V;
  PackedKey* key;
  float* packed;
  const float** x;
  Index* step;    // of each valid row
  float* words;   // under bf16: rows of x, rounded
  float* tops;    // [rows][tiles]: the largest logit
  float* sums;    // [rows][tiles]: of exponentials
  float* below;   // [rows][tiles]: of how far logits are below the largest; for smoothing
  float** c;      // each member's
  float* logits;  // each member's, where nothing is kept
  float* buffers;
};

ForwardPlan lay_out(const SoftmaxLossForward<float>& a, const Bf16Arithmetic* bf16, int threads,
                    Scratch& scratch) {
  const Index rows = a.x.extent(0) * a.x.extent(1);
  ForwardPlan p{};
  p.F = a.x.extent(2);
  p.V = a.classes();
  const VocabularyTiles tiles(p.V);
  p.key = scratch.take<PackedKey>(1);
  if (rows <= kRowsToKeepPacked && a.weights_version != 0) {
    p.packed = scratch.take<float>(packed_floats(bf16, p.F, p.V));
  }
  p.x = scratch.take<const float*>(rows);
  p.step = scratch.take<Index>(rows);
  if (bf16) p.words = scratch.take<float>(rows * words_of(bf16, p.F));
  if (!a.for_backward) p.tops = scratch.take<float>(rows * tiles.count());
  p.sums = scratch.take<float>(rows * tiles.count());
  p.below = scratch.take<float>(rows * tiles.count());
  const Index at_once = std::min(rows, kRowsAtOnce);
  p.c = scratch.take<float*>(at_once * threads);
  if (!a.for_backward) p.logits = scratch.take<float>(at_once * tiles.largest() * threads);
  p.buffers = scratch.take<float>(product_buffer_floats() * threads);
  return p;
}

/// Of a row whose tiles are all summed: the loss and, for the backward pass, what makes
/// probabilities of the exponentials.
void finish_row(const SoftmaxLossForward<float>& a, const VocabularyTiles& tiles, Index step,
                float* tops, const float* sums, const float* below) {
  const Index count = tiles.count();
  const float top = largest(tops, count);
  FloatVec sum = hn::Zero(Floats());
  for_vectors(count, [&](Index i, Index n) HWY_ATTR {
    const FloatVec share = share_of(load_n(tops + i, n), top);
    sum = hn::Add(sum, first_lanes(hn::Mul(load_n(sums + i, n), share), n));
  });
  const float normalizer = log_normalizer(top, sum);
  float& nats = a.nats[step];  // the logit of the target so far
  nats = normalizer - nats;
  if (a.smoothing != 0) {
    float all = 0;
    for (Index tile = 0; tile < count; ++tile) {
      all +=
          static_cast<float>(tiles.size(tile)) * (normalizer - shift_of(tops[tile])) + below[tile];
    }
    const float spread = a.smoothing / static_cast<float>(tiles.first(count));
    nats = (1 - a.smoothing) * nats + spread * all;
  }
  if (!a.for_backward) return;
  for_vectors(count, [&](Index i, Index n) HWY_ATTR {
    store_n(share_of(load_n(tops + i, n), normalizer), tops + i, n);
  });
}

}  // namespace

Index softmax_loss_kept(const SoftmaxLossForward<float>& a) {
  if (!a.for_backward) return 0;
  const Index V = a.classes();
  return a.targets.size() * (V + VocabularyTiles(V).count());
}

std::size_t softmax_loss_forward_scratch(const SoftmaxLossForward<float>& a,
                                         const Bf16Arithmetic* bf16, int threads) {
  Scratch scratch;
  lay_out(a, bf16, threads, scratch);
  return scratch.bytes();
}

void softmax_loss_forward(const SoftmaxLossForward<float>& a, const Bf16Arithmetic* bf16,
                          ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  ForwardPlan p = lay_out(a, bf16, pool.threads(), scratch);
  const Index F = p.F, V = p.V;
  const VocabularyTiles tiles(V);
  Index rows = 0;
  for_steps(
      a.lengths, a.x.extent(0), a.x.extent(1),
      [&](Index step) {
        a.nats[step] = 0;
        p.x[rows] = a.x.data() + step * F;
        p.step[rows++] = step;
      },
      [&](Index step) { a.nats[step] = 0; });
  KeptTiles kept{nullptr, nullptr, tiles, rows};
  if (a.for_backward) {
    kept.values = a.kept.data();
    kept.factors = a.kept.data() + a.targets.size() * V;
    p.tops = kept.factors;
  }
  const PackedKey made{.magic = PackedKey::kMagic,
                       .version = a.weights_version,
                       .first = a.kernel.data(),
                       .second = nullptr,
                       .extents = {F, V},
                       .kind = a.transposed ? 103 : 102,
                       .layout = 0,
                       .arithmetic = bf16};
  const bool valid = p.packed && *p.key == made;
  SpinBarrier barrier;
  pool.run_team(pool.threads_for(rows * F * V), [&](int member, int members) HWY_ATTR {
    if (bf16) {
      round_share(*bf16, p.x, rows, F, p.words, p.x, member, members);
      barrier.wait(members);
    }
    const TileShare mine = share_of_work(tiles.count(), rows, p.packed != nullptr, member, members);
    const Index at_once = std::min(a.targets.size(), kRowsAtOnce);
    float** c = p.c + member * at_once;
    float* logits = p.logits ? p.logits + member * at_once * tiles.largest() : nullptr;
    for (Index tile = mine.tiles.first; tile < mine.tiles.last; ++tile) {
      const Index first = tiles.first(tile), size = tiles.size(tile);
      const Index pieces = parts_of(mine.rows.size(), kRowsAtOnce);
      for (Index piece = 0; piece < pieces; ++piece) {
        const Range part = part_of(mine.rows.size(), piece, pieces);
        const Index r0 = mine.rows.first + part.first, count = part.size();
        for (Index r = 0; r < count; ++r) {
          c[r] = a.for_backward ? kept.row(tile, r0 + r) : logits + r * size;
        }
        multiply({.bf16 = bf16,
                  .a = p.x + r0,
                  .c = c,
                  .rows = count,
                  .depth = F,
                  .columns = size,
                  .b = a.kernel.data() + first * (a.transposed ? F : 1),
                  .b_stride = a.transposed ? F : V,
                  .b_transposed = a.transposed,
                  .start = a.bias ? Start::kBias : Start::kZero,
                  .bias = a.bias ? a.bias.data() + first : nullptr,
                  .packed = p.packed ? p.packed + words_of(bf16, F) * first : nullptr,
                  .packed_valid = valid},
                 {0, vectors_of(size)}, p.buffers + member * product_buffer_floats());
        for (Index r = 0; r < count; ++r) {
          const Index step = p.step[r0 + r], target = a.targets[step];
          if (target < 0) continue;
          if (first <= target && target < first + size) a.nats[step] = c[r][target - first];
          const Index at = (r0 + r) * tiles.count() + tile;
          const float top = largest(c[r], size), shift = shift_of(top);
          p.tops[at] = top;
          if (a.smoothing != 0) p.below[at] = sum_below(c[r], size, shift);
          p.sums[at] =
              a.for_backward ? sum_exp<true>(c[r], size, shift) : sum_exp<false>(c[r], size, shift);
        }
      }
    }
    barrier.wait(members);
    const Range finished = part_of(rows, member, members);
    for (Index r = finished.first; r < finished.last; ++r) {
      if (a.targets[p.step[r]] < 0) continue;
      const Index at = r * tiles.count();
      finish_row(a, tiles, p.step[r], p.tops + at, p.sums + at, p.below + at);
    }
  });
  *p.key = p.packed ? made : PackedKey{};
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(softmax_loss_forward);
HWY_EXPORT(softmax_loss_forward_scratch);
HWY_EXPORT(softmax_loss_kept);

void fill_softmax_loss_forward(KernelTable& table, int target) {
  table.softmax_loss_forward = HWY_DISPATCH_TABLE(softmax_loss_forward)[target];
  table.softmax_loss_forward_scratch = HWY_DISPATCH_TABLE(softmax_loss_forward_scratch)[target];
  table.softmax_loss_kept = HWY_DISPATCH_TABLE(softmax_loss_kept)[target];
}
}  // namespace rnn::native
#endif
