// Tagger: parts of speech, chunks and named entities, and how it is trained.
//
//   const rnn::Tagger tagger = rnn::Tagger::load("model");
//   for (const auto& span : tagger.tag("Mira sailed to Aldermere.").spans) use(span.type);
//
// The network (Huang, Xu and Yu 2015; Ma and Hovy 2016; Lample et al. 2016):
//
//   x_t = dropout([word vector ; case features ; characters])
//   y   = head(dropout(bidirectional LSTM or GRU(x)))     head: softmax, or CRF
//
// where the characters of a word go through a convolution with max-pooling over time, or through a
// bidirectional LSTM whose last states are taken.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/model.h"
#include "rnn/text/tag_reader.h"
#include "rnn/text/tag_scores.h"
#include "rnn/text/vocabulary.h"

namespace rnn {

/// Everything that decides what is learned: the recipe that a model directory records.
struct RNN_API TaggerRecipe {
  std::string field{};           ///< of CoNLL-U: upos, xpos or feats
  std::int64_t column = 0;       ///< of the tag in column files, from 1
  std::int64_t word_column = 1;  ///< of the word there
  /// How the files write entities: iob1, bio or bioes; none: tags are just tags; auto: found out
  /// from the training tags.
  std::string scheme = "auto";
  std::string training_scheme = "bioes";  ///< in which entities are learned: bio or bioes

  bool lowercase = false;           ///< word vectors do not tell upper from lower case
  bool fold_digits = true;          ///< nor one digit from another
  std::int64_t min_count = 1;       ///< words seen less often are unknown
  std::int64_t char_min_count = 2;  ///< and characters
  float word_dropout = 0;           ///< share of words that training takes for unknown
  float singleton_dropout = 0.5f;   ///< share of the words seen once, on top of that

  Index embedding = 100;           ///< width of word vectors
  Index case_embedding = 0;        ///< width of the vectors for word shapes; 0: none
  std::string characters = "cnn";  ///< how spellings are read: cnn, bilstm or none
  Index char_embedding = 30;       ///< width of character vectors
  Index char_units = 50;           ///< filters of each width, or units of each direction
  std::string char_widths = "3";   ///< of the filters, in characters, with spaces between
  float char_dropout = 0;          ///< of character vectors
  std::string cell = "lstm";       ///< lstm or gru
  Index hidden = 128;              ///< units of each direction
  int layers = 1;
  float dropout = 0.5f;         ///< before, between and after the recurrent layers
  bool dropout_shared = false;  ///< the same dropout mask at every word of a sentence
  std::string head = "auto";    ///< softmax or crf; auto: crf for entities, else softmax
  /// A network as JSON in place of all that describes one from `embedding` to `head`.
  std::string network{};

  std::int64_t epochs = 20;
  std::int64_t batch = 32;         ///< sentences
  std::string optimizer = "adam";  ///< sgd, momentum, rmsprop, adam or adamw
  float lr = 0.002f;
  float momentum = 0.9f;  ///< of the optimiser `momentum`
  float weight_decay = 0;
  float clip = 5;        ///< by global norm; 0: no limit
  float clip_value = 0;  ///< by element; 0: no limit
  Schedule schedule{.kind = Schedule::Kind::kCosine};
  std::int64_t accumulate = 1;  ///< batches that make one update
  Averaging averaging{};        ///< of the weights: evaluated and saved in their place
  OnDivergence on_divergence = OnDivergence::kStop;
  int early_stopping = -1;  ///< epochs without gain that are endured; below 0: no early stopping
  std::int64_t seed = 1;
  Precision precision = Precision::kFp32;  ///< of training; fp32 or bf16

  void exchange(Fields& fields);
};

/// One training run.
struct TaggerRun {
  std::vector<std::string> train{};
  std::string valid{};      ///< empty: the last tenth of the training sentences
  std::string directory{};  ///< the model directory to be written
  std::string vectors{};    ///< word vectors to start from, see load_vectors
  bool overwrite = false;   ///< replace a model that is there
  bool resume = false;      ///< go on from its checkpoint; from the beginning if there is none yet
  CheckpointTimes checkpoint{};  ///< how often one is written
  /// Seconds after which training stops and can be resumed; 0: no limit. See TimeLimit for what
  /// they count.
  double max_time = 0;
  BackendOptions backend{};  ///< its precision is the recipe's, whatever stands here
  std::vector<Callback*> callbacks{};
  std::function<void(const std::string&)> log{};  ///< what a person wants to know, line by line
};

struct TaggerEvaluation {
  LossSum loss{};  ///< over the tags that the model knows
  TagScores scores{};
  bool entities = false;             ///< whether the tags stand for entities
  std::int64_t unknown = 0;          ///< words that are not in the vocabulary
  std::int64_t unknown_correct = 0;  ///< and of them those tagged correctly

