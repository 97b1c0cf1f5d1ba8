// Segmenter: sentences, words and characters of a text, with their places.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"

namespace rnn {

/// Where text is cut: extended grapheme clusters, words or sentences of Unicode Standard Annex 29.
enum class Boundary { kGrapheme, kWord, kSentence };

/// text[begin, end), in bytes.
struct Segment {
  std::size_t begin = 0;
  std::size_t end = 0;
  /// Of words: it has letters, digits or ideographs; otherwise white space or punctuation.
  bool is_word = false;

  friend bool operator==(const Segment&, const Segment&) = default;
};

/// ICU's break rules with its dictionaries for Chinese, Japanese, Thai, Khmer, Lao and Burmese,
/// which are used wherever these scripts occur, whatever the locale.
///
/// Immutable: one may be used from many threads. A locale that ICU has no rules of its own for is
/// served by those of its language or by the root rules. The environment is never looked at.
class RNN_API Segmenter {
 public:
  /// `locale` such as "ja" or "sv_FI"; empty: the root locale. Throws ConfigError for a language
  /// that ICU does not know.
  explicit Segmenter(Boundary boundary, const std::string& locale = {});
  ~Segmenter();
  Segmenter(Segmenter&&) noexcept;
  Segmenter& operator=(Segmenter&&) noexcept;

  /// Replaces `segments` by those of the text. They stand side by side and cover it; an empty text
  /// has none. An ill-formed part of UTF-8 counts as one U+FFFD. The white space after a sentence
  /// belongs to it. Throws TextError for a text of 2 GiB or more.
  void segment(std::string_view text, std::vector<Segment>& segments) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
