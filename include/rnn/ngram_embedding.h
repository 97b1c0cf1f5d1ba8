#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API NgramEmbeddingOptions {
  Index input_dim = 0;     ///< number of symbols, V
  Index output_dim = 0;    ///< width of a vector, E
  Index ngrams = 2;        ///< N, symbols of the longest n-gram: 1 to 8
  Index buckets = 65536;   ///< rows that all longer n-grams share
  float word_dropout = 0;  ///< share of the symbols that are left out in training
  float text_dropout = 0;  ///< share of the texts of which nothing is read in training
  bool distinct = false;   ///< a row counts once a text
  bool scaled = false;     ///< rows are multiplied by factors that training leaves as they are
  bool keyed = false;      ///< an n-gram that is hashed is read where its row has its key
  bool of_words = false;   ///< symbols are characters, n-grams are of the words that they make
  Initializer initializer = Initializer::uniform(0.05f);
  void exchange(Fields& fields);
};

/// A vector for each symbol and for the n-grams that end with it: ids [T,B] -> [T,B,E].
///
///   y_t = W[w_t] + sum over n = 2 .. min(N, t+1) of G[bucket(w_{t-n+1} ... w_t)]
///
/// Pooled by its mean this is the bag of n-grams of Joulin et al. 2017 (fastText); before a
/// recurrent layer it gives each step its nearest neighbours at the price of a look-up.
/// Parameters: `embeddings` W [V,E] and, with N > 1, `ngrams` G [buckets,E].
///
/// `scaled`: for W and G read W * `embedding_scales` and G * `ngram_scales`, element by element.
/// These do not learn and begin with ones. With log-count ratios in their place, `distinct` and the
/// sum over time this is the NBSVM of Wang and Manning 2012: a row that tells nothing learns
/// nothing. `distinct`: of the equal symbols, and of the equal n-grams of a length, only the first
/// of the text is read.
///
/// `keyed`: `ngram_keys` [buckets,1], which do not learn, say whose a row is, so that it is no
/// other n-gram's: what was not met when they were set reads nothing instead of something else's
/// row. They begin with zeros, which is nobody's key; that of an n-gram is (h mod 2^24) + 1.
///
/// `of_words`: a character model's view of words. `word_symbols` [V,1], which do not learn, say of
/// each symbol what it is to a word: 1 a letter, of which words are runs; 2 a mark, a word by
/// itself; 0, as all begin, neither. At the step of a word's last symbol stands
///
///   y_t = sum over n = 1 .. N of G[bucket(the last n words)]
///
/// and zeros elsewhere; there is no W, and N is in words. What is hashed are the words' symbols
/// with -1 between words, whatever stood there. A symbol that is left out takes the words with it
/// that it touches.
///
/// The bucket of an n-gram is a function of its ids and `buckets` alone, so that a model means the
/// same everywhere. With 64-bit arithmetic: h = 0xcbf29ce484222325; for each id in order, with that
/// of the first symbol first, h = (h xor (id + 1)) * 0x9e3779b97f4a7c15, h = h xor (h >> 32); the
/// bucket is ((h >> 32) * buckets) >> 32. Different n-grams may share one.
///
/// Word dropout (Iyyer et al. 2015): in training each step is left out with that probability, drawn
/// from (random, example, t), and with it all n-grams that hold it; nothing is made larger for it.
/// Text dropout does so with all steps of a text, so that layers beside this one learn to do
/// without. An id below zero is left out likewise; one of V or more is a ShapeError.
///
/// An n-gram never reaches back before the first step of a call, nor does a word, so with N > 1 or
/// `of_words` a text in windows is not the text as a whole: not causal.
class RNN_API NgramEmbedding : public Layer {
 public:
  /// Throws ConfigError unless both dimensions and buckets are positive, ngrams is 1 to 8 and both
  /// dropouts in [0, 1).
  explicit NgramEmbedding(const NgramEmbeddingOptions& options);

  /// As said above: the hash h of the n-gram of these ids, of which only -1 between words may be
  /// below zero, and from it its bucket and its key.
  static std::uint64_t hash(std::span<const std::int32_t> ids);
  static Index bucket_of(std::uint64_t hash, Index buckets);
  static float key_of(std::uint64_t hash) {
    return static_cast<float>((hash & 0xffffff) + 1);  // exact
  }
  const NgramEmbeddingOptions& options() const { return options_; }
  /// Whether n-grams of that length are found by their hash and, where `keyed`, read by their key.
  bool hashed(Index n) const { return n > 1 || options_.of_words; }
  /// Places among the parameters: of the table that n-grams of that length read, of its factors, of
  /// the keys and of the word symbols. Where there are none, of nothing.
  std::size_t table_of(Index n) const { return hashed(n) && !options_.of_words ? 1 : 0; }
  std::size_t scales_of(Index n) const { return tables() + table_of(n); }
  std::size_t keys() const { return tables() * (options_.scaled ? 2 : 1); }
  std::size_t word_symbols() const { return keys() + (options_.keyed ? 1 : 0); }

  std::string_view type() const noexcept override { return "NgramEmbedding"; }
  void describe(Fields& fields) const override;
  std::optional<Signal> input() const override;
  bool causal() const override {
    return options_.ngrams == 1 && !options_.distinct && !options_.of_words;
  }
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 private:
  /// Symbols that are read, -1 for those left out.
  View<const std::int32_t> symbols(const Sequence& x, Call& call) const;
  /// The row of an n-gram with that hash, -1 where the row is another's.
  std::int32_t row_of(std::uint64_t hash, const Call& call) const;
  /// Rows of the n-grams that end at a step, -1 where there is none.
  View<const std::int32_t> rows(View<const std::int32_t> symbols, const Sequence& x, Index n,
                                Call& call) const;
  void find_ngrams(View<const std::int32_t> symbols, Index n, Call& call,
                   View<std::int32_t> found) const;
  void find_words(View<const std::int32_t> symbols, const Sequence& x, Index n, Call& call,
                  View<std::int32_t> found) const;
  /// The factors of these rows.
  View<const float> scales(View<const std::int32_t> rows, const Sequence& x, Index n,
                           Call& call) const;
  std::size_t tables() const { return options_.ngrams > 1 && !options_.of_words ? 2 : 1; }

  NgramEmbeddingOptions options_;
};

}  // namespace rnn
