// TextClassifier: what a program embeds to label texts, and how it is trained.
//
//   const rnn::TextClassifier model = rnn::TextClassifier::load("model");
//   const rnn::Classification answer = model.predict("The soup was cold.");
//   use(model.labels()[answer.label], answer.probabilities[answer.label]);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/model.h"
#include "rnn/tasks/classification_report.h"
#include "rnn/tasks/explanation.h"
#include "rnn/tasks/text_classifier_recipe.h"
#include "rnn/text/vocabulary.h"

namespace rnn {

/// One training run.
struct TextClassifierRun {
  std::vector<std::string> train{};  ///< labelled texts, as the recipe says they are written
  std::string valid{};               ///< empty: see TextClassifierRecipe::holdout
  std::string directory{};           ///< the model directory to be written
  std::string tokenizer_model{};     ///< of the unit sentencepiece; empty: that of `init_from`
  std::string init_from{};           ///< a language model whose vocabulary and encoder are taken
  std::string vectors{};             ///< word vectors to start from, see load_vectors
  bool overwrite = false;            ///< replace a model that is there
  bool resume = false;  ///< go on from its checkpoint; from the beginning if there is none yet
  CheckpointTimes checkpoint{};  ///< how often one is written
  /// Seconds after which training stops and can be resumed; 0: no limit. See TimeLimit for what
  /// they count.
  double max_time = 0;
  BackendOptions backend{};  ///< its precision is the recipe's, whatever stands here
  std::vector<Callback*> callbacks{};
  std::function<void(const std::string&)> log{};  ///< what a person wants to know, line by line
};

/// What a model thinks of a text.
struct Classification {
  std::vector<float> probabilities{};  ///< of each label; they sum to 1 unless multi-label
  std::int32_t label = 0;              ///< the likeliest; the first of equals
};

/// A trained model. Immutable: one may be used from many threads at once.
class RNN_API TextClassifier {
 public:
  /// Reads a model directory. Throws IoError or FormatError, naming the file, when one is missing,
  /// damaged, altered (SHA256SUMS) or does not fit the others.
  static TextClassifier load(const std::string& directory, const BackendOptions& backend = {});
  /// Trains on texts in memory, with the recipe's epochs and nothing held out. `train` has labels
  /// as LabelledReader gives them. Throws as train_text_classifier does; ConfigError also for what
  /// needs texts to measure on or a language model to start from: `choose`, `early_stopping`,
  /// `unfreeze_epochs`, and the unit sentencepiece.
  static TextClassifier fit(std::span<const LabelledText> train, const TextClassifierRecipe& recipe,
                            const BackendOptions& backend = {});
  ~TextClassifier();
  TextClassifier(TextClassifier&&) noexcept;
  TextClassifier& operator=(TextClassifier&&) noexcept;

  /// Writes a model directory, which must be new or empty, for `load` and for the command line, in
  /// fp32; there is no checkpoint to resume from. Throws ConfigError when something is there,
  /// IoError.
  void save(const std::string& directory) const;

  /// A result depends on its text alone, not on what else is predicted with it or at the same time.
  /// Throws DivergenceError when the model's numbers are not finite.
  Classification predict(std::string_view text) const;
  std::vector<Classification> predict(std::span<const std::string> texts) const;
  /// Labels that a text is given: the likeliest or, multi-label, those of probability 0.5 and more.
  std::vector<std::int32_t> chosen(const Classification& answer) const;

  /// What each unit of the text contributes to the logit of a label. Throws ConfigError for a label
  /// that is not there, and where something else than an Embedding or NgramEmbedding reads the
  /// units.
  Explanation explain(std::string_view text, const ExplainOptions& options = {}) const;

  /// Compares with the labels of files. The same function validates in training. Throws TextError
  /// "file:line: ..." for a label that the model does not have.
  ClassificationReport evaluate(std::span<const std::string> paths) const;
  /// The same for files that are written in another way than the recipe's.
  ClassificationReport evaluate(std::span<const std::string> paths,
                                const LabelledOptions& reader) const;

  const std::vector<std::string>& labels() const;
  bool multi_label() const;
  const TextClassifierRecipe& recipe() const;
  const Network& network() const;
  const Parameters& parameters() const;
  const Vocabulary& vocabulary() const;
  /// How text must be read for this model.
  TextPolicy text_policy() const;

 private:
  struct Impl;
  explicit TextClassifier(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Trains and writes the model directory: the best model by validation, and a checkpoint when
/// `checkpoint` says so and when a callback stops it. Nothing is written before the texts have been
/// read and found good. Returns the history. Throws ConfigError for an impossible recipe or run,
/// also when what is to be resumed was made with another recipe (`epochs`, `lr`, `clip`,
/// `clip_value` and `on_divergence` may change) or texts, or has lost its checkpoint; TextError
/// "file:line: ..." for texts that cannot be learned from: one label only, a label that is met in
/// validation alone; and what reading text, training and writing files throw.
RNN_API History train_text_classifier(const TextClassifierRecipe& recipe,
                                      const TextClassifierRun& run);

}  // namespace rnn
