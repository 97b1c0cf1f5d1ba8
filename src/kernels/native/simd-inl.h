// What every native kernel is written with: whole vectors, and the first n lanes of one.
//
// Included once per SIMD target. Activations and products have no scalar tails: a row's last lanes
// go through the same instructions as the others, so a value does not depend on where in a row it
// stands. What is left to scalars is copying, single operations that round alike on their own and
// in a vector (adding two biases, masking the first state, quantizing weights), and the last
// numbers of sum_of_squares, whose order is fixed by the size.
#include <cstring>

#include "hwy/highway.h"
#include "rnn/view.h"

#if defined(RNN_KERNELS_NATIVE_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_SIMD_INL_H_
#undef RNN_KERNELS_NATIVE_SIMD_INL_H_
#else
#define RNN_KERNELS_NATIVE_SIMD_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using FloatVec = hn::Vec<Floats>;

/// Lanes of a vector. A constant on all targets we build for (none is scalable in the SVE sense).
constexpr Index kLanes = static_cast<Index>(HWY_LANES(float));

/// Vectors that cover n numbers.
constexpr Index vectors_of(Index n) { return (n + kLanes - 1) / kLanes; }

HWY_INLINE FloatVec load(const float* p) { return hn::LoadU(Floats(), p); }
HWY_INLINE void store(FloatVec v, float* p) { hn::StoreU(v, Floats(), p); }
HWY_INLINE FloatVec splat(float x) { return hn::Set(Floats(), x); }

/// The first n lanes from memory, the others zero; memory beyond them is not touched.
HWY_INLINE FloatVec load_n(const float* p, Index n) {
  if (HWY_LIKELY(n >= kLanes)) return load(p);
#if HWY_TARGET <= HWY_AVX2 && HWY_ARCH_X86
  return hn::MaskedLoad(hn::FirstN(Floats(), static_cast<size_t>(n)), Floats(), p);
#else
  alignas(64) float lanes[HWY_LANES(float)] = {};
  std::memcpy(lanes, p, static_cast<size_t>(n) * sizeof(float));
  return load(lanes);
#endif
}

/// The first n lanes into memory; memory beyond them is not touched, not even by writing back what
/// stood there, since it may belong to another thread.
HWY_INLINE void store_n(FloatVec v, float* p, Index n) {
  if (HWY_LIKELY(n >= kLanes)) return store(v, p);
#if HWY_TARGET <= HWY_AVX2 && HWY_ARCH_X86
  hn::BlendedStore(v, hn::FirstN(Floats(), static_cast<size_t>(n)), Floats(), p);
#else
  alignas(64) float lanes[HWY_LANES(float)];
  store(v, lanes);
  std::memcpy(p, lanes, static_cast<size_t>(n) * sizeof(float));
#endif
}

/// work(i, n) for every vector of [0, size): where it starts and how many lanes count.
template <class Work>
HWY_INLINE void for_vectors(Index size, const Work& work) {
  Index i = 0;
  for (; i + kLanes <= size; i += kLanes) work(i, kLanes);
  if (i < size) work(i, size - i);
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
