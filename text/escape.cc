#include "text/escape.h"

#include <charconv>

#include "text/utf8.h"

namespace rnn {
namespace {

void append_hex(char32_t value, int digits, std::string& to) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) to += kDigits[value >> shift & 15u];
}

/// Characters that a reader cannot see or tell from a space, or that turn the line around. A joiner
/// or variation selector is left alone where something stands before it for it to act on.
bool is_invisible(char32_t c, bool first) {
  const auto in = [c](char32_t low, char32_t high) { return c >= low && c <= high; };
  if (c == 0x200C || c == 0x200D || in(0xFE00, 0xFE0F)) return first;
  return in(0x80, 0xA0) || c == 0xAD || c == 0x034F || c == 0x061C || in(0x115F, 0x1160) ||
         c == 0x1680 || c == 0x180E || in(0x2000, 0x200F) || in(0x2028, 0x202F) ||
         in(0x205F, 0x206F) || c == 0x2800 || c == 0x3000 || c == 0x3164 || c == 0xFEFF ||
         c == 0xFFA0 || in(0xFFF0, 0xFFFB) || (c & 0xFFFEu) == 0xFFFEu || in(0xE0000, 0xE0FFF);
}

}  // namespace

void append_escaped(std::string_view symbol, std::string& to) {
  for (std::size_t at = 0; at < symbol.size();) {
    const CodePoint point = decode_utf8(symbol, at);
    const std::string_view bytes = symbol.substr(at, point.length);
    const char32_t c = point.value;
    if (!point.valid || (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F) {
      for (const char byte : bytes) {
        to += "\\x";
        append_hex(static_cast<unsigned char>(byte), 2, to);
      }
    } else if (c == ' ') {
      to += "\\s";
    } else if (c == '\t') {
      to += "\\t";
    } else if (c == '\n') {
      to += "\\n";
    } else if (c == '\r') {
      to += "\\r";
    } else if (c == '\\') {
      to += "\\\\";
    } else if (is_invisible(c, at == 0)) {
      to += "\\u{";
      append_hex(c, c < 0x10000 ? 4 : 6, to);
      to += '}';
    } else {
      to += bytes;
    }
    at += point.length;
  }
}

bool unescape(std::string_view text, std::string& symbol, std::size_t& error_at) {
  symbol.clear();
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      symbol += text[at++];
      continue;
    }
    error_at = at;
    const char kind = at + 1 < text.size() ? text[at + 1] : '\0';
    at += 2;
    unsigned value = 0;
    const auto hex = [&](std::size_t from, std::size_t to) {
      const char* const end = text.data() + to;
      const auto result = std::from_chars(text.data() + from, end, value, 16);
      return result.ec == std::errc{} && result.ptr == end;
    };
    switch (kind) {
      case 's':
        symbol += ' ';
        break;
      case 't':
        symbol += '\t';
        break;
      case 'n':
        symbol += '\n';
        break;
      case 'r':
        symbol += '\r';
        break;
      case '\\':
        symbol += '\\';
        break;
      case 'x':
        if (at + 2 > text.size() || !hex(at, at + 2)) return false;
        symbol += static_cast<char>(value);
        at += 2;
        break;
      case 'u': {
        const std::size_t close = text.find('}', at);
        if (close == std::string_view::npos || text[at] != '{' || !hex(at + 1, close)) return false;
        if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
        append_utf8(value, symbol);
        at = close + 1;
        break;
      }
      default:
        return false;
    }
  }
  return true;
}

}  // namespace rnn
