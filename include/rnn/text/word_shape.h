// WordShape: what can be seen of a word without knowing it.
#pragma once

#include <string_view>

#include "rnn/export.h"

namespace rnn {

/// By the letters that have case, in any script; others count as letters without.
enum class WordShape {
  kCaseless,     ///< letters, none of which has case
  kLower,        ///< all lower-case
  kTitle,        ///< the first upper-case, the others lower-case
  kInitial,      ///< one upper-case letter alone
  kUpper,        ///< all upper-case
  kMixed,        ///< anything else of both cases
  kNumber,       ///< digits and no letters
  kLetterDigit,  ///< letters and digits
  kSymbols,      ///< neither letters nor digits
};
inline constexpr int kWordShapes = 9;

RNN_API WordShape word_shape(std::string_view word);

}  // namespace rnn