  /// F1 of entities, or else accuracy: what the best model is chosen by.
  double quality() const { return entities ? scores.all().f1() : scores.accuracy(); }
};

/// Tags of a sentence and their log-probability, as a whole.
struct TagSequence {
  std::vector<std::string> tags{};
  double log_prob = 0;
};

/// A word of a text: text[begin, end), in bytes.
struct TaggedWord {
  std::size_t begin = 0, end = 0;
  std::string tag{};
};

/// An entity of a text: text[begin, end), in bytes, and its words.
struct TaggedSpan {
  std::size_t begin = 0, end = 0;
  std::size_t first_word = 0, end_word = 0;  ///< positions in TaggedText::words
  std::string type{};
};

struct TaggedText {
  std::vector<TaggedWord> words{};
  std::vector<std::size_t> sentence_ends{};  ///< position behind the last word of each sentence
  std::vector<TaggedSpan> spans{};           ///< none where tags are not entities
};

/// A trained model. Immutable: one may be used from many threads. The tags of a sentence do not
/// depend on what is tagged with it.
class RNN_API Tagger {
 public:
  using Words = std::vector<std::string>;

  /// Reads a model directory. Throws IoError or FormatError, naming the file, when one is missing,
  /// damaged, altered (SHA256SUMS) or does not fit the others.
  static Tagger load(const std::string& directory, const BackendOptions& backend = {});
  ~Tagger();
  Tagger(Tagger&&) noexcept;

  /// The best tags of sentences that are cut into words, in the scheme of the training files.
  /// Entities are always well formed. This, `n_best`, `marginals` and `evaluate` throw
  /// DivergenceError where there are no tags to be given, because the model's numbers are not
  /// finite.
  std::vector<Words> tag(std::span<const Words> sentences) const;
  /// Cuts a text into sentences and words by Unicode's rules (UAX 29, with dictionaries for Thai,
  /// Chinese, Japanese and others; white space is no word), and tags them. A treebank may cut words
  /// otherwise ("do" "n't"): then tag words that are cut as there. Throws TextError when the text
  /// is not UTF-8.
  TaggedText tag(std::string_view text) const;
  /// The n most probable sequences of tags, best first; fewer when there are fewer. With a softmax
  /// head the probability of a sequence is the product of its tags', before impossible sequences
  /// are left out.
  std::vector<TagSequence> n_best(const Words& sentence, std::int64_t n) const;
  /// [word][label] the probability of each label; each row adds up to 1. Labels are those of
  /// labels(), in the scheme of training.
  std::vector<std::vector<float>> marginals(const Words& sentence) const;

  /// Tags the sentences of files and counts what is right. The same function validates in training.
  TaggerEvaluation evaluate(std::span<const std::string> paths) const;

  /// How files are read for this model.
  TagReaderOptions reader_options() const;
  const std::vector<std::string>& labels() const;
  /// Whether the tags stand for entities.
  bool entities() const;
  const Vocabulary& vocabulary() const;
  const Network& network() const;
  const Parameters& parameters() const;

 private:
  struct Impl;
  explicit Tagger(std::unique_ptr<Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

/// Throws ConfigError, naming the option, unless the recipe is possible.
RNN_API void validate(const TaggerRecipe& recipe);

/// Trains and writes the model directory, as train_language_model does; the best model is the one
/// with the highest TaggerEvaluation::quality. A tag of the validation part that training has not
/// seen counts as wrong; sentences without words are passed over. Throws TextError naming file and
/// line for entities that the scheme does not allow: `I-X` after `O` is a mistake in bio and begins
/// an entity in iob1.
RNN_API History train_tagger(const TaggerRecipe& recipe, const TaggerRun& run);

}  // namespace rnn
