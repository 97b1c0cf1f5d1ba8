// TagReader: sentences of words with one tag each, and the same file again with other tags.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rnn/export.h"
#include "rnn/text/conll_reader.h"

namespace rnn {

/// Where words and tags stand: in a field of CoNLL-U, or in columns (see conll_reader.h).
struct TagReaderOptions {
  std::string field{};           ///< of CoNLL-U: "upos", "xpos" or "feats"; empty: columns
  std::int64_t column = 0;       ///< that the tag stands in, from 1
  std::int64_t word_column = 1;  ///< and the word
  /// Without, tags are read where there are some and may be missing: rows that end before the
  /// tag's column get it as their last one.
  bool needs_tags = true;
  TextPolicy policy{};
};

struct TaggedSentence {
  std::vector<std::string> words{};
  std::vector<std::string> tags{};    ///< as many, or none where the file has none
  std::vector<std::int64_t> lines{};  ///< number of each word's line in the file
};

/// Reads the words proper of CoNLL-U, not its multiword tokens and empty nodes. Errors: those of
/// ConllReader and ConlluReader; ConfigError for options that name no tag; TextError
/// "file:line:column: ..." for a row without the tag's or the word's column.
class RNN_API TagReader {
 public:
  /// What a file has since the sentence before, up to and with the empty line after a sentence.
  class RNN_API Lines {
   public:
    /// The same with these tags in place of its own; every other byte stays. Throws ShapeError
    /// when there are not as many as words.
    std::string with_tags(std::span<const std::string> tags) const;

   private:
    friend class TagReader;
    SourceLines source_{};
    std::int64_t column_ = 0;
    bool only_tabs_ = false;  // separate columns
  };

  explicit TagReader(std::string path, const TagReaderOptions& options);
  ~TagReader();
  TagReader(TagReader&&) noexcept;

  /// Replaces `sentence` by the next one; false at the end.
  bool next(TaggedSentence& sentence);
  /// The lines of the sentence last read; after the last one, what else is in the file.
  Lines lines() const;
  const std::string& name() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
