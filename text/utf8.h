// UTF-8, byte by byte: the part of Unicode that needs no tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rnn {

inline constexpr char32_t kReplacement = 0xFFFD;
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct CodePoint {
  char32_t value = kReplacement;
  std::uint32_t length = 1;  ///< bytes
  bool valid = false;
};

/// The code point at `at`, which must be below text.size(). Where the bytes are ill-formed: U+FFFD,
/// invalid, as long as the maximal subpart (Unicode 15.0, section 3.9, table 3-8), at least 1.
inline CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  // Table 3-7: what the second byte may be keeps overlong forms, surrogates and numbers above
  // U+10FFFF out.
  unsigned more = 0, low = 0x80, high = 0xBF;
  char32_t value = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    more = 1, value = lead & 0x1Fu;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    more = 2, value = lead & 0x0Fu;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    more = 3, value = lead & 0x07u;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {};
  }
  for (std::uint32_t i = 1; i <= more; ++i) {
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) {
      return {kReplacement, i, false};
    }
    value = value << 6 | (byte(at + i) & 0x3Fu);
    low = 0x80, high = 0xBF;
  }
  return {value, more + 1, true};
}

/// Appends a code point that is no surrogate and at most U+10FFFF.
void append_utf8(char32_t value, std::string& text);

/// Length of the run of ASCII bytes that starts at `from`.
std::size_t ascii_run(std::string_view text, std::size_t from);

/// Where the first byte of an ill-formed part stands; npos when the text is valid.
std::size_t find_invalid_utf8(std::string_view text);

/// Appends the text with U+FFFD for each maximal ill-formed part.
void append_replacing_invalid(std::string_view text, std::string& to);

/// Code points of valid UTF-8. In other bytes: those that do not continue a code point.
std::size_t count_code_points(std::string_view text);

}  // namespace rnn
