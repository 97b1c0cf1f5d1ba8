#include <algorithm>
#include <optional>

#include "base/number.h"
#include "rnn/error.h"
#include "tasks/first_values.h"
#include "tasks/naive_bayes.h"
#include "tasks/numbers_folder.h"
#include "tasks/optimization.h"
#include "tasks/read_ahead.h"
#include "tasks/text_classifier_impl.h"
#include "tasks/training_run.h"
#include "text/escape.h"

namespace rnn {
namespace {

std::string described(const char* what, const EncodedTexts& texts) {
  std::string text = std::string(what) + ": " + std::to_string(texts.size()) + " texts, " +
                     std::to_string(texts.units) + " units";
  if (texts.unknown > 0) text += ", " + std::to_string(texts.unknown) + " of them unknown";
  if (texts.empty > 0) text += "; " + std::to_string(texts.empty) + " texts have no unit";
  return text;
}

/// How many texts of each label, as a person wants to see before waiting for a training.
std::string counts_text(const ClassifierTexts& texts) {
  std::vector<std::int64_t> counts(texts.labels.size(), 0);
  for (std::int64_t i = 0; i < texts.train.size(); ++i) {
    for (std::int32_t label : texts.train.labels[i]) ++counts[static_cast<std::size_t>(label)];
  }
  std::string text = "labels:";
  for (std::size_t i = 0; i < counts.size() && i < 20; ++i) {
    text += " " + escape(texts.labels[i]) + " " + std::to_string(counts[i]);
  }
  return text + (counts.size() > 20 ? " ..." : "");
}

/// What the answers are worth after each epoch: the measure to choose by, and for the log.
class ReportEachEpoch {
 public:
  ReportEachEpoch(const ClassifierTexts& texts, const TextClassifierRecipe& recipe,
                  const TrainingRun& training)
      : texts_(texts),
        recipe_(recipe),
        training_(training),
        batches_(texts.valid, texts.labels.size(), recipe.multi_label, kEvaluationBatches) {}

  double operator()(const Model& model) {
    // Averages take the place of the parameters once they begin.
    if (parameters_ != &model.parameters()) {
      parameters_ = &model.parameters();
      inferences_.emplace(model.network(), *parameters_, model.backend());
    }
    const ClassificationReport report =
        report_on(*inferences_, batches_, texts_.valid, texts_.labels, recipe_.multi_label);
    training_.log("         valid accuracy " + to_fixed(report.accuracy(), 4) + "  macro F1 " +
                  to_fixed(report.macro_f1(), 4));
    return recipe_.choose == "accuracy" ? report.accuracy() : report.macro_f1();
  }

 private:
  const ClassifierTexts& texts_;
  const TextClassifierRecipe& recipe_;
  const TrainingRun& training_;
  ClassifierBatches batches_;
  const Parameters* parameters_ = nullptr;
  std::optional<InferencePool> inferences_{};
};

std::string result_text(const EpochRecord& record) {
  return record.validation ? "valid loss " + to_fixed(record.validation->mean(), 4)
                           : "train loss " + to_fixed(record.train.mean(), 4);
}

}  // namespace

std::string ClassifierTexts::fingerprint() const {
  Fingerprint all;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) all.add(vocabulary.symbol(id));
  for (const std::string& label : labels) all.add(label);
  for (const EncodedTexts* texts : {&train, &valid}) {
    for (std::int64_t i = 0; i < texts->size(); ++i) {
      all.add(texts->labels[i]);
      const std::int64_t length = texts->sequences.length(i);
      all.add(static_cast<std::uint64_t>(length));
      for (std::int64_t t = 0; t < length; ++t) {
        all.add(static_cast<std::uint64_t>(texts->sequences.id(i, t)));
      }
    }
  }
  return all.text();
}

