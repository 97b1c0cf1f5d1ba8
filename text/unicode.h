// The only door to ICU: what needs the tables of Unicode.
//
// All functions take any bytes. An ill-formed part of UTF-8 counts as one U+FFFD as long as its
// maximal subpart. The default locale of the environment is never used.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "text/rewrite.h"

namespace rnn {

/// The property White_Space: all that Unicode calls so, the no-break space among it.
bool is_white_space(char32_t code_point);
bool all_white_space(std::string_view text);
/// General category Cc.
bool is_control(char32_t code_point);
/// Letters by case; title-case letters count as upper-case, marks as no letters.
enum class LetterCase { kNoLetter, kCaseless, kLower, kUpper };
LetterCase letter_case(char32_t code_point);
/// The value of a decimal digit of any script (general category Nd), or -1.
int digit_value(char32_t code_point);

/// The end of the extended grapheme cluster that starts at `from` (UAX 29, version 15.0, rules GB3
/// to GB13). `from` must be a boundary and below text.size().
std::size_t grapheme_end(std::string_view text, std::size_t from);

/// Throws ConfigError when ICU does not know the language of a locale.
void check_locale(const std::string& locale);

/// Rewrites whole texts, which must be valid UTF-8 of less than 2 GiB.
using RewriteStep = std::function<void(std::string_view text, Rewrite& rewrite)>;
/// "nfc", "nfd", "nfkc" or "nfkc-casefold"; null for another name.
RewriteStep normalization_step(std::string_view form);
RewriteStep lowercase_step(const std::string& locale);
RewriteStep strip_accents_step();

/// A compiled regular expression of ICU. Immutable to its users, as Segmenter.
class RegularExpression {
 public:
  /// At most 32768 bytes. Throws ConfigError with the place of the fault.
  explicit RegularExpression(const std::string& pattern);
  ~RegularExpression();
  RegularExpression(RegularExpression&&) noexcept;
  RegularExpression& operator=(RegularExpression&&) noexcept;

  /// Calls found(begin, end) for each match that is not empty, from left to right. Throws TextError
  /// when a match needs too much memory, or all together more steps than texts of that length may:
  /// a number that grows with the length. A step may cost as much as the expression
  /// is long, and ten thousand of them may each go through the text before that is noticed.
  void each_match(std::string_view text,
                  const std::function<void(std::size_t begin, std::size_t end)>& found) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
