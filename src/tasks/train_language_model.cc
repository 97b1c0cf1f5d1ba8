#include <algorithm>
#include <memory>

#include "base/number.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/text/lane_dataset.h"
#include "rnn/text/sampled_lane_dataset.h"
#include "rnn/version.h"
#include "tasks/language_model_recipe.h"
#include "tasks/language_model_texts.h"
#include "tasks/optimization.h"
#include "tasks/training_run.h"

namespace rnn {
namespace {

Json config_of(const LanguageModelRecipe& recipe, const LanguageModelTexts& texts,
               const Model& model, const EpochRecord* record) {
  Json config = {{"format", kModelFormat}, {"task", "language-model"}, {"rnn_version", kVersion}};
  texts.pipeline.describe(config);
  config["vocabulary_size"] = texts.vocabulary.size();
  config["network"] = parse_json(network_to_json(model.network()), "network");
  config["recipe"] = recipe_json(recipe);
  if (record) {
    config["training"] = {{"epoch", record->epoch},
                          {"steps", record->steps},
                          {"train", to_json(record->train)},
                          {"validation", to_json(record->validation.value_or(LossSum{}))}};
  }
  return config;
}

/// The training text as batches.
std::unique_ptr<BatchSource> lanes_of(const LanguageModelRecipe& recipe,
                                      const LanguageModelRun& run,
                                      const LanguageModelTexts& texts) {
  const LaneDatasetOptions options{.batch = recipe.batch,
                                   .bptt = recipe.bptt,
                                   .random_window = recipe.random_bptt,
                                   .seed = static_cast<std::uint64_t>(recipe.seed)};
  const std::int32_t end = texts.vocabulary.end_id();
  if (recipe.sentencepiece_nbest == 1) {
    return std::make_unique<LaneDataset>(texts.train, end, options);
  }
  return std::make_unique<SampledLaneDataset>(
      run.train, std::dynamic_pointer_cast<const SentencePieceTokenizer>(texts.pipeline.tokenizer),
      SampledLaneOptions{.n_best = recipe.sentencepiece_nbest,
                         .alpha = recipe.sentencepiece_alpha,
                         .lines = std::count(texts.train.begin(), texts.train.end(), end),
                         .lanes = options,
                         .corpus = texts.corpus});
}

std::string result_text(const LossSum& valid, std::int64_t characters) {
  return "valid loss " + to_fixed(valid.mean(), 4) + "  ppl " + to_fixed(perplexity(valid), 2) +
         "  bits/char " + to_fixed(bits_per_character(valid, characters), 4);
}

/// Of the model to start from, which has the vocabulary that the texts were read with.
TensorList first_weights(const std::string& model, const Vocabulary& vocabulary) {
  return read_whole_model(model, [&](const ModelDirectory& directory) {
    const TextPipeline text =
        TextPipeline::load(directory, directory.read_config("language-model"));
    if (text.load_vocabulary(directory).fingerprint() != vocabulary.fingerprint()) {
      throw ConfigError("init-from: " + model +
                        ": a model with another vocabulary was put there meanwhile; try again");
    }
    return load_safetensors(directory.file("model.safetensors")).tensors;
  });
}

}  // namespace

History train_language_model(const LanguageModelRecipe& recipe, const LanguageModelRun& run) {
  LanguageModelRecipe checked = recipe;
  // A training that was begun when such options were passed over goes on with all of them.
  if (run.resume && ModelDirectory(run.directory).holds_model()) checked.network.clear();
  validate(checked);
  TrainingRun training({.directory = run.directory,
                        .overwrite = run.overwrite,
                        .resume = run.resume,
                        .max_time = run.max_time,
                        .checkpoint = run.checkpoint,
                        .early_stopping = recipe.early_stopping,
                        .callbacks = run.callbacks,
                        .log = run.log},
                       recipe_json(recipe));
  make_backend(backend_of(recipe, run.backend));  // a wrong name is told before a text is read
  const LanguageModelTexts texts = read_texts(recipe, run);
  training.log(texts.description());
  training.use_data(texts.fingerprint());

  const std::unique_ptr<BatchSource> lanes = lanes_of(recipe, run, texts);
  LaneDataset valid(texts.valid, texts.vocabulary.end_id(),
                    {.batch = 1, .bptt = kEvaluationWindow});
  Model model(language_model_network(recipe, texts.vocabulary.size()));
  model.compile(compile_options(recipe, run.backend));
  if (!run.init_from.empty()) {
    model.set_parameters(first_weights(run.init_from, texts.vocabulary),
                         ModelDirectory(run.init_from).place("model.safetensors"));
  }

  training.begin(model);
  // Random windows are rarely longer than by four deviations.
  model.plan_training(recipe.bptt + (recipe.random_bptt ? 20 : 0), recipe.batch);
  model.plan_training(kEvaluationWindow, 1);
  training.log(model.summary());
  if (run.initial_evaluation && !training.resumes()) {
    const LossSum before = model.evaluate(valid, StatePolicy::kCarry);
    training.log("before training: " + result_text(before, texts.valid_characters));
  }
  return training.fit(
      model, *lanes,
      {.epochs = recipe.epochs,
       .validation = &valid,
       .validation_characters = texts.valid_characters,
       .state = StatePolicy::kCarry,
       .steps_at_full_rate = recipe.random_bptt ? static_cast<double>(recipe.bptt) : 0},
      [&](ModelUpdate& update, const Model& now, const EpochRecord* record) {
        texts.pipeline.save(update, texts.vocabulary);
        return config_of(recipe, texts, now, record);
      },
      [&](const EpochRecord& record) {
        return result_text(*record.validation, texts.valid_characters);
      });
}

}  // namespace rnn
