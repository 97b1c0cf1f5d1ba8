// Numbers as text, the same in every locale.
#pragma once

#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

namespace rnn {

/// The sign of a NaN says nothing, and is not the same in every build.
template <class Number>
Number without_sign_of_nan(Number value) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (std::isnan(value)) return std::numeric_limits<Number>::quiet_NaN();
  }
  return value;
}

/// The shortest text that reads back as the same number.
template <class Number>
std::string to_text(Number value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, without_sign_of_nan(value)).ptr};
}

/// With so many digits after the point.
inline std::string to_fixed(double value, int digits) {
  char text[400];
  const auto end = std::to_chars(text, text + sizeof text, without_sign_of_nan(value),
                                 std::chars_format::fixed, digits)
                       .ptr;
  return {text, end};
}

/// With so many digits that count, without trailing zeros: 0.002, 20, 1.25e-05.
inline std::string to_significant(double value, int digits) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, without_sign_of_nan(value),
                                 std::chars_format::general, digits)
                       .ptr;
  return {text, end};
}

}  // namespace rnn
