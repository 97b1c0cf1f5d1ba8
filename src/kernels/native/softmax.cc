// Softmax and its cross-entropy, of logits that are there: divided over rows.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/softmax.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/schedule.h"
#include "kernels/native/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// An exponential costs about as much as this many multiply-adds.
constexpr Index kExpCost = 16;

template <class Work>
void for_rows(Index rows, Index columns, ThreadPool& pool, const Work& work) {
  const int parts = pool.threads_for(rows * columns * kExpCost);
  pool.run(parts, [&](int part) HWY_ATTR {
    for (Index row = rows * part / parts; row < rows * (part + 1) / parts; ++row) work(row);
  });
}

/// The logarithm of the sum of exp(logit).
float log_sum_exp(const float* logits, const VocabularyTiles& tiles, float top) {
  alignas(64) float sums[kLanes] = {};
  for (Index tile = 0; tile < tiles.count(); ++tile) {
    const float* from = logits + tiles.first(tile);
    const float here = largest(from, tiles.size(tile));
    const float sum = sum_exp<false>(from, tiles.size(tile), shift_of(here));
    sums[tile % kLanes] += sum * hn::GetLane(share_of(splat(here), top));
  }
  return log_normalizer(top, load(sums));
}

}  // namespace

void cross_entropy_forward(const CrossEntropyForward<float>& a, ThreadPool& pool) {
  const Index V = a.logits.extent(1);
  const VocabularyTiles tiles(V);
  for_rows(a.logits.extent(0), V, pool, [&](Index row) HWY_ATTR {
    const Index target = a.targets[row];
    a.nats[row] = a.log_normalizer[row] = 0;
    if (target < 0) return;
    const float* logits = a.logits.data() + row * V;
    a.log_normalizer[row] = log_sum_exp(logits, tiles, largest(logits, V));
    a.nats[row] = a.log_normalizer[row] - logits[target];
    if (a.smoothing == 0) return;
    const float all = sum_below(logits, V, a.log_normalizer[row]);
    a.nats[row] = (1 - a.smoothing) * a.nats[row] + a.smoothing / static_cast<float>(V) * all;
  });
}

void cross_entropy_backward(const CrossEntropyBackward<float>& a, ThreadPool& pool) {
  const Index V = a.logits.extent(1);
  const float spread = a.smoothing / static_cast<float>(V), hit = 1 - a.smoothing + spread;
  for_rows(a.logits.extent(0), V, pool, [&](Index row) HWY_ATTR {
    const Index target = a.targets[row];
    float* out = a.dlogits.data() + row * V;
    if (target < 0) {
      std::memset(out, 0, static_cast<size_t>(V) * sizeof(float));
      return;
    }
    const float* logits = a.logits.data() + row * V;
    const FloatVec normalizer = splat(a.log_normalizer[row]);
    const FloatVec scale = splat(a.weights ? a.scale * a.weights[row] : a.scale);
    // Before the row is overwritten, which may hold the logits.
    const FloatVec at_target = exp_of(hn::Sub(splat(logits[target]), normalizer));
    for_vectors(V, [&](Index i, Index n) HWY_ATTR {
      const FloatVec probability = exp_of(hn::Sub(load_n(logits + i, n), normalizer));
      store_n(hn::Mul(scale, hn::Sub(probability, splat(spread))), out + i, n);
    });
    out[target] = hn::GetLane(hn::Mul(scale, hn::Sub(at_target, splat(hit))));
  });
}

void softmax(const SoftmaxForward<float>& a, ThreadPool& pool) {
  const Index V = a.logits.extent(1);
  for_rows(a.logits.extent(0), V, pool, [&](Index row) HWY_ATTR {
    const float* logits = a.logits.data() + row * V;
    float* out = a.y.data() + row * V;
    const float top = largest(logits, V);
    const FloatVec shift = splat(top), sum = splat(sum_exp<false>(logits, V, top));
    for_vectors(V, [&](Index i, Index n) HWY_ATTR {
      store_n(hn::Div(exp_of(hn::Sub(load_n(logits + i, n), shift)), sum), out + i, n);
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(cross_entropy_forward);
HWY_EXPORT(cross_entropy_backward);
HWY_EXPORT(softmax);

void fill_softmax(KernelTable& table, int target) {
  table.cross_entropy_forward = HWY_DISPATCH_TABLE(cross_entropy_forward)[target];
  table.cross_entropy_backward = HWY_DISPATCH_TABLE(cross_entropy_backward)[target];
  table.softmax = HWY_DISPATCH_TABLE(softmax)[target];
}
}  // namespace rnn::native
#endif
