// LanguageModel: what a program embeds to score, evaluate and write text, and how it is trained.
//
//   const rnn::LanguageModel model = rnn::LanguageModel::load("model");
//   const std::string sentences[] = {"the fox ran home", "the fox ran"};
//   for (const auto& score : model.score(sentences)) use(score.log_prob);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/model.h"
#include "rnn/text/line_reader.h"
#include "rnn/text/normalizer.h"
#include "rnn/text/tokenizer.h"
#include "rnn/text/vocabulary.h"

namespace rnn {

/// How the distribution over the next unit is made and learned; see Softmax, AdaptiveSoftmax and
/// SampledSoftmax.
enum class SoftmaxKind { kFull, kAdaptive, kSampled };

/// Everything that decides what is learned: the recipe that a model directory records. What only
/// decides how a run goes (threads, time, where files are) stands in LanguageModelRun.
struct RNN_API LanguageModelRecipe {
  std::string unit = "word";  ///< see TokenizerOptions
  std::string locale{};
  std::string pattern{};
  std::int64_t min_count = 1;       ///< units seen less often are unknown
  std::int64_t max_vocabulary = 0;  ///< 0: no limit
  bool replace_invalid = false;     ///< invalid UTF-8 becomes U+FFFD instead of an error
  NormalizerOptions normalize{};    ///< of every text, before it is cut into units

  // Of the unit sentencepiece, unless the run names a model; see SentencePieceOptions.
  std::int64_t sentencepiece_size = 8000;
  std::string sentencepiece_kind = "unigram";
  double sentencepiece_coverage = 0.9995;
  /// Subword regularization (Kudo 2018): each epoch trains on segmentations drawn among so many
  /// best ones of a line, with a probability proportional to P^alpha. 1: always on the best.
  int sentencepiece_nbest = 1;
  double sentencepiece_alpha = 0.2;

  std::string cell = "lstm";  ///< lstm, gru, gru-reset-before, rnn (tanh) or rnn-relu
  Index embedding = 0;        ///< width of the embedding; 0: as `hidden`
  Index hidden = 200;
  int layers = 2;
  /// One table for embedding and softmax; the last recurrent layer is then as wide as the
  /// embedding.
  bool tie = false;
  /// After the embedding, between layers and before the softmax; each of the three below, where it
  /// is at least 0, stands in its place there.
  float dropout = 0;
  float dropout_input = -1, dropout_hidden = -1, dropout_output = -1;
  bool dropout_shared = false;  ///< the same dropout mask at every step of a window
  float dropout_embedding = 0;  ///< share of units whose vector is dropped wherever they occur
  float dropout_recurrent = 0;  ///< of h where it meets recurrent weights, one mask for a window
  float weight_drop = 0;        ///< of recurrent weights, one mask for a window (DropConnect)
  float ar = 0;                 ///< activation regularization, see ActivityRegularization::l2
  float tar = 0;                ///< the temporal one, see ActivityRegularization::temporal_l2
  SoftmaxKind softmax = SoftmaxKind::kFull;
  /// Adaptive: where clusters of rare units begin, as in "2000 10000"; empty: a fifth of the
  /// vocabulary.
  std::string softmax_cutoffs{};
  std::int64_t softmax_samples = 1000;  ///< sampled: units drawn for each batch
  float label_smoothing = 0;            ///< of the full softmax, in training
  float init = 0;                       ///< uniform in [-init, init); 0: each layer's own rule
  float forget_bias = 1;
  /// A network as JSON in place of what describes one, from `cell` on, which must then be as it is
  /// here.
  std::string network{};

  std::int64_t epochs = 10;
  std::int64_t batch = 20;  ///< lanes
  std::int64_t bptt = 35;   ///< steps of a window
  /// Window lengths drawn, and the learning rate scaled by them, as in Merity et al. 2018.
  bool random_bptt = false;
  std::string optimizer = "adam";  ///< sgd, momentum, rmsprop, adam or adamw
  float lr = 0.002f;
  float momentum = 0.9f;  ///< of the optimiser `momentum`
  float weight_decay = 0;
  float clip = 1;        ///< by global norm; 0: no limit
  float clip_value = 0;  ///< by element; 0: no limit
  Schedule schedule{};
  std::int64_t accumulate = 1;  ///< batches that make one update
  Averaging averaging{};        ///< of the weights: evaluated and saved in their place
  OnDivergence on_divergence = OnDivergence::kStop;
  int early_stopping = -1;  ///< epochs without gain that are endured; below 0: no early stopping
  std::int64_t seed = 1;
  /// Of training; fp32 or bf16. The model can be used in any.
  Precision precision = Precision::kFp32;

  void exchange(Fields& fields);
};

/// One training run.
struct LanguageModelRun {
  std::vector<std::string> train{};  ///< read twice, so that "-" (standard input) cannot be one
  std::string valid{};               ///< empty: the last tenth of the training text
  std::string directory{};           ///< the model directory to be written
  bool overwrite = false;            ///< replace a model that is there
  bool resume = false;      ///< go on from its checkpoint; from the beginning if there is none yet
  std::string init_from{};  ///< a model directory whose parameters are the first values
  /// A SentencePiece model file for that unit; empty: that of `init_from`, or one is learned from
  /// the training text.
  std::string tokenizer_model{};
  bool initial_evaluation = false;  ///< also validate before the first step
  CheckpointTimes checkpoint{};     ///< how often one is written
  /// Seconds after which training stops and can be resumed; 0: no limit. See TimeLimit for what
  /// they count.
  double max_time = 0;
  BackendOptions backend{};  ///< its precision is the recipe's, whatever stands here
  std::vector<Callback*> callbacks{};
  std::function<void(const std::string&)> log{};  ///< what a person wants to know, line by line
};

struct LanguageModelEvaluation {
  double nats = 0;
  std::int64_t tokens = 0;  ///< predicted, one end of sentence a line among them
  std::int64_t sentences = 0;
  std::int64_t unknown = 0;  ///< units outside the vocabulary
  /// Unicode code points of the text as the normalizer leaves it, one line feed a line among them.
  std::int64_t characters = 0;

