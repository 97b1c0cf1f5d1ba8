#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rnn/text/disk_vector.h"
#include "rnn/text/symbol_table.h"
#include "rnn/text/tag_reader.h"
#include "tasks/source_files.h"

namespace rnn {

/// Sentences with their tags in the order in which they were added. Each word and tag that there is
/// is in memory once; the sentences are numbers of these, which DiskVectors keep.
class TaggedSentences {
 public:
  explicit TaggedSentences(const Storage& storage = {})
      : words_(storage), tags_(storage), lines_(storage) {}

  /// `file` is for messages.
  void add(const TaggedSentence& sentence, const std::string& file);

  std::int64_t size() const { return words_.size(); }
  /// Words of all sentences before sentence `i`.
  std::int64_t words_before(std::int64_t i) const { return words_.begin(i); }
  std::int64_t length(std::int64_t i) const { return words_.length(i); }
  /// Replaces `sentence` by sentence `i`.
  void get(std::int64_t i, TaggedSentence& sentence) const;
  /// Numbers of the words of sentence `i`.
  std::span<const std::int32_t> words(std::int64_t i) const { return words_[i]; }
  std::int32_t word_types() const { return word_names_.size(); }
  std::string_view word(std::int32_t number) const { return word_names_[number]; }
  /// The name of the file of sentence `i`.
  const std::string& file(std::int64_t i) const { return files_.of(i); }

 private:
  SymbolTable word_names_{}, tag_names_{};
  DiskLists<std::int32_t> words_, tags_;
  DiskLists<std::int64_t> lines_;
  SourceFiles files_{};
};

/// Some sentences that stand side by side.
class TaggedPart {
 public:
  /// All of them.
  explicit TaggedPart(std::shared_ptr<const TaggedSentences> sentences)
      : TaggedPart(sentences, 0, sentences->size()) {}

  /// Those from `begin` up to `end` of this part.
  TaggedPart part(std::int64_t begin, std::int64_t end) const {
    return TaggedPart(sentences_, begin_ + begin, begin_ + end);
  }

  std::int64_t size() const { return end_ - begin_; }
  std::int64_t words() const;
  std::int64_t length(std::int64_t i) const { return sentences_->length(begin_ + i); }
  /// Replaces `sentence` by sentence `i`.
  void get(std::int64_t i, TaggedSentence& sentence) const {
    sentences_->get(begin_ + i, sentence);
  }
  /// The name of its file.
  const std::string& file_of(std::int64_t i) const { return sentences_->file(begin_ + i); }
  /// Calls `function(sentence, i)` with each, which is good for the call.
  template <class Function>
  void each(Function function) const {
    TaggedSentence sentence;
    for (std::int64_t i = 0; i < size(); ++i) {
      get(i, sentence);
      function(static_cast<const TaggedSentence&>(sentence), i);
    }
  }
  /// Calls `function(word, count)` with each different word.
  template <class Function>
  void each_word(Function function) const {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(sentences_->word_types()));
    for (std::int64_t i = begin_; i < end_; ++i) {
      for (const std::int32_t word : sentences_->words(i)) ++counts[static_cast<std::size_t>(word)];
    }
    for (std::int32_t word = 0; word < sentences_->word_types(); ++word) {
      const std::int64_t count = counts[static_cast<std::size_t>(word)];
      if (count > 0) function(sentences_->word(word), count);
    }
  }

 private:
  TaggedPart(std::shared_ptr<const TaggedSentences> sentences, std::int64_t begin, std::int64_t end)
      : sentences_(std::move(sentences)), begin_(begin), end_(end) {}

  std::shared_ptr<const TaggedSentences> sentences_;
  std::int64_t begin_ = 0, end_ = 0;
};

/// Throws TextError when there is no sentence at all.
TaggedPart read_tagged(std::span<const std::string> paths, const TagReaderOptions& options,
                       const Storage& storage);

}  // namespace rnn
