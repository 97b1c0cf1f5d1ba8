#include "rnn/text/word_shape.h"

#include "text/unicode.h"
#include "text/utf8.h"

namespace rnn {

WordShape word_shape(std::string_view word) {
  int letters = 0, upper = 0, lower = 0, digits = 0;
  bool first_is_upper = false;
  for (std::size_t at = 0; at < word.size();) {
    const CodePoint point = decode_utf8(word, at);
    at += point.length;
    if (digit_value(point.value) >= 0) ++digits;
    const LetterCase letter = letter_case(point.value);
    if (letter == LetterCase::kNoLetter) continue;
    if (letters++ == 0) first_is_upper = letter == LetterCase::kUpper;
    upper += letter == LetterCase::kUpper;
    lower += letter == LetterCase::kLower;
  }
  if (letters == 0) return digits > 0 ? WordShape::kNumber : WordShape::kSymbols;
  if (digits > 0) return WordShape::kLetterDigit;
  if (upper == 0) return lower == 0 ? WordShape::kCaseless : WordShape::kLower;
  if (lower == 0) return upper == 1 ? WordShape::kInitial : WordShape::kUpper;
  return first_is_upper && upper == 1 ? WordShape::kTitle : WordShape::kMixed;
}

}  // namespace rnn
