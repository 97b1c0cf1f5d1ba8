#include "base/file.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "rnn/model_file.h"
#include "rnn/version.h"
#include "tasks/first_values.h"
#include "tasks/numbers_folder.h"
#include "tasks/optimization.h"
#include "tasks/read_ahead.h"
#include "tasks/tagger_evaluation.h"
#include "tasks/tagger_recipe.h"
#include "tasks/training_run.h"

namespace rnn {
namespace {

/// The training part and the one to validate on.
struct Parts {
  TaggedPart train, valid;
  bool held_out = false;  // valid is the end of what --train gave
};

Parts read_parts(const TaggerRecipe& recipe, const TaggerRun& run) {
  if (run.train.empty()) throw ConfigError("train: expected at least one file");
  const TagReaderOptions options{
      .field = recipe.field, .column = recipe.column, .word_column = recipe.word_column};
  const std::string directory = numbers_folder(run.directory);
  const TaggedPart all = read_tagged(run.train, options, directory);
  if (!run.valid.empty()) {
    return {all, read_tagged(std::span(&run.valid, 1), options, directory)};
  }
  const std::int64_t sentences = all.size();
  if (sentences < 10) {
    throw TextError(all.file_of(0) + ": " + std::to_string(sentences) +
                    " sentences are too few to hold a tenth of them out for validation; give more, "
                    "or a file with --valid");
  }
  const std::int64_t cut = sentences - sentences / 10;
  return {all.part(0, cut), all.part(cut, sentences), true};
}

std::string fingerprint_of(const Parts& parts) {
  Fingerprint print;
  for (const TaggedPart* part : {&parts.train, &parts.valid}) {
    print.add(static_cast<std::uint64_t>(part->size()));
    part->each([&](const TaggedSentence& sentence, std::int64_t) {
      print.add(sentence.words.size());
      for (const std::string& word : sentence.words) print.add(word);
      for (const std::string& tag : sentence.tags) print.add(tag);
    });
  }
  return print.text();
}

std::string description_of(const Parts& parts, const TaggerVocabulary& vocabulary,
                           const TaggerLabels& labels, const std::string& scheme,
                           const TaggerValidation& validation) {
  const auto sizes = [](const TaggedPart& part) {
    return std::to_string(part.size()) + " sentences, " + std::to_string(part.words()) + " words";
  };
  std::string text = "train: " + sizes(parts.train) +
                     "; vocabulary: " + std::to_string(vocabulary.words.size()) + " words, " +
                     std::to_string(vocabulary.characters.size()) + " characters; " +
                     std::to_string(labels.size()) + " labels" +
                     (labels.entities() ? " of entities, " + scheme + " in the files" : "") +
                     "\nvalid: " + sizes(parts.valid);
  if (parts.held_out) text += ", the last tenth of --train";
  if (validation.unseen_tags() > 0) {
    text += "\n" + std::to_string(validation.unseen_tags()) +
            " words of the validation part have a tag, or an entity in their sentence, that "
            "training has not seen; such tags count as wrong and are left out of the loss";
  }
  return text;
}

std::string labels_text(const TaggerLabels& labels) {
  std::string text;
  for (const std::string& name : labels.names()) text += name + "\n";
  return text;
}

Json config_of(const TaggerRecipe& recipe, const std::string& scheme, const Model& model,
               const EpochRecord* record, bool entities) {
  Json config = {{"format", kModelFormat},
                 {"task", "tagger"},
                 {"rnn_version", kVersion},
                 {"tags",
                  {{"field", recipe.field},
                   {"column", recipe.column},
                   {"word_column", recipe.word_column},
                   {"scheme", scheme},
                   {"training_scheme", recipe.training_scheme}}},
                 {"words", {{"lowercase", recipe.lowercase}, {"fold_digits", recipe.fold_digits}}},
                 {"network", parse_json(network_to_json(model.network()), "network")},
                 {"recipe", recipe_json(recipe)}};
  if (record) {
    config["training"] = {{"epoch", record->epoch},
                          {"steps", record->steps},
                          {"train_nats_per_word", record->train.mean()},
                          {"valid_nats_per_word", record->validation.value_or(LossSum{}).mean()},
                          {entities ? "valid_f1" : "valid_accuracy", record->metric.value_or(0)}};
  }
  return config;
}

}  // namespace

History train_tagger(const TaggerRecipe& recipe, const TaggerRun& run) {
  validate(recipe);
  TrainingRun training({.directory = run.directory,
                        .overwrite = run.overwrite,
                        .resume = run.resume,
                        .max_time = run.max_time,
                        .checkpoint = run.checkpoint,
                        .early_stopping = recipe.early_stopping,
                        .callbacks = run.callbacks,
                        .log = run.log},
                       recipe_json(recipe));
  make_backend(backend_of(recipe, run.backend));  // a wrong name is told before files are read
  const Parts parts = read_parts(recipe, run);
  const std::string scheme = recipe.scheme == "auto" ? detect_scheme(parts.train) : recipe.scheme;
  const TaggerLabels labels = TaggerLabels::of(parts.train, scheme, recipe.training_scheme);
  const auto vocabulary =
      TaggerVocabulary::of(parts.train, {.lowercase = recipe.lowercase,
                                         .fold_digits = recipe.fold_digits,
                                         .min_count = recipe.min_count,
                                         .char_min_count = recipe.char_min_count});
  const std::string directory = numbers_folder(run.directory);
  TaggerSentences sentences(vocabulary, directory);
  parts.train.each([&](const TaggedSentence& sentence, std::int64_t i) {
    sentences.add(sentence.words, labels.labels_of(sentence, parts.train.file_of(i)));
  });
  const TaggerValidation validation(parts.valid, vocabulary, labels, directory);
  training.log(description_of(parts, vocabulary, labels, scheme, validation));
  training.use_data(fingerprint_of(parts));

  const auto seed = static_cast<std::uint64_t>(recipe.seed);
  const Network network = tagger_network(recipe, vocabulary, labels);
  const TaggerInputs inputs = TaggerInputs::of(network);
  TaggerDataset valid = validation.batches(inputs);
  Model model(network);
  model.compile(compile_options(recipe, run.backend));
  const std::unique_ptr<BatchSource> batches = read_ahead(
      std::make_unique<TaggerDataset>(
          sentences, vocabulary,
          TaggerDatasetOptions{.batches = {.batch = recipe.batch, .shuffle = true, .seed = seed},
                               .word_dropout = recipe.word_dropout,
                               .singleton_dropout = recipe.singleton_dropout,
                               .inputs = inputs}),
      model.backend()->threads());
  if (!run.vectors.empty()) {
    TensorList values = model.parameters();
    training.log(take_vectors(values, std::string(kWordEmbedding) + "/embeddings", run.vectors,
                              vocabulary.words));
    model.set_parameters(values);
  }
  training.begin(model);
  model.plan_training(*batches);
  training.log(model.summary());
  return training.fit(
      model, *batches,
      {.epochs = recipe.epochs,
       .validation = &valid,
       .metric =
           [&](const Model& now) {
             TagWorkers workers(now.network(), now.parameters(), now.backend(), labels.allowed());
             return validation.evaluate(workers).quality();
           }},
      [&](ModelUpdate& update, const Model& now, const EpochRecord* record) {
        vocabulary.words.save(update.file("vocabulary.txt"));
        vocabulary.characters.save(update.file("characters.txt"));
        write_file(update.file("labels.txt"), labels_text(labels));
        return config_of(recipe, scheme, now, record, labels.entities());
      },
      [&](const EpochRecord& record) {
        return std::string(labels.entities() ? "valid F1 " : "valid accuracy ") +
               to_fixed(100 * record.metric.value_or(0), 2) + " %, loss " +
               to_fixed(record.validation->mean(), 4);
      });
}

}  // namespace rnn
