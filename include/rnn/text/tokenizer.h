// Tokenizers: from a line of text to the units a model works on, and back.
//
//   word       runs of bytes that are not white space, which is the six ASCII characters space,
//              tab, line feed, vertical tab, form feed and carriage return, as SRILM and the
//              PTB files mean it. A no-break space or an ideographic space is part of a word.
//   icu-word   word segmentation of Unicode Standard Annex 29 with ICU's dictionaries (Chinese,
//              Japanese, Thai, Khmer, Lao, Burmese). Punctuation marks are units of their own;
//              segments that consist of white space are dropped.
//   char       grapheme clusters (UAX 29, extended): what a reader calls a character.
//   byte       each byte.
//   sentencepiece  pieces learned from a corpus: see sentencepiece.h. It brings its vocabulary.
//   regex      what an ICU regular expression matches, from left to right; the rest is dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rnn/export.h"
#include "rnn/fields.h"
#include "rnn/text/vocabulary.h"

namespace rnn {

struct RNN_API TokenizerOptions {
  std::string unit = "word";
  /// For icu-word: a locale name such as "ja" or "sv_FI"; empty: the root locale. The environment
  /// is never looked at.
  std::string locale = {};
  std::string model = {};    ///< for sentencepiece: the path of the model file
  std::string pattern = {};  ///< for regex, such as "\\p{L}+|\\p{N}|[^\\s]"

  /// All but `model`: where the file is depends on the machine.
  void exchange(Fields& fields);
};

/// A unit of a line. `text` is what the vocabulary knows; line[begin, end) is where it stands.
/// Where a character makes several units (the bytes of sentencepiece), the last has its place.
struct Token {
  std::string_view text{};  ///< valid as long as the line and the tokenizer
  std::size_t begin = 0;    ///< bytes
  std::size_t end = 0;

  friend bool operator==(const Token&, const Token&) = default;
};

/// Splits lines and joins units. Immutable: one may be used from many threads.
///
/// Any bytes may be given: a maximal ill-formed part of UTF-8 counts as one character. Whether
/// text must be valid is the reader's business (TextPolicy).
class RNN_API Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// How it was made: what a model records.
  const TokenizerOptions& options() const { return options_; }
  /// Whether detokenize(tokenize(line)) is the line, byte for byte, for every line of UTF-8.
  virtual bool lossless() const = 0;
  /// Whether every byte string is proper text, so that a reader need not check for UTF-8.
  virtual bool any_bytes() const { return false; }

  /// What beyond the options it is made of, the bytes of a model file: to be kept with the model.
  virtual std::string_view model() const { return {}; }
  /// The vocabulary that it brings along; null: count one.
  virtual std::shared_ptr<const Vocabulary> vocabulary() const { return nullptr; }

  /// Replaces `tokens` by those of the line.
  virtual void tokenize(std::string_view line, std::vector<Token>& tokens) const = 0;
  /// The text of some tokens: the inverse where lossless(), otherwise joined with single spaces.
  virtual std::string detokenize(std::span<const std::string_view> tokens) const = 0;

  /// Appends the id of each token of the line (Vocabulary::text_id), without an end of sentence.
  /// Returns how many were unknown to the vocabulary, not counting those that say "<unk>".
  /// The same as tokenize and a look-up for each, but fast.
  virtual std::int64_t encode(std::string_view line, const Vocabulary& vocabulary,
                              std::vector<std::int32_t>& ids) const;
  /// Counts the tokens of the line; one that reads `</s>` counts as `<unk>` (Vocabulary::text_id).
  virtual void count(std::string_view line, VocabularyBuilder& builder) const;

 protected:
  explicit Tokenizer(TokenizerOptions options) : options_(std::move(options)) {}

 private:
  TokenizerOptions options_;
};

/// Throws ConfigError for an unknown unit or locale.
RNN_API std::shared_ptr<const Tokenizer> make_tokenizer(const TokenizerOptions& options = {});

/// The names that TokenizerOptions::unit accepts.
RNN_API std::span<const std::string_view> tokenizer_units();

}  // namespace rnn
