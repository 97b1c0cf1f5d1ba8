// Softmax and its cross-entropy, divided over rows. A row's sum has one fixed order, whatever the
// number of threads: lane l of accumulator j adds the vectors congruent to j.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/softmax.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/math-inl.h"
#include "kernels/native/schedule.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// An exponential costs about as much as this many multiply-adds.
constexpr Index kExpCost = 16;
constexpr Index kSums = 4;

template <class Work>
void for_rows(Index rows, Index columns, ThreadPool& pool, const Work& work) {
  const int parts = pool.threads_for(rows * columns * kExpCost);
  pool.run(parts, [&](int part) HWY_ATTR {
    for (Index row = rows * part / parts; row < rows * (part + 1) / parts; ++row) work(row);
  });
}

/// The largest logit. A NaN may be lost here; it comes back in the sum of exponentials, so that a
/// diverged row shows. Minus infinity rules a class out and is no fault.
float largest(const float* logits, Index size) {
  FloatVec top = splat(-HUGE_VALF);
  for_vectors(size, [&](Index i, Index n) HWY_ATTR {
    const FloatVec x = load_n(logits + i, n);
    const FloatVec real = n == kLanes ? x
                                      : hn::IfThenElse(hn::FirstN(Floats(), static_cast<size_t>(n)),
                                                       x, splat(-HUGE_VALF));
    top = hn::Max(top, real);
  });
  return hn::GetLane(hn::MaxOfLanes(Floats(), top));
}

/// The sum of exp(logit - top).
float sum_exp(const float* logits, Index size, float top) {
  const FloatVec shift = splat(top);
  FloatVec sums[kSums];
  for (FloatVec& sum : sums) sum = hn::Zero(Floats());
  Index i = 0;
  for (; i + kSums * kLanes <= size; i += kSums * kLanes) {
    for (Index j = 0; j < kSums; ++j) {
      sums[j] = hn::Add(sums[j], exp_of(hn::Sub(load(logits + i + j * kLanes), shift)));
    }
  }
  for_vectors(size - i, [&](Index at, Index n) HWY_ATTR {
    const FloatVec e = exp_of(hn::Sub(load_n(logits + i + at, n), shift));
    sums[0] = hn::Add(
        sums[0],
        n == kLanes ? e : hn::IfThenElseZero(hn::FirstN(Floats(), static_cast<size_t>(n)), e));
  });
  const FloatVec sum = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  return hn::GetLane(hn::SumOfLanes(Floats(), sum));
}

/// The sum of normalizer - logit.
float sum_nats(const float* logits, Index size, float normalizer) {
  const FloatVec top = splat(normalizer);
  FloatVec sum = hn::Zero(Floats());
  for_vectors(size, [&](Index i, Index n) HWY_ATTR {
    const FloatVec nats = hn::Sub(top, load_n(logits + i, n));
    sum = hn::Add(
        sum, n == kLanes ? nats
                         : hn::IfThenElseZero(hn::FirstN(Floats(), static_cast<size_t>(n)), nats));
  });
  return hn::GetLane(hn::SumOfLanes(Floats(), sum));
}

}  // namespace

void cross_entropy_forward(const CrossEntropyForward<float>& a, ThreadPool& pool) {
  const Index V = a.logits.extent(1);
  for_rows(a.logits.extent(0), V, pool, [&](Index row) HWY_ATTR {
    const Index target = a.targets[row];
    a.nats[row] = a.log_normalizer[row] = 0;
    if (target < 0) return;
    const float* logits = a.logits.data() + row * V;
    const float top = largest(logits, V);
    const float log_sum = hn::GetLane(log_of(splat(sum_exp(logits, V, top))));
    a.log_normalizer[row] = top + log_sum;
    a.nats[row] = a.log_normalizer[row] - logits[target];
    if (a.smoothing == 0) return;
    const float all = sum_nats(logits, V, a.log_normalizer[row]);
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
    const FloatVec shift = splat(top), sum = splat(sum_exp(logits, V, top));
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
