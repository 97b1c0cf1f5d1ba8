// exp, log, tanh and the logistic sigmoid on whole vectors of floats.
//
// Largest errors over every 251st float and all those near where something changes, in units in the
// last place of the true value, as measured and asserted by tests/kernels/native_math_test.cc on
// every target:
//   exp 1.01, log 0.86, tanh 2.39, sigmoid 2.26
// NaN gives NaN; infinities and zeros give what the limits say. One deviation: a sigmoid below
// 2^-126 (x < -87.3) is zero or at most a subnormal, off by less than 5e-39.
//
// All rest on one reduction: x = n ln 2 + r with |r| <= ln 2 / 2, and e^r - 1 = r + r^2 P(r), where
// P is a minimax polynomial of degree 4 (Remez; it contributes 0.05 to 0.25 units). tanh uses
// e^2x - 1 rather than e^2x so that nothing cancels near zero, which spares a second branch.

#include <cmath>

#include "kernels/native/simd-inl.h"

#if defined(RNN_KERNELS_NATIVE_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_MATH_INL_H_
#undef RNN_KERNELS_NATIVE_MATH_INL_H_
#else
#define RNN_KERNELS_NATIVE_MATH_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

using Ints = hn::RebindToSigned<Floats>;

// ln 2 in two parts: the first has few bits, so that its product with n is exact without fma.
constexpr float kLn2High = 0.693359375f;
constexpr float kLn2Low = -2.12194440e-4f;
constexpr float kLog2E = 1.44269504088896341f;

/// The smaller or larger of x and a limit, NaN where x is NaN: of the minimum instructions only
/// those of x86 promise that, for their second operand.
HWY_INLINE FloatVec at_most(float limit, FloatVec x) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Min(splat(limit), x);
#else
  return hn::IfThenElse(hn::Gt(x, splat(limit)), splat(limit), x);
#endif
}
HWY_INLINE FloatVec at_least(float limit, FloatVec x) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Max(splat(limit), x);
#else
  return hn::IfThenElse(hn::Lt(x, splat(limit)), splat(limit), x);
#endif
}

/// e^r - 1 for |r| <= ln 2 / 2.
HWY_INLINE FloatVec expm1_reduced(FloatVec r) {
  FloatVec p = splat(0.00139464971585032f);
  p = hn::MulAdd(p, r, splat(0.008366610601111983f));
  p = hn::MulAdd(p, r, splat(0.041666281396706265f));
  p = hn::MulAdd(p, r, splat(0.16666542793873126f));
  p = hn::MulAdd(p, r, splat(0.5000000062087384f));
  return hn::MulAdd(hn::Mul(r, r), p, r);
}

/// e^x = scale * (1 + expm1), for x that keeps n in [-126, 128]; at n = 128 the scale is infinite.
/// Adding 1.5 * 2^23 rounds to an integer, and adding 127 besides leaves the biased exponent in the
/// low bits: no conversion to integers is needed.
struct Reduced {
  FloatVec scale, expm1;
};
HWY_INLINE Reduced reduce_exponent(FloatVec x) {
  const FloatVec magic = splat(12582912.0f + 127.0f);
  const FloatVec shifted = hn::MulAdd(x, splat(kLog2E), magic);
  const FloatVec n = hn::Sub(shifted, magic);
  const FloatVec r = hn::NegMulAdd(n, splat(kLn2Low), hn::NegMulAdd(n, splat(kLn2High), x));
  return {hn::BitCast(Floats(), hn::ShiftLeft<23>(hn::BitCast(Ints(), shifted))), expm1_reduced(r)};
}

/// Right over the whole range, subnormal results included.
HWY_INLINE FloatVec exp_of(FloatVec x) {
  const Ints ints;
  const FloatVec clamped = at_least(-104.0f, at_most(89.0f, x));
  const auto n = hn::NearestInt(hn::Mul(clamped, splat(kLog2E)));
  const FloatVec nf = hn::ConvertTo(Floats(), n);
  const FloatVec r = hn::NegMulAdd(nf, splat(kLn2Low), hn::NegMulAdd(nf, splat(kLn2High), clamped));
  // Two factors, since 2^n itself may not be a normal number.
  const auto half = hn::ShiftRight<1>(n);
  const auto bias = hn::Set(ints, 127);
  const auto first = hn::ShiftLeft<23>(hn::Add(half, bias));
  const auto second = hn::ShiftLeft<23>(hn::Add(hn::Sub(n, half), bias));
  const FloatVec value = hn::Add(splat(1.0f), expm1_reduced(r));
  return hn::Mul(hn::Mul(value, hn::BitCast(Floats(), first)), hn::BitCast(Floats(), second));
}

