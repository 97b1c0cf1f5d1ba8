// TextClassifierRecipe: everything that decides what a text classifier learns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rnn/kernels.h"
#include "rnn/model.h"
#include "rnn/text/labelled_reader.h"

namespace rnn {

/// What a model directory records. What only decides how a run goes (threads, time, where files
/// are) stands in TextClassifierRun.
struct RNN_API TextClassifierRecipe {
  // How files are read: see LabelledOptions. `eval` reads them the same way unless told otherwise.
  std::string format = "tab";
  bool header = false;
  std::int64_t label_column = 1;
  std::string text_columns{};  ///< numbers with commas between; empty: all other columns
  std::string label_field = "label";
  std::string text_field = "text";
  std::string label_prefix = "__label__";
  bool replace_invalid = false;  ///< invalid UTF-8 becomes U+FFFD instead of an error

  // What the network sees of a text.
  std::string unit = "icu-word";  ///< see TokenizerOptions
  std::string locale{};
  std::string pattern{};
  std::string form{};  ///< normalization form, see NormalizerOptions
  bool lowercase = true;
  std::int64_t min_count = 1;       ///< units seen less often are unknown
  std::int64_t max_vocabulary = 0;  ///< 0: no limit
  /// Of a longer text the first and the last half of so many units are read.
  std::int64_t max_units = 2048;

  bool multi_label = false;  ///< any number of labels a text, each decided for itself
  /// Share of the training texts that is held out where there is no file to validate on: the last
  /// ones of each label; a text with several counts for its first, and is kept where one of them
  /// stands in no other text that is kept. 0: none, and the model of the last epoch is kept.
  float holdout = 0.1f;

  // The network: see text_classifier_network.
  std::string arch = "bilstm";
  Index embedding = 64;
  Index ngrams = 2;
  Index buckets = 65536;
  Index hidden = 64;
  int layers = 1;
  Index filters = 64;
  Index kernel_size = 3;
  std::string kernel_sizes = "3,4,5";  ///< of cnn, with commas between
  Index strides = 1;
  /// What is made of all steps, side by side where there are several: such as max, mean and last
  /// (Howard and Ruder 2018); with bilstm and bigru kLast stands alone.
  std::vector<Pooling> pooling = {Pooling::kMax};
  bool skip = false;  ///< the mean of the words' vectors goes to the head beside the rest
  float dropout_embedding = 0.3f;
  bool dropout_shared = true;  ///< one mask for a whole text after the embedding
  float dropout = 0.3f;        ///< between layers and before the head
  float word_dropout = 0;
  float label_smoothing = 0;
  /// Above 0: beside the rest stands the evidence of the text's distinct units and n-grams, for
  /// each label the sum of their log-count ratios in the training texts times weights that learn
  /// and begin with this (NBSVM; Wang and Manning 2012). Near 0.05, as ratios of one text add up.
  float naive_bayes = 0;
  Index naive_bayes_ngrams = 3;
  /// Where units are characters, n-grams of up to so many words are evidence beside theirs; 0:
  /// none.
  Index naive_bayes_words = 0;
  Index naive_bayes_buckets = 1 << 20;
  std::int64_t naive_bayes_min_count = 2;  ///< what fewer texts have is no evidence
  /// Share of the texts without their evidence in training. The ratios were counted in these very
  /// texts and tell their labels all too well: else the rest would have nothing left to learn.
  /// `word_dropout` leaves units out here too. Both are drawn by themselves for characters and for
  /// words.
  float naive_bayes_dropout = 0.5f;
  std::string network{};  ///< a network as JSON in place of all that describes one above

  /// Factors of the texts' weights in training, by their label: "balanced" (inversely to how often
  /// it is met, N / (K * n_k)), or such as "praise=2 complaint=0.5", where others have 1; a space
  /// in a label is written \s, as in vocabulary.txt.
  std::string class_weights{};
  /// By which measure on what is held out the best epoch is chosen: loss, accuracy or macro-f1.
  std::string choose = "loss";
  /// With a language model to start from: its layers stand still at first, and after so many epochs
  /// each the next from above begins to learn, its embedding last; 0: all from the start. (Howard
  /// and Ruder 2018)
  std::int64_t unfreeze_epochs = 0;

  std::int64_t epochs = 10;
  std::int64_t batch = 32;           ///< texts
  std::int64_t batch_units = 32768;  ///< units of a batch at most, padding included; 0: no limit
  /// Texts of so many batches are sorted by length together, so that little is padding; 1: batches
  /// are drawn from all texts.
  std::int64_t bucket_batches = 64;
  std::string optimizer = "adam";  ///< sgd, momentum, rmsprop, adam or adamw
  float lr = 0.002f;
  /// Of adam, adamw and rmsprop. Gradients of rows of the embedding are small, by the length of the
  /// texts; an epsilon above them (near 1e-4) makes steps of rare n-grams small too, as those of
  /// plain gradient descent are, where one near 0 makes them as large as any.
  float epsilon = 1e-8f;
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
  Precision precision = Precision::kFp32;  ///< of products in training: fp32 or bf16

  void exchange(Fields& fields);
  LabelledOptions reader() const;
  /// The numbers of `kernel_sizes`. Throws ConfigError.
  std::vector<Index> convolution_widths() const;
};

/// Throws ConfigError, naming the option, unless the recipe is possible.
RNN_API void validate(const TextClassifierRecipe& recipe);

/// The network of a recipe. All begin with an NgramEmbedding and dropout and end with dropout and a
/// Softmax, or a Sigmoid where `multi_label`. Between them, by `arch`:
///
///   bag            PoolOverTime mean: the average of n-gram embeddings (Joulin et al. 2017)
///   lstm, gru      layers x LSTM or GRU, pooling
///   bilstm, bigru  layers x Bidirectional, pooling; last is the state after the last step beside
///                  that of the other direction after the first
///   cnn            a Conv1D with relu and pooling for each of `kernel_sizes` (Kim 2014)
///   clstm          Conv1D with relu, then as lstm (Zhou et al. 2015)
///   char-cnn-lstm  characters: two Conv1D with relu, the second with strides of at least 2, a
///                  Highway, then as lstm (Xiao and Cho 2016)
///
/// `skip` puts bag's average beside the others, `naive_bayes` the layer "evidence" and with
/// `naive_bayes_words` "word_evidence". The first layer is called "words".
/// Throws ConfigError when `network` is given and does not fit, and for poolings that cannot be.
RNN_API Network text_classifier_network(const TextClassifierRecipe& recipe, Index vocabulary,
                                        Index labels);

}  // namespace rnn