ClassifierTexts encode_for_training(const TextClassifierRecipe& recipe,
                                    const std::string& tokenizer_model, const SelectedTexts& train,
                                    const SelectedTexts* valid, const Vocabulary* given,
                                    const Storage& storage) {
  TextEncoder encoder(recipe, tokenizer_model);
  std::vector<std::string> labels = labels_of(train, recipe.multi_label);
  const auto vocabulary_of = [&] {
    if (given) return *given;
    if (const auto own = encoder.tokenizer().vocabulary()) return *own;
    VocabularyBuilder builder;
    train.each([&](std::int64_t i) { encoder.count(train.source().text(i), builder); });
    return builder.build(
        {.minimum_count = recipe.min_count, .maximum_size = recipe.max_vocabulary});
  };
  Vocabulary vocabulary = vocabulary_of();
  const auto encoded = [&](const SelectedTexts& texts) {
    return encode_texts(texts, encoder, vocabulary, labels, recipe.multi_label, storage);
  };
  EncodedTexts train_texts = encoded(train);
  EncodedTexts valid_texts = valid ? encoded(*valid) : EncodedTexts();
  return {std::move(encoder), std::move(labels), std::move(vocabulary), std::move(train_texts),
          std::move(valid_texts)};
}

namespace {

/// Reads all texts, and turns them into numbers.
ClassifierTexts read_for_training(const TextClassifierRecipe& recipe, const TextClassifierRun& run,
                                  const std::string& tokenizer_model, const Vocabulary* given,
                                  const TrainingRun& training) {
  const std::string directory = numbers_folder(run.directory);
  const SourceTexts texts = read_labelled(run.train, recipe.reader(), directory);
  std::optional<SourceTexts> valid_texts;
  std::vector<bool> held(static_cast<std::size_t>(texts.size()));
  if (!run.valid.empty()) {
    valid_texts.emplace(read_labelled(std::span(&run.valid, 1), recipe.reader(), directory));
  } else if (recipe.holdout > 0) {
    held = hold_out(texts, recipe.holdout);
    training.log("no --valid given: the last " +
                 to_significant(100 * static_cast<double>(recipe.holdout), 4) +
                 " % of the texts of each label are held out" +
                 (recipe.multi_label
                      ? " (each counts for its first label, and is kept where no other kept text "
                        "has one of its labels)"
                      : ""));
  }
  const SelectedTexts train(texts, held, true);
  const SelectedTexts valid =
      valid_texts ? SelectedTexts(*valid_texts) : SelectedTexts(texts, held, false);
  return encode_for_training(recipe, tokenizer_model, train, &valid, given, directory);
}

}  // namespace

std::unique_ptr<BatchSource> training_batches(const TextClassifierRecipe& recipe,
                                              const ClassifierTexts& texts, const Model& model) {
  const BucketDatasetOptions options{.batch = recipe.batch,
                                     .maximum_steps = recipe.batch_units,
                                     .shuffle = true,
                                     .bucket_batches = recipe.bucket_batches,
                                     .seed = static_cast<std::uint64_t>(recipe.seed)};
  return read_ahead(std::make_unique<ClassifierBatches>(texts.train, texts.labels.size(),
                                                        recipe.multi_label, options),
                    model.backend()->threads());
}

Model classifier_model(const TextClassifierRecipe& recipe, const ClassifierTexts& texts,
                       const BackendOptions& backend) {
  Model model(text_classifier_network(recipe, texts.vocabulary.size(),
                                      static_cast<Index>(texts.labels.size())));
  CompileOptions options = compile_options(recipe, backend);
  std::visit(
      [&](auto& chosen) {
        if constexpr (requires { chosen.epsilon; }) chosen.epsilon = recipe.epsilon;
      },
      options.optimizer);
  model.compile(options);
  if (recipe.naive_bayes > 0) {
    TensorList values = model.parameters();
    set_word_symbols(values, texts.vocabulary);
    set_log_count_ratios(values, model.network(), texts.train, recipe.naive_bayes_min_count);
    model.set_parameters(values);
  }
  return model;
}

