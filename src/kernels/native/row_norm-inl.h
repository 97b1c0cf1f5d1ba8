// Rows normalised as layer normalisation does it, for cells whose products or c~ are.
//
// A row's sums are made lane by lane in four vectors, then over the lanes: an order that depends on
// its width alone.
#include "kernels/native/simd-inl.h"

#if defined(RNN_KERNELS_NATIVE_ROW_NORM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_ROW_NORM_INL_H_
#undef RNN_KERNELS_NATIVE_ROW_NORM_INL_H_
#else
#define RNN_KERNELS_NATIVE_ROW_NORM_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

/// The sum of value(i, n) over all vectors of [0, size), whose lanes beyond n must be zeros.
template <class Value>
HWY_INLINE float sum_of_row(Index size, const Value& value) {
  FloatVec s0 = hn::Zero(Floats()), s1 = s0, s2 = s0, s3 = s0;
  Index i = 0;
  for (; i + 4 * kLanes <= size; i += 4 * kLanes) {
    s0 = hn::Add(s0, value(i, kLanes));
    s1 = hn::Add(s1, value(i + kLanes, kLanes));
    s2 = hn::Add(s2, value(i + 2 * kLanes, kLanes));
    s3 = hn::Add(s3, value(i + 3 * kLanes, kLanes));
  }
  for (; i < size; i += kLanes) s0 = hn::Add(s0, value(i, HWY_MIN(kLanes, size - i)));
  const FloatVec sum = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
  return hn::GetLane(hn::SumOfLanes(Floats(), sum));
}

HWY_INLINE FloatVec first_lanes(FloatVec v, Index n) {
  if (HWY_LIKELY(n >= kLanes)) return v;
  return hn::IfThenElseZero(hn::FirstN(Floats(), static_cast<size_t>(n)), v);
}

struct RowMoments {
  float mean, inverse_deviation;
};
HWY_INLINE RowMoments moments_of(const float* x, Index size, float epsilon) {
  const float count = static_cast<float>(size);
  const float mean =
      sum_of_row(size, [&](Index i, Index n) HWY_ATTR { return load_n(x + i, n); }) / count;
  const FloatVec m = splat(mean);
  const float squares = sum_of_row(size, [&](Index i, Index n) HWY_ATTR {
    const FloatVec d = first_lanes(hn::Sub(load_n(x + i, n), m), n);
    return hn::Mul(d, d);
  });
  return {mean, 1.0f / std::sqrt(squares / count + epsilon)};
}
HWY_INLINE FloatVec normal_of(FloatVec x, const RowMoments& m) {
  return hn::Mul(hn::Sub(x, splat(m.mean)), splat(m.inverse_deviation));
}

/// With d = gamma * dn and n = N(x):  dx = (d - mean(d) - n * mean(d * n)) * inverse_deviation.
struct RowGradient {
  float mean, along, inverse_deviation;
};
/// `dn`(i, n) gives a vector of dn, zeros beyond n.
template <class Gradient>
HWY_INLINE RowGradient gradient_of(const Gradient& dn, const float* gamma, const float* normal,
                                   Index size, float inverse_deviation) {
  const float count = static_cast<float>(size);
  const auto d = [&](Index i, Index n) HWY_ATTR { return hn::Mul(dn(i, n), load_n(gamma + i, n)); };
  const float sum = sum_of_row(size, d);
  const float along = sum_of_row(
      size, [&](Index i, Index n) HWY_ATTR { return hn::Mul(d(i, n), load_n(normal + i, n)); });
  return {sum / count, along / count, inverse_deviation};
}
HWY_INLINE FloatVec through_norm(FloatVec d, FloatVec normal, const RowGradient& g) {
  const FloatVec centred = hn::NegMulAdd(normal, splat(g.along), hn::Sub(d, splat(g.mean)));
  return hn::Mul(centred, splat(g.inverse_deviation));
}

/// sums[u] += sum over rows r, in order, of a[r][a_first + u] * b[r][b_first + u]; b null: of a
/// alone. For the columns of this member.
struct ColumnSums {
  const float* const* a;
  Index a_first;
  const float* const* b;
  Index b_first;
  Index rows, columns;
  float* sums;  // null: nothing to do
};
HWY_INLINE void add_column_sums(const ColumnSums& c, Index member, Index members) {
  if (!c.sums) return;
  const Index vectors = vectors_of(c.columns);
  const Index begin = vectors * member / members, end = vectors * (member + 1) / members;
  constexpr Index kAtOnce = 4;
  for (Index v = begin; v < end; v += kAtOnce) {
    const Index here = HWY_MIN(kAtOnce, end - v);
    FloatVec sum[kAtOnce];
    const auto lanes = [&](Index k) { return c.columns - (v + k) * kLanes; };
    for (Index k = 0; k < here; ++k) sum[k] = load_n(c.sums + (v + k) * kLanes, lanes(k));
    for (Index r = 0; r < c.rows; ++r) {
      for (Index k = 0; k < here; ++k) {
        const Index u = (v + k) * kLanes;
        const FloatVec a = load_n(c.a[r] + c.a_first + u, lanes(k));
        sum[k] = c.b ? hn::MulAdd(a, load_n(c.b[r] + c.b_first + u, lanes(k)), sum[k])
                     : hn::Add(sum[k], a);
      }
    }
    for (Index k = 0; k < here; ++k) store_n(sum[k], c.sums + (v + k) * kLanes, lanes(k));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
