#include "text/utf8.h"

#include <bit>
#include <cstring>

namespace rnn {

void append_utf8(char32_t value, std::string& text) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  const auto tail = [&](int shift) { put(0x80u | (value >> shift & 0x3Fu)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0u | value >> 6);
    tail(0);
  } else if (value < 0x10000) {
    put(0xE0u | value >> 12);
    tail(6);
    tail(0);
  } else {
    put(0xF0u | value >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

std::size_t ascii_run(std::string_view text, std::size_t from) {
  std::size_t at = from;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at - from;
}

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0;;) {
    at += ascii_run(text, at);
    // Text of another script than Latin has few ASCII runs: stay here while there are none.
    while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x80) {
      const CodePoint point = decode_utf8(text, at);
      if (!point.valid) return at;
      at += point.length;
    }
    if (at == text.size()) return std::string_view::npos;
  }
}

void append_replacing_invalid(std::string_view text, std::string& to) {
  while (true) {
    const std::size_t bad = find_invalid_utf8(text);
    to += text.substr(0, bad);
    if (bad == std::string_view::npos) return;
    append_utf8(kReplacement, to);
    text.remove_prefix(bad + decode_utf8(text, bad).length);
  }
}

std::size_t count_code_points(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  std::size_t continuing = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    // 10xxxxxx: the highest bit is set and the one below is not.
    continuing += static_cast<std::size_t>(std::popcount((word >> 7) & ~(word >> 6) & kOnes));
  }
  for (; at < text.size(); ++at)
    continuing += (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  return text.size() - continuing;
}

}  // namespace rnn
