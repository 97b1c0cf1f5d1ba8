// TokenFile: a corpus as numbers, on disk, however large it is.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "rnn/export.h"
#include "rnn/text/corpus.h"

namespace rnn {

/// The ids of all tokens of some text files in a memory-mapped file. Each line gives its tokens and
/// then the id of `</s>`; an empty line gives `</s>` alone.
///
/// It has no name from the moment it is made, so that nothing is left behind whatever
/// happens. Pages are read when they are touched and can be dropped by the system: memory does not
/// grow with the corpus. Movable; safe to read from many threads.
class RNN_API TokenFile {
 public:
  /// Errors: as LineReader's; IoError when the disk is full; TextError naming the files when they
  /// hold no token at all.
  static TokenFile build(std::span<const std::string> paths, const Tokenizer& tokenizer,
                         const Vocabulary& vocabulary, const CorpusOptions& options = {});

  TokenFile(TokenFile&& other) noexcept;
  TokenFile& operator=(TokenFile&& other) noexcept;
  ~TokenFile();

  std::span<const std::int32_t> ids() const { return ids_; }
  std::int64_t lines() const { return lines_; }
  /// Tokens that the vocabulary does not have, not counting those that say "<unk>" in the text.
  std::int64_t unknown() const { return unknown_; }
  /// Unicode code points of the text as it was tokenized, one line feed for each line included:
  /// what bits per character are divided by.
  std::int64_t characters() const { return characters_; }
  /// Bytes of the text, counted the same way.
  std::int64_t bytes() const { return bytes_; }

 private:
  TokenFile() = default;

  std::span<const std::int32_t> ids_{};
  std::int64_t lines_ = 0;
  std::int64_t unknown_ = 0;
  std::int64_t characters_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace rnn
