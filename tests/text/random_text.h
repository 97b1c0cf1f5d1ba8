// Random text that likes to hit what is difficult in Unicode.
#pragma once

#include <cstdint>
#include <string>

#include "rnn/random.h"
#include "text/utf8.h"

namespace rnn {

/// Draws one after another from a counter-based stream.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : random_(seed) {}
  std::uint32_t below(std::uint32_t limit) {
    return static_cast<std::uint32_t>(
        static_cast<std::uint64_t>(random_.block(next_++)[0]) * limit >> 32);
  }

 private:
  Random random_;
  std::uint32_t next_ = 0;
};

/// Code points of every class of the segmentation rules, with much ASCII between them.
inline std::string random_text(Draws& draws, std::uint32_t length) {
  static constexpr char32_t kHard[] = {
      '\r',   '\n',    '\t',    0,       0x7F,    0x85,    0xA0,    0xA9,    0xAD,    0xDF,
      0xE9,   0x0130,  0x0300,  0x0301,  0x0308,  0x0327,  0x03A3,  0x0600,  0x0E01,  0x0E33,
      0x0E40, 0x0903,  0x0915,  0x094D,  0x093F,  0x1100,  0x1161,  0x11A8,  0xAC00,  0xAC01,
      0x200B, 0x200C,  0x200D,  0x2028,  0x2764,  0x3000,  0x3042,  0x4E00,  0xFE0F,  0xFEFF,
      0xFFFD, 0x1F1E6, 0x1F1E7, 0x1F3FB, 0x1F466, 0x1F469, 0x1F4BB, 0x110BD, 0xE0001, 0x10FFFF};
  std::string text;
  for (std::uint32_t i = 0; i < length; ++i) {
    const std::uint32_t kind = draws.below(8);
    if (kind < 3) {
      append_utf8(kHard[draws.below(std::size(kHard))], text);
    } else if (kind == 3) {
      char32_t any = draws.below(0x110000);
      append_utf8(any >= 0xD800 && any <= 0xDFFF ? U'x' : any, text);
    } else {
      append_utf8(U' ' + draws.below(95), text);
    }
  }
  return text;
}

/// Bytes that are sometimes UTF-8, sometimes broken in the middle, sometimes anything.
inline std::string random_bytes(Draws& draws, std::uint32_t length) {
  std::string text = random_text(draws, length);
  for (std::uint32_t i = 0; i < 1 + length / 4 && !text.empty(); ++i) {
    const std::size_t at = draws.below(static_cast<std::uint32_t>(text.size()));
    if (draws.below(2) == 0) {
      text.erase(at, 1);
    } else {
      text[at] = static_cast<char>(draws.below(256));
    }
  }
  return text;
}

}  // namespace rnn
