// One optimiser step on one parameter, and what clipping needs. Element-wise work is divided into
// equal parts; a sum has a fixed number of slots, added in order.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/optimizer_steps.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/schedule.h"
#include "kernels/native/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// These are bound by memory: an element counts as much as this many multiply-adds.
constexpr Index kElementCost = 16;

template <class Work>
void for_elements(Index size, ThreadPool& pool, const Work& work) {
  const Index vectors = vectors_of(size);
  const int parts = pool.threads_for(size * kElementCost);
  pool.run(parts, [&](int part) HWY_ATTR {
    const Index begin = vectors * part / parts * kLanes;
    const Index end = HWY_MIN(size, vectors * (part + 1) / parts * kLanes);
    for_vectors(end - begin, [&](Index i, Index n) HWY_ATTR { work(begin + i, n); });
  });
}

}  // namespace

void sgd_step(const SgdStep<float>& a, ThreadPool& pool) {
  const FloatVec rate = splat(a.learning_rate), momentum = splat(a.momentum);
  const FloatVec decay = splat(a.weight_decay), scale = splat(a.gradient_scale);
  for_elements(a.parameter.size(), pool, [&](Index i, Index n) HWY_ATTR {
    const FloatVec p = load_n(a.parameter.data() + i, n);
    FloatVec update = hn::MulAdd(decay, p, hn::Mul(scale, load_n(a.gradient.data() + i, n)));
    if (a.velocity) {
      const FloatVec v = hn::MulAdd(momentum, load_n(a.velocity.data() + i, n), update);
      store_n(v, a.velocity.data() + i, n);
      update = a.nesterov ? hn::MulAdd(momentum, v, update) : v;
    }
    store_n(hn::NegMulAdd(rate, update, p), a.parameter.data() + i, n);
  });
}

void rmsprop_step(const RmspropStep<float>& a, ThreadPool& pool) {
  const FloatVec rate = splat(a.learning_rate), keep = splat(a.decay);
  const FloatVec rest = splat(1.0f - a.decay), epsilon = splat(a.epsilon);
  const FloatVec decay = splat(a.weight_decay), scale = splat(a.gradient_scale);
  for_elements(a.parameter.size(), pool, [&](Index i, Index n) HWY_ATTR {
    const FloatVec p = load_n(a.parameter.data() + i, n);
    const FloatVec g = hn::MulAdd(decay, p, hn::Mul(scale, load_n(a.gradient.data() + i, n)));
    const FloatVec s =
        hn::MulAdd(keep, load_n(a.mean_square.data() + i, n), hn::Mul(rest, hn::Mul(g, g)));
    store_n(s, a.mean_square.data() + i, n);
    const FloatVec step = hn::Div(hn::Mul(rate, g), hn::Add(hn::Sqrt(s), epsilon));
    store_n(hn::Sub(p, step), a.parameter.data() + i, n);
  });
}

void adam_step(const AdamStep<float>& a, ThreadPool& pool) {
  const FloatVec rate = splat(a.learning_rate), epsilon = splat(a.epsilon);
  const FloatVec beta1 = splat(a.beta1), rest1 = splat(1.0f - a.beta1);
  const FloatVec beta2 = splat(a.beta2), rest2 = splat(1.0f - a.beta2);
  const FloatVec correct1 = splat(1.0f / a.correction1), correct2 = splat(1.0f / a.correction2);
  const FloatVec scale = splat(a.gradient_scale);
  const FloatVec decay_gradient = splat(a.decoupled ? 0.0f : a.weight_decay);
  const FloatVec decay_update = splat(a.decoupled ? a.weight_decay : 0.0f);
  for_elements(a.parameter.size(), pool, [&](Index i, Index n) HWY_ATTR {
    const FloatVec p = load_n(a.parameter.data() + i, n);
    const FloatVec g =
        hn::MulAdd(decay_gradient, p, hn::Mul(scale, load_n(a.gradient.data() + i, n)));
    const FloatVec m = hn::MulAdd(beta1, load_n(a.mean.data() + i, n), hn::Mul(rest1, g));
    const FloatVec v =
        hn::MulAdd(beta2, load_n(a.mean_square.data() + i, n), hn::Mul(rest2, hn::Mul(g, g)));
    store_n(m, a.mean.data() + i, n);
    store_n(v, a.mean_square.data() + i, n);
    const FloatVec root = hn::Add(hn::Sqrt(hn::Mul(v, correct2)), epsilon);
    const FloatVec update = hn::MulAdd(decay_update, p, hn::Div(hn::Mul(m, correct1), root));
    store_n(hn::NegMulAdd(rate, update, p), a.parameter.data() + i, n);
  });
}

double sum_of_squares(View<const float> x, ThreadPool& pool) {
  constexpr int kSlots = 64;
  double slots[kSlots] = {};
  const Index size = x.size();
  const int parts = pool.threads_for(size * kElementCost);
  const hn::ScalableTag<double> doubles;
  const hn::Rebind<float, decltype(doubles)> floats;
  const Index lanes = static_cast<Index>(hn::Lanes(doubles));
  pool.run(parts, [&](int part) HWY_ATTR {
    for (int slot = kSlots * part / parts; slot < kSlots * (part + 1) / parts; ++slot) {
      Index i = size * slot / kSlots;
      const Index end = size * (slot + 1) / kSlots;
      auto sum0 = hn::Zero(doubles), sum1 = hn::Zero(doubles);
      for (; i + 2 * lanes <= end; i += 2 * lanes) {
        const auto v0 = hn::PromoteTo(doubles, hn::LoadU(floats, x.data() + i));
        const auto v1 = hn::PromoteTo(doubles, hn::LoadU(floats, x.data() + i + lanes));
        sum0 = hn::MulAdd(v0, v0, sum0);
        sum1 = hn::MulAdd(v1, v1, sum1);
      }
      double sum = hn::GetLane(hn::SumOfLanes(doubles, hn::Add(sum0, sum1)));
      for (; i < end; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      slots[slot] = sum;
    }
  });
  double total = 0;
  for (double slot : slots) total += slot;
  return total;
}

void clip(View<float> x, float limit, ThreadPool& pool) {
  const FloatVec high = splat(limit), low = splat(-limit);
  for_elements(x.size(), pool, [&](Index i, Index n) HWY_ATTR {
    const FloatVec value = load_n(x.data() + i, n);
    // Comparisons, not minimum and maximum: NaN stays NaN.
    const FloatVec below = hn::IfThenElse(hn::Gt(value, high), high, value);
    store_n(hn::IfThenElse(hn::Lt(below, low), low, below), x.data() + i, n);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(sgd_step);
HWY_EXPORT(rmsprop_step);
HWY_EXPORT(adam_step);
HWY_EXPORT(sum_of_squares);
HWY_EXPORT(clip);

void fill_optimizer_steps(KernelTable& table, int target) {
  table.sgd_step = HWY_DISPATCH_TABLE(sgd_step)[target];
  table.rmsprop_step = HWY_DISPATCH_TABLE(rmsprop_step)[target];
  table.adam_step = HWY_DISPATCH_TABLE(adam_step)[target];
  table.sum_of_squares = HWY_DISPATCH_TABLE(sum_of_squares)[target];
  table.clip = HWY_DISPATCH_TABLE(clip)[target];
}
}  // namespace rnn::native
#endif