  double nats_per_token() const { return tokens > 0 ? nats / static_cast<double>(tokens) : 0; }
  double perplexity() const;
  /// Comparable between models whose units spell the whole text, whatever units these are.
  double bits_per_character() const;
};

struct UnitScore {
  std::string unit{};
  double log_prob = 0;   ///< natural logarithm
  bool unknown = false;  ///< outside the vocabulary: the probability is that of `<unk>`
};

/// A sentence and its end. Logarithms are natural.
struct SentenceScore {
  std::vector<UnitScore> units{};  ///< the last is `</s>`
  double log_prob = 0;
  std::int64_t unknown = 0;
  double unknown_log_prob = 0;  ///< the share of `log_prob` that unknown units have
  std::int64_t characters = 0;  ///< as LanguageModelEvaluation counts them
};

struct GenerateOptions {
  std::string prompt{};
  std::int64_t length = 200;  ///< units to write
  double temperature = 1;     ///< below 1 likelier units gain; 0: always the likeliest
  std::int64_t top_k = 0;     ///< choose among the k likeliest; 0: among all
  double top_p = 1;           ///< choose among the fewest that reach this probability together
  /// Locally typical sampling (Meister, Pimentel, Wiher and Cotterell 2023): choose among the
  /// fewest units that reach this probability together, those first whose surprise -log p is
  /// nearest to the entropy.
  double typical = 1;
  /// Log-probabilities of units that the text has already are multiplied by this (after Keskar et
  /// al., "CTRL", 2019): above 1 they become rarer.
  double repetition_penalty = 1;
  std::vector<std::string> stop{};  ///< writing ends before the first of these strings
  int samples = 1;                  ///< texts for generate_all
  /// Instead of a choice: the likeliest text that a beam so wide finds; 0: none. A text that
  /// reaches one of `stop` is whole; the search ends when no other can become likelier than the
  /// likeliest of those.
  int beam = 0;
  std::uint64_t seed = 1;
  bool unknown = false;  ///< whether `<unk>` may be written
};

/// A trained model. Immutable: one may be used from many threads.
class RNN_API LanguageModel {
 public:
  /// Reads a model directory. Throws IoError or FormatError, naming the file, when one is missing,
  /// damaged, altered (SHA256SUMS) or does not fit the others.
  static LanguageModel load(const std::string& directory, const BackendOptions& backend = {});
  ~LanguageModel();
  LanguageModel(LanguageModel&&) noexcept;

  /// Loss over text files as one stream (kCarry) or sentence by sentence (kReset). The same
  /// function validates in training.
  LanguageModelEvaluation evaluate(std::span<const std::string> paths,
                                   StatePolicy policy = StatePolicy::kCarry) const;
  /// The same for a text that is to be read in another way than text_policy().
  LanguageModelEvaluation evaluate(std::span<const std::string> paths, StatePolicy policy,
                                   const TextPolicy& text) const;
  /// Scores of sentences, each from the beginning of a text. A score does not depend on what else
  /// is scored with it. For many calls with few sentences see SentenceReader.
  std::vector<SentenceScore> score(std::span<const std::string> sentences) const;
  /// Score of a sentence that goes on from `state`, which is moved along.
  SentenceScore score(std::string_view sentence, State& state) const;
  State initial_state() const;
  /// Writes text that begins with the prompt, as the normalizer leaves it. `on_text` gets it piece
  /// by piece while it is made; all of it is returned. Throws ConfigError, naming the option, and
  /// TextError for a prompt that is not UTF-8.
  std::string generate(const GenerateOptions& options,
                       const std::function<void(std::string_view)>& on_text = {}) const;

  /// As many texts as `options.samples`, worked on side by side; each is the same however many
  /// there are, and the first is that of `generate`. `on_text` is told of the first.
  std::vector<std::string> generate_all(
      const GenerateOptions& options,
      const std::function<void(std::string_view)>& on_text = {}) const;

  const Network& network() const;
  const Parameters& parameters() const;
  const Vocabulary& vocabulary() const;
  const Tokenizer& tokenizer() const;
  /// What every text goes through before it is tokenized.
  const Normalizer& normalizer() const;
  const std::shared_ptr<const Backend>& backend() const;
  /// How text must be read for this model.
  TextPolicy text_policy() const;

 private:
  friend class AdaptiveLanguageModel;
  friend class LanguageModelMixture;
  friend class SentenceReader;
  struct Impl;
  explicit LanguageModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

/// Throws ConfigError, naming the option, unless the recipe is possible.
RNN_API void validate(const LanguageModelRecipe& recipe);
/// The network of a recipe for a vocabulary of that size.
RNN_API Network language_model_network(const LanguageModelRecipe& recipe, Index vocabulary);

/// Trains and writes the model directory: the best model by validation, and a checkpoint when
/// `checkpoint` says so and when a callback stops it. Nothing is written before the text has been
/// read and found good. The files of a model change together: a full disk leaves the model of the
/// epoch before. Returns the history. Throws ConfigError for an impossible recipe or run, also when
/// what is to be resumed was made with another recipe (`epochs`, `lr`, `clip`, `clip_value` and
/// `on_divergence` may change) or text, or has lost its checkpoint; and what reading text, training
/// and writing files throw.
RNN_API History train_language_model(const LanguageModelRecipe& recipe,
                                     const LanguageModelRun& run);

}  // namespace rnn