History train_text_classifier(const TextClassifierRecipe& recipe, const TextClassifierRun& run) {
  validate(recipe);
  TrainingRun training({.directory = run.directory,
                        .overwrite = run.overwrite,
                        .resume = run.resume,
                        .max_time = run.max_time,
                        .checkpoint = run.checkpoint,
                        .early_stopping = recipe.early_stopping,
                        .keep_last = run.valid.empty() && recipe.holdout == 0,
                        .callbacks = run.callbacks,
                        .log = run.log},
                       recipe_json(recipe));
  make_backend(backend_of(recipe, run.backend));  // a wrong name is told before texts are read
  if (!run.vectors.empty() && !run.init_from.empty()) {
    throw ConfigError("vectors and init-from exclude each other; give one of them");
  }
  if (recipe.unfreeze_epochs > 0 && run.init_from.empty()) {
    throw ConfigError("unfreeze-epochs: needs --init-from, whose layers it keeps still at first");
  }
  if (recipe.choose != "loss" && run.valid.empty() && recipe.holdout == 0) {
    throw ConfigError("choose: needs texts to measure on; give --valid or --holdout");
  }
  if (recipe.early_stopping >= 0 && run.valid.empty() && recipe.holdout == 0) {
    throw ConfigError("early-stopping: needs texts to measure on; give --valid or --holdout");
  }
  if (run.train.empty()) throw ConfigError("train: expected at least one file of labelled texts");
  std::optional<LanguageModel> start;
  std::string tokenizer_model = run.tokenizer_model;
  if (!run.init_from.empty()) {
    start.emplace(language_model_to_start_from(run.init_from, recipe, tokenizer_model));
    training.log("init-from: the vocabulary is that of " + run.init_from + ", " +
                 std::to_string(start->vocabulary().size()) +
                 " types; --min-count and --max-vocabulary do not act");
  }
  const ClassifierTexts texts = read_for_training(recipe, run, tokenizer_model,
                                                  start ? &start->vocabulary() : nullptr, training);
  training.log(described("train", texts.train) + "; vocabulary: " +
               std::to_string(texts.vocabulary.size()) + " types\n" + counts_text(texts));
  if (texts.valid.size() > 0) training.log(described("valid", texts.valid));
  if (texts.valid.size() == 0 && (recipe.choose != "loss" || recipe.early_stopping >= 0)) {
    throw ConfigError(
        "holdout: no label has a text to spare, so there is nothing to choose an epoch by; give "
        "more texts or --valid");
  }
  const std::vector<float> class_weights =
      class_weights_of(recipe.class_weights, texts.labels, texts.train);
  training.use_data(texts.fingerprint());

  Model model = classifier_model(recipe, texts, run.backend);
  const std::unique_ptr<BatchSource> batches = training_batches(recipe, texts, model);
  FitOptions options{.epochs = recipe.epochs};
  if (start || !run.vectors.empty()) {
    TensorList values = model.parameters();
    if (start) {
      options.frozen_epochs =
          gradual_unfreezing(take_encoder(values, *start, run.init_from), recipe.unfreeze_epochs);
      for (const auto& [name, epochs] : options.frozen_epochs) {
        if (epochs < recipe.epochs || recipe.unfreeze_epochs == 0) continue;
        training.log("unfreeze-epochs: " + name + " would learn after epoch " +
                     std::to_string(epochs) + " and stays as it is");
      }
    } else {
      training.log(take_vectors(values, kWordTable, run.vectors, texts.vocabulary));
    }
    model.set_parameters(values);
  }
  training.begin(model);
  model.plan_training(*batches);
  training.log(model.summary());

  options.class_weights = class_weights;
  std::optional<ClassifierBatches> valid_batches;
  std::optional<ReportEachEpoch> report;
  OnEpoch log_report([&](Model& now, const History&) { (*report)(now); });
  if (texts.valid.size() > 0) {
    valid_batches.emplace(texts.valid, texts.labels.size(), recipe.multi_label, kEvaluationBatches);
    options.validation = &*valid_batches;
    report.emplace(texts, recipe, training);
    if (recipe.choose == "loss") {
      options.callbacks.push_back(&log_report);
    } else {
      options.metric = std::ref(*report);
    }
  }
  return training.fit(
      model, *batches, options,
      [&](ModelUpdate& update, const Model& now, const EpochRecord* record) {
        write_classifier_texts(update, texts.encoder, texts.vocabulary, texts.labels);
        Json config = classifier_config(recipe, now.network(), texts.vocabulary, texts.labels);
        if (record) {
          config["training"] = {{"epoch", record->epoch},
                                {"steps", record->steps},
                                {"train_nats", record->train.mean()}};
          if (record->validation) {
            config["training"]["validation_nats"] = record->validation->mean();
          }
        }
        return config;
      },
      result_text);
}

}  // namespace rnn
