// What a softmax adds up of a row of logits, tile by tile of the vocabulary, for every SIMD target.
//
// Tiles are a function of the vocabulary alone, and the sum of a row has one order: within a tile,
// lane l of accumulator j adds the vectors congruent to j; of the tiles, lane l adds those
// congruent to l. So it makes no difference whether all logits of a row are there or one tile at a
// time, who adds up which tile, and what else is in the batch.
#include <algorithm>
#include <type_traits>

#include "kernels/native/math-inl.h"
#include "kernels/native/tile-inl.h"

#if defined(RNN_KERNELS_NATIVE_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_SOFTMAX_INL_H_
#undef RNN_KERNELS_NATIVE_SOFTMAX_INL_H_
#else
#define RNN_KERNELS_NATIVE_SOFTMAX_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

/// Tiles of whole panels of columns, the last of which may be ragged.
class VocabularyTiles {
 public:
  explicit VocabularyTiles(Index vocabulary) : vocabulary_(vocabulary) {
    panels_ = (vocabulary + kPanel - 1) / kPanel;
    constexpr Index kMost = kMostColumns / kPanel;
    count_ = (panels_ + kMost - 1) / kMost;
  }
  Index count() const { return count_; }
  /// First column of a tile; that of tile count() is the vocabulary.
  Index first(Index tile) const { return std::min(vocabulary_, panels_ * tile / count_ * kPanel); }
  Index size(Index tile) const { return first(tile + 1) - first(tile); }
  Index largest() const { return std::min(vocabulary_, kMostColumns); }

 private:
  static constexpr Index kPanel = kMaxVectors * kLanes, kMostColumns = 256;
  Index vocabulary_, panels_, count_;
};

/// The largest logit. A NaN may be lost here; it comes back in the sum of exponentials, so that a
/// diverged row shows. Minus infinity rules a class out and is no fault.
HWY_INLINE float largest(const float* logits, Index size) {
  FloatVec top = splat(-HUGE_VALF);
  for_vectors(size, [&](Index i, Index n) HWY_ATTR {
    const FloatVec x = load_n(logits + i, n);
    const FloatVec real = n == kLanes ? x
                                      : hn::IfThenElse(hn::FirstN(Floats(), static_cast<size_t>(n)),
                                                       x, splat(-HUGE_VALF));
    top = hn::Max(top, real);
  });
#if HWY_TARGET == HWY_EMU128
  // Its MaxOfLanes begins with the lowest finite number.
  alignas(64) float lanes[kLanes];
  store(top, lanes);
  return *std::max_element(lanes, lanes + kLanes);
#else
  return hn::GetLane(hn::MaxOfLanes(Floats(), top));
#endif
}

HWY_INLINE FloatVec first_lanes(FloatVec x, Index n) {
  return n == kLanes ? x : hn::IfThenElseZero(hn::FirstN(Floats(), static_cast<size_t>(n)), x);
}

/// The sum of exp(logit - shift). kStored: the exponentials replace the logits.
template <bool kStored>
float sum_exp(std::conditional_t<kStored, float, const float>* logits, Index size, float shift) {
  constexpr Index kSums = 4;
  FloatVec sums[kSums];
  for (FloatVec& sum : sums) sum = hn::Zero(Floats());
  const FloatVec by = splat(shift);
  Index i = 0;
  for (; i + kSums * kLanes <= size; i += kSums * kLanes) {
    for (Index j = 0; j < kSums; ++j) {
      const FloatVec e = exp_of(hn::Sub(load(logits + i + j * kLanes), by));
      if constexpr (kStored) store(e, logits + i + j * kLanes);
      sums[j] = hn::Add(sums[j], e);
    }
  }
  for_vectors(size - i, [&](Index at, Index n) HWY_ATTR {
    const FloatVec e = exp_of(hn::Sub(load_n(logits + i + at, n), by));
    if constexpr (kStored) store_n(e, logits + i + at, n);
    sums[0] = hn::Add(sums[0], first_lanes(e, n));
  });
  const FloatVec sum = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  return hn::GetLane(hn::SumOfLanes(Floats(), sum));
}

/// The sum of top - logit.
HWY_INLINE float sum_below(const float* logits, Index size, float top) {
  const FloatVec from = splat(top);
  FloatVec sum = hn::Zero(Floats());
  for_vectors(size, [&](Index i, Index n) HWY_ATTR {
    sum = hn::Add(sum, first_lanes(hn::Sub(from, load_n(logits + i, n)), n));
  });
  return hn::GetLane(hn::SumOfLanes(Floats(), sum));
}

/// What is subtracted from the logits of a tile whose largest is `top`: where all classes are ruled
/// out, their exponentials are to be 0.
HWY_INLINE float shift_of(float top) { return top == -HUGE_VALF ? 0 : top; }

/// What the sum of a tile is times in that of its row.
HWY_INLINE FloatVec share_of(FloatVec top_of_tile, float top_of_row) {
  return exp_of(hn::Sub(top_of_tile, splat(top_of_row)));
}

/// The logarithm of the sum of exponentials of a row.
HWY_INLINE float log_normalizer(float top, FloatVec sums) {
  return top + hn::GetLane(log_of(hn::SumOfLanes(Floats(), sums)));
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
