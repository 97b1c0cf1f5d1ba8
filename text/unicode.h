// The only door to ICU: what needs the tables of Unicode.
//
// All functions take any bytes. An ill-formed part of UTF-8 counts as one U+FFFD as long as its
// maximal subpart.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rnn {

/// The property White_Space: all that Unicode calls so, the no-break space among it.
bool is_white_space(char32_t code_point);
bool all_white_space(std::string_view text);

/// The end of the extended grapheme cluster that starts at `from` (UAX 29, version 15.0, rules GB3
/// to GB13). `from` must be a boundary and below text.size().
std::size_t grapheme_end(std::string_view text, std::size_t from);

/// How a segmenter cuts.
enum class Boundary { kGrapheme, kWord, kSentence };

/// ICU's break iterators for a locale, with its dictionaries. Immutable to its users: each call
/// works on a clone of its own, kept for later calls, because an iterator is not thread-safe.
class Segmenter {
 public:
  /// Throws ConfigError when ICU does not know the locale. Empty: the root locale.
  Segmenter(Boundary boundary, const std::string& locale);
  ~Segmenter();
  Segmenter(Segmenter&&) noexcept;
  Segmenter& operator=(Segmenter&&) noexcept;

  /// Replaces `ends` by the end of each segment, in bytes. The first segment starts at 0 and each
  /// other where the one before ends. No segment in an empty text.
  void segment(std::string_view text, std::vector<std::size_t>& ends) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
