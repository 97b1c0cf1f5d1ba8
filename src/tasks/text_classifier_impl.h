#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "rnn/tasks/text_classifier.h"
#include "tasks/labelled_texts.h"
#include "tasks/model_directory.h"
#include "tasks/side_by_side.h"
#include "tasks/text_encoder.h"

namespace rnn {

/// Inferences that wait to be used: making one and growing its memory costs more than labelling a
/// short text, and one is for one thread at a time.
class InferencePool {
 public:
  /// Network and parameters must live as long.
  InferencePool(const Network& network, const Parameters& parameters,
                std::shared_ptr<const Backend> backend)
      : network_(network), parameters_(parameters), backend_(std::move(backend)) {}

  State zero_state(const Batch& batch) const { return network_.zero_state(batch.batch, *backend_); }
  /// Calls `work(inference, batch, number)` for every batch of the first epoch of a source that
  /// knows how many it has, as `side_by_side` does and from several threads at once. Throws what
  /// the first batch to fail threw.
  template <class Work>
  void run(BatchSource& source, const Work& work);

 private:
  static constexpr std::size_t kKept = 8;

  std::unique_ptr<Inference> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        std::unique_ptr<Inference> taken = std::move(free_.back());
        free_.pop_back();
        return taken;
      }
    }
    return std::make_unique<Inference>(network_, parameters_, backend_);
  }
  /// As many are kept as were ever used at once, up to a few.
  void give_back(std::unique_ptr<Inference> inference) {
    const std::lock_guard lock(mutex_);
    if (free_.size() < kKept) free_.push_back(std::move(inference));
  }

  const Network& network_;
  const Parameters& parameters_;
  std::shared_ptr<const Backend> backend_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Inference>> free_{};
};

template <class Work>
void InferencePool::run(BatchSource& source, const Work& work) {
  struct Worker {
    std::unique_ptr<Inference> inference{};
    Batch batch{};
  };
  std::vector<Worker> workers(static_cast<std::size_t>(backend_->threads()));
  std::mutex reading;
  side_by_side(*backend_, *source.batches_per_epoch(), [&](int number_of, std::int64_t number) {
    Worker& worker = workers[static_cast<std::size_t>(number_of)];
    if (!worker.inference) worker.inference = take();
    {
      const std::lock_guard lock(reading);
      source.seek({0, number});
      source.next(worker.batch);
    }
    work(*worker.inference, worker.batch, number);
  });
  for (Worker& worker : workers) {
    if (worker.inference) give_back(std::move(worker.inference));
  }
}

struct TextClassifier::Impl {
  TextClassifierRecipe recipe;
  TextEncoder encoder;
  Vocabulary vocabulary;
  std::vector<std::string> labels;
  Network network;
  Parameters parameters;
  std::shared_ptr<const Backend> backend;
  InferencePool inferences{network, parameters, backend};
};

/// Sequences of a batch in evaluation and prediction. No result depends on them, but memory does:
/// each thread has a batch of its own.
inline constexpr BucketDatasetOptions kEvaluationBatches{.batch = 32, .maximum_steps = 8192};

/// Those of the probabilities that are chosen, ascending.
std::vector<std::int32_t> chosen_labels(std::span<const float> probabilities, bool multi_label);

/// Loss and answers over the first epoch of a source.
ClassificationReport report_on(InferencePool& inferences, ClassifierBatches& batches,
                               const EncodedTexts& texts, std::span<const std::string> labels,
                               bool multi_label);

/// Why a network is no classifier of texts with such a vocabulary and so many labels; empty when it
/// is one.
std::string classifier_misfit(const Network& network, Index vocabulary, Index labels,
                              bool multi_label);

/// Throws ConfigError unless there are poolings, and such as can stand side by side.
void require_poolings(const TextClassifierRecipe& recipe);

/// What config.json says of a model, whether it was trained from files or saved from memory.
Json classifier_config(const TextClassifierRecipe& recipe, const Network& network,
                       const Vocabulary& vocabulary, std::span<const std::string> labels);
/// The files that say what its inputs and outputs mean.
void write_classifier_texts(ModelUpdate& update, const TextEncoder& encoder,
                            const Vocabulary& vocabulary, std::span<const std::string> labels);

/// What training needs of labelled texts.
struct ClassifierTexts {
  TextEncoder encoder;
  std::vector<std::string> labels;
  Vocabulary vocabulary;
  EncodedTexts train;
  EncodedTexts valid;  ///< none when nothing is held out

  std::string fingerprint() const;
};

/// Counts the vocabulary, unless one is `given`, and turns texts into numbers. `valid` may be null.
/// Throws TextError.
ClassifierTexts encode_for_training(const TextClassifierRecipe& recipe,
                                    const std::string& tokenizer_model, const SelectedTexts& train,
                                    const SelectedTexts* valid, const Vocabulary* given,
                                    const Storage& storage);

/// The model to train on them, compiled, and its batches.
Model classifier_model(const TextClassifierRecipe& recipe, const ClassifierTexts& texts,
                       const BackendOptions& backend);
std::unique_ptr<BatchSource> training_batches(const TextClassifierRecipe& recipe,
                                              const ClassifierTexts& texts, const Model& model);

}  // namespace rnn
