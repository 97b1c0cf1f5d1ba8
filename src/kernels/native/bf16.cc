// bf16 on targets without an instruction for it: the halves of a word are widened to fp32.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/bf16.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/bf16.h"
#include "kernels/native/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

using Bits = hn::Repartition<std::uint32_t, Floats>;
using BitVec = hn::Vec<Bits>;

/// A word is a pair of bf16.
struct PairWords {
  struct Operand {
    // By hand: GCC makes implicit constructors outside the target's attribute, and on arm64 cannot
    // inline the vectors' own into them.
    HWY_INLINE Operand() {}
    HWY_INLINE Operand(FloatVec even_half, FloatVec odd_half) : even(even_half), odd(odd_half) {}
    FloatVec even, odd;
  };
  static HWY_INLINE Operand of(FloatVec words) {
    const BitVec bits = hn::BitCast(Bits(), words);
    return {hn::BitCast(Floats(), hn::ShiftLeft<16>(bits)),
            hn::BitCast(Floats(), hn::And(bits, hn::Set(Bits(), 0xFFFF0000u)))};
  }
  static HWY_INLINE FloatVec multiply_add(const Operand& a, const Operand& b, FloatVec c) {
    return hn::MulAdd(a.odd, b.odd, hn::MulAdd(a.even, b.even, c));
  }
};

/// The nearest bf16 in the lower half of each lane. NaN stays NaN.
HWY_INLINE BitVec rounded(FloatVec x) {
  const BitVec bits = hn::BitCast(Bits(), x);
  const BitVec upper = hn::ShiftRight<16>(bits);
  const BitVec last = hn::And(upper, hn::Set(Bits(), 1));
  const BitVec nearest = hn::ShiftRight<16>(hn::Add(bits, hn::Add(last, hn::Set(Bits(), 0x7FFF))));
  const auto is_nan = hn::RebindMask(Bits(), hn::IsNaN(x));
  return hn::IfThenElse(is_nan, hn::Or(upper, hn::Set(Bits(), 0x40)), nearest);
}

void round_row(const float* from, Index n, float* words) {
  alignas(64) std::uint32_t lanes[2 * HWY_LANES(float)] = {};
  for (Index i = 0; i < n; i += 2 * kLanes) {
    for (Index half = 0; half < 2; ++half) {
      const Index at = i + half * kLanes;
      const FloatVec x = at < n ? load_n(from + at, n - at) : hn::Zero(Floats());
      hn::Store(rounded(x), Bits(), lanes + half * kLanes);
    }
    for (Index j = 0; j < kLanes && i + 2 * j < n; ++j) {
      const std::uint32_t word = lanes[2 * j] | lanes[2 * j + 1] << 16;
      std::memcpy(words + i / 2 + j, &word, sizeof word);
    }
  }
}

void interleave_rows(const float* even, const float* odd, Index n, float* words) {
  for_vectors(n, [&](Index i, Index lanes) HWY_ATTR {
    BitVec word = rounded(load_n(even + i, lanes));
    if (odd) word = hn::Or(word, hn::ShiftLeft<16>(rounded(load_n(odd + i, lanes))));
    store(hn::BitCast(Floats(), word), words + i);
  });
}

}  // namespace

Bf16Arithmetic widening() {
  return {multiply_tile_of<PairWords>, multiply_packed_tile_of<PairWords>, round_row,
          interleave_rows};
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(widening);

Bf16Arithmetic widening_bf16(int target) { return HWY_DISPATCH_TABLE(widening)[target](); }

}  // namespace rnn::native
#endif
