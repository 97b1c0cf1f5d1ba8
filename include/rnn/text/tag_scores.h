// TagScores: how good predicted tags are, word by word and, for entities, as conlleval counts them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "rnn/export.h"

namespace rnn {

/// Entities of one type, or of all. An entity is correct when begin, end and type are those of the
/// gold one. Shares are fractions, 0 where nothing could be counted.
struct RNN_API SpanCounts {
  std::int64_t gold = 0, found = 0, correct = 0;

  double precision() const;
  double recall() const;
  /// 2 P R / (P + R)
  double f1() const;
};

/// Counts tags of sentence after sentence.
///
/// Entities are read as the program conlleval of the CoNLL shared tasks reads them (Tjong Kim Sang
/// and Buchholz 2000): every tag means something, so that I-X after O begins an entity; see
/// entities_of_any. Sentences end entities. With tags of the schemes iob1 and bio all counts are
/// conlleval's; bioes, which it does not know in full, is counted by the same rule.
class RNN_API TagScores {
 public:
  /// Throws ShapeError when there are not as many tags as gold ones.
  void add(std::span<const std::string> gold, std::span<const std::string> predicted);

  std::int64_t tokens() const { return tokens_; }
  std::int64_t correct_tokens() const { return correct_; }
  std::int64_t sentences() const { return sentences_; }
  double accuracy() const;
  /// In the order of their bytes; types that were found or are in the gold tags.
  const std::map<std::string, SpanCounts>& types() const { return types_; }
  SpanCounts all() const;

  /// The report of conlleval, letter by letter.
  std::string conlleval() const;

 private:
  std::int64_t tokens_ = 0, correct_ = 0, sentences_ = 0;
  std::map<std::string, SpanCounts> types_;
};

}  // namespace rnn
