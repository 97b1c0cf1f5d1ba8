// How scores of sentences are printed: for a person, as JSON, and as other tools print theirs.
#pragma once

#include <memory>
#include <string>

#include "rnn/tasks/language_model.h"

namespace rnn {

/// What was scored so far.
struct ScoreTotals {
  std::int64_t sentences = 0, tokens = 0, unknown = 0, characters = 0;
  double log_prob = 0, unknown_log_prob = 0;

  void add(const SentenceScore& score);
  /// Of all tokens, the ends of sentences among them; NaN when there is none.
  double perplexity() const;
  /// Without the unknown words.
  double known_perplexity() const;
  /// Of all characters, the ends of lines among them; NaN when there is none.
  double bits_per_character() const;
};

/// Prints to standard output, sentence by sentence, and the totals at the end.
class ScorePrinter {
 public:
  virtual ~ScorePrinter() = default;
  virtual void print(const std::string& sentence, const SentenceScore& score) = 0;
  virtual void finish() = 0;
};

struct ScorePrinterOptions {
  std::string format = "text";  ///< or json, srilm or kenlm
  bool per_word = false;
  std::string name{};  ///< of the text
};

/// `vocabulary` must live as long. Throws ConfigError for an unknown format.
///   srilm  the layout of SRILM's `ngram -ppl TEXT -debug 2` (Stolcke 2002): base-10 logarithms;
///          unknown words have probability 0 and are left out of logprob and ppl
///   kenlm  the layout of KenLM's `query` (Heafield 2011): base-10 totals with unknown words
std::unique_ptr<ScorePrinter> make_score_printer(const ScorePrinterOptions& options,
                                                 const Vocabulary& vocabulary);

/// The base-10 logarithm of a natural one, in a fixed number of digits.
std::string log10_text(double nats);

}  // namespace rnn