/// 1 / (1 + e^-x)
HWY_INLINE FloatVec sigmoid_of(FloatVec x) {
  const Reduced e = reduce_exponent(at_least(-87.0f, at_most(89.0f, hn::Neg(x))));
  // Not scale * expm1 + scale, which is not a number where the scale is infinite.
  const FloatVec power = hn::Mul(e.scale, hn::Add(splat(1.0f), e.expm1));
  return hn::Div(splat(1.0f), hn::Add(splat(1.0f), power));
}

/// (e^2|x| - 1) / (e^2|x| + 1) with the sign of x; 1 when rounded from |x| = 9.02 on.
HWY_INLINE FloatVec tanh_of(FloatVec x) {
  const FloatVec y = at_most(20.0f, hn::Abs(hn::Add(x, x)));
  const Reduced e = reduce_exponent(y);
  const FloatVec m = hn::MulAdd(e.scale, e.expm1, hn::Sub(e.scale, splat(1.0f)));
  return hn::CopySign(hn::Div(m, hn::Add(m, splat(2.0f))), x);
}

/// Natural logarithm: x = 2^k m with m in [sqrt(1/2), sqrt(2)), log m by a minimax polynomial of
/// degree 7 in m - 1.
HWY_INLINE FloatVec log_of(FloatVec x) {
  const Floats floats;
  const Ints ints;
  const auto tiny = hn::Lt(x, splat(0x1p-126f));
  const FloatVec normal = hn::IfThenElse(tiny, hn::Mul(x, splat(0x1p23f)), x);
  // Subtracting the bits of sqrt(1/2) moves the step of the exponent to sqrt(1/2).
  const auto bits = hn::Sub(hn::BitCast(ints, normal), hn::Set(ints, 0x3F3504F3));
  const FloatVec exponent = hn::ConvertTo(floats, hn::ShiftRight<23>(bits));
  const FloatVec k = hn::Sub(exponent, hn::IfThenElseZero(tiny, splat(23.0f)));
  const FloatVec m = hn::BitCast(
      floats, hn::Add(hn::And(bits, hn::Set(ints, 0x007FFFFF)), hn::Set(ints, 0x3F3504F3)));
  const FloatVec t = hn::Sub(m, splat(1.0f));
  FloatVec p = splat(-0.07859613712966748f);
  p = hn::MulAdd(p, t, splat(0.12881647120923698f));
  p = hn::MulAdd(p, t, splat(-0.13128753787480618f));
  p = hn::MulAdd(p, t, splat(0.1418119195932263f));
  p = hn::MulAdd(p, t, splat(-0.16624554156693847f));
  p = hn::MulAdd(p, t, splat(0.2000228627518329f));
  p = hn::MulAdd(p, t, splat(-0.2500081040168869f));
  p = hn::MulAdd(p, t, splat(0.3333331672586515f));
  const FloatVec t2 = hn::Mul(t, t);
  FloatVec tail = hn::MulAdd(hn::Mul(t2, t), p, hn::Mul(k, splat(kLn2Low)));
  tail = hn::NegMulAdd(splat(0.5f), t2, tail);
  FloatVec result = hn::MulAdd(k, splat(kLn2High), hn::Add(t, tail));
  const FloatVec infinity = splat(HUGE_VALF);
  result = hn::IfThenElse(hn::Eq(x, infinity), infinity, result);
  result = hn::IfThenElse(hn::Eq(x, hn::Zero(floats)), hn::Neg(infinity), result);
  const auto is_number = hn::Ge(x, hn::Zero(floats));  // false for NaN
  return hn::IfThenElse(is_number, result, splat(NAN));
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
