// SentencePiece: units learned from a corpus (Kudo and Richardson 2018), by a unigram language
// model (Kudo 2018) or byte-pair encoding (Sennrich, Haddow and Birch 2016).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"
#include "rnn/random.h"
#include "rnn/text/corpus.h"
#include "rnn/text/tokenizer.h"

namespace rnn {

struct SentencePieceOptions {
  std::int64_t vocabulary_size = 8000;
  std::string model_type = "unigram";  ///< or "bpe"
  /// The rarest characters, together one minus this, get no piece of their own but are written as
  /// bytes.
  double character_coverage = 0.9995;
  /// Lines taken into account, drawn at random from all; 0: all of them. They are held in memory.
  std::int64_t maximum_lines = 2000000;
  std::int64_t seed = 0;  ///< of that draw

  void exchange(Fields& fields);
};

/// Learns a model from text files, one sentence a line, and returns the bytes of the model file.
///
/// Text is not rewritten: no normalization, no space added or removed, and what has no piece is
/// written as bytes. So the tokenizer is lossless. Ids: `<unk>` 0, `</s>` 1, then the bytes. A line
/// of more than 100,000 bytes counts as several, cut at spaces; U+2585, which the library keeps for
/// itself, cuts a line too and is always written as bytes.
/// Errors: as LineReader's; ConfigError when the text is too small for the vocabulary size.
RNN_API std::string train_sentencepiece(std::span<const std::string> paths,
                                        const SentencePieceOptions& options = {},
                                        const CorpusOptions& corpus = {});

/// A tokenizer made of a model file, of ours or of somebody else's. make_tokenizer gives one for
/// the unit `sentencepiece`.
///
/// Token::text is the piece ("\u2581" stands for a space in it), but the source text where there is
/// no piece. A model that normalizes text does so here too, and then it is not lossless().
class RNN_API SentencePieceTokenizer final : public Tokenizer {
 public:
  /// From the bytes of a model file; `name` is for messages. A file that is damaged, or that its
  /// library could fall over, is a FormatError.
  explicit SentencePieceTokenizer(std::string model, const std::string& name = "tokenizer.model");
  ~SentencePieceTokenizer() override;

  bool lossless() const override;
  void tokenize(std::string_view line, std::vector<Token>& tokens) const override;
  std::string detokenize(std::span<const std::string_view> tokens) const override;
  std::int64_t encode(std::string_view line, const Vocabulary& vocabulary,
                      std::vector<std::int32_t>& ids) const override;
  std::string_view model() const override;
  std::shared_ptr<const Vocabulary> vocabulary() const override;

  /// Subword regularization (Kudo 2018): one of the n best segmentations, drawn with a probability
  /// proportional to P(segmentation)^alpha. A function of the line and `random` alone. Throws
  /// ConfigError when the model is not a unigram one, which alone has such probabilities.
  void sample(std::string_view line, int n_best, double alpha, const Random& random,
              std::vector<Token>& tokens) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
