// Weights as whole numbers: w ~ scale * q with |q| <= 127, one scale for a column of a matrix (what
// one output is made of).
//
// The scale has 17 significant bits, so scale * q is exact in fp32 and quantizing such products
// gives the same scale and the same q again. That is why a model whose file holds whole numbers and
// the original used in int8 compute the same bits.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace rnn {

inline constexpr float kInt8Largest = 127;

/// The scale of a column whose largest absolute value is `largest`: that over 127, rounded up to 17
/// bits. 0 below 1e-32 (such a column counts as zeros), NaN where `largest` is not finite.
inline float int8_scale(float largest) {
  if (!std::isfinite(largest)) return std::numeric_limits<float>::quiet_NaN();
  const auto bits = std::bit_cast<std::uint32_t>(largest / kInt8Largest);
  const auto scale = std::bit_cast<float>((bits + 0x7fu) & ~0x7fu);
  return scale < 1e-32f ? 0.0f : scale;
}

/// q of a weight: to nearest, ties to even.
inline std::int8_t int8_value(float weight, float scale) {
  return scale > 0 ? static_cast<std::int8_t>(std::nearbyint(weight / scale)) : std::int8_t{0};
}

/// The larger of a running largest absolute value and that of a weight; NaN once one was.
inline float int8_larger(float largest, float weight) {
  const float size = std::fabs(weight);
  return size > largest || std::isnan(size) ? size : largest;
}

}  // namespace rnn
