#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/text/corpus.h"
#include "rnn/text/lane_dataset.h"
#include "rnn/version.h"
#include "tasks/language_model_impl.h"
#include "tasks/language_model_recipe.h"
#include "tasks/model_directory.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;

/// A folder on the disk where the model will be, that exists already: for the token file.
std::string existing_folder(const std::string& directory) {
  fs::path folder = fs::absolute(directory);
  while (!fs::is_directory(folder) && folder.has_relative_path()) folder = folder.parent_path();
  return folder.string();
}

/// Training and validation text as numbers.
struct Texts {
  Vocabulary vocabulary;
  TokenFile train_file;
  std::optional<TokenFile> valid_file;
  std::span<const std::int32_t> train, valid;
};

Texts read_texts(const LanguageModelRecipe& recipe, const LanguageModelRun& run,
                 const Tokenizer& tokenizer, const std::string& folder) {
  if (run.train.empty()) throw ConfigError("train: expected at least one text file");
  const CorpusOptions corpus{
      .policy = {.replace_invalid = recipe.replace_invalid, .any_bytes = tokenizer.any_bytes()},
      .directory = folder};
  Vocabulary vocabulary =
      run.init_from.empty()
          ? count_symbols(run.train, tokenizer, corpus)
                .build({.minimum_count = recipe.min_count, .maximum_size = recipe.max_vocabulary})
          : Vocabulary::load(run.init_from + "/vocabulary.txt");
  TokenFile train = TokenFile::build(run.train, tokenizer, vocabulary, corpus);
  Texts texts{std::move(vocabulary), std::move(train), std::nullopt, {}, {}};
  texts.train = texts.train_file.ids();
  if (!run.valid.empty()) {
    const std::string paths[] = {run.valid};
    texts.valid_file = TokenFile::build(paths, tokenizer, texts.vocabulary, corpus);
    texts.valid = texts.valid_file->ids();
  } else {
    // The last tenth, from the beginning of a sentence on.
    std::size_t cut = texts.train.size() - texts.train.size() / 10;
    while (cut < texts.train.size() && texts.train[cut - 1] != texts.vocabulary.end_id()) ++cut;
    texts.valid = texts.train.subspan(cut);
    texts.train = texts.train.first(cut);
  }
  if (static_cast<std::int64_t>(texts.valid.size()) < recipe.bptt) {
    throw TextError(
        (run.valid.empty() ? std::string("the last tenth of the training text") : run.valid) +
        ": validation needs at least one window of " + std::to_string(recipe.bptt) +
        " tokens, got " + std::to_string(texts.valid.size()) +
        "; give a longer text or a smaller --bptt");
  }
  return texts;
}

Json recipe_json(const LanguageModelRecipe& recipe) {
  Json json;
  JsonWriter writer(json);
  LanguageModelRecipe copy = recipe;
  copy.exchange(writer);
  return json;
}

/// A checkpoint belongs to the recipe it was made with; only the number of epochs may grow.
void require_same_recipe(const Json& now, const ModelDirectory& directory) {
  const std::string where = directory.file("checkpoint/recipe.json");
  const Json before = parse_json(read_file(where, std::size_t{1} << 24), where);
  for (const auto& item : now.items()) {
    const auto found = before.find(item.key());
    if (item.key() == "epochs" || (found != before.end() && *found == item.value())) continue;
    std::string option = item.key();
    std::replace(option.begin(), option.end(), '_', '-');
    throw ConfigError("resume: the checkpoint was made with --" + option + " " +
                      (found == before.end() ? "unset" : found->dump()) + ", now it is " +
                      item.value().dump() + "; give the same recipe, or --overwrite to begin anew");
  }
}

/// Writes the files of the model directory.
class Saver {
 public:
  Saver(ModelDirectory directory, const LanguageModelRecipe& recipe, const Texts& texts)
      : directory_(std::move(directory)), recipe_(recipe), texts_(texts) {}

  /// The model as it is now, whose record is the last of the history (none: not yet validated).
  void model(const Model& model, const EpochRecord* record) const {
    save_safetensors(directory_.file("model.safetensors"), model.parameters());
    texts_.vocabulary.save(directory_.file("vocabulary.txt"));
    Json config = {{"format", kModelFormat},
                   {"task", "language-model"},
                   {"rnn_version", kVersion},
                   {"tokenizer",
                    {{"unit", recipe_.unit},
                     {"locale", recipe_.locale},
                     {"replace_invalid", recipe_.replace_invalid}}},
                   {"vocabulary_size", texts_.vocabulary.size()},
                   {"network", parse_json(network_to_json(model.network()), "network")},
                   {"recipe", recipe_json(recipe_)}};
    if (record) {
      config["training"] = {{"epoch", record->epoch},
                            {"steps", record->steps},
                            {"train", to_json(record->train)},
                            {"validation", to_json(record->validation.value_or(LossSum{}))}};
    }
    write_file(directory_.file("config.json"), config.dump(2) + "\n");
  }
  void history(const History& history) const {
    write_file(directory_.file("history.csv"), history.to_csv());
    directory_.seal();
  }
  void checkpoint(const Model& model) const {
    write_file(directory_.file("checkpoint/recipe.json"), recipe_json(recipe_).dump(2) + "\n");
    model.save_checkpoint(directory_.checkpoint());
  }

 private:
  ModelDirectory directory_;
  const LanguageModelRecipe& recipe_;
  const Texts& texts_;
};

/// After each epoch: the model if it is the best so far, the history, the checkpoint, in this
/// order, so that a training killed in between repeats the epoch and writes the same files.
class SaveEachEpoch : public Callback {
 public:
  explicit SaveEachEpoch(const Saver& saver) : saver_(saver) {}
  void on_epoch_end(Model& model, const History& history) override {
    if (history.best() == &history.epochs.back()) saver_.model(model, history.best());
    saver_.history(history);
    saver_.checkpoint(model);
  }
  void on_train_end(Model& model, const History& history) override {
    if (model.stopped().empty()) return;
    if (history.epochs.empty()) {  // stopped before its first validation: better than nothing
      saver_.model(model, nullptr);
      saver_.history(history);
    }
    saver_.checkpoint(model);
  }

 private:
  const Saver& saver_;
};

std::string count_text(const TokenFile& file, std::span<const std::int32_t> part) {
  std::string text = std::to_string(part.size()) + " tokens";
  if (file.unknown() > 0) text += ", " + std::to_string(file.unknown()) + " unknown in the file";
  return text;
}

}  // namespace

History train_language_model(const LanguageModelRecipe& recipe, const LanguageModelRun& run) {
  validate(recipe);
  const auto log = [&](const std::string& line) {
    if (run.log) run.log(line);
  };
  const ModelDirectory directory(run.directory);
  if (run.directory.empty()) throw ConfigError("model: expected a directory");
  if (run.overwrite && run.resume) throw ConfigError("overwrite and resume exclude each other");
  if (directory.occupied() && !run.overwrite && !run.resume) {
    throw ConfigError(run.directory +
                      ": is there already; --overwrite replaces it, --resume goes on with it");
  }
  const auto tokenizer = make_tokenizer({.unit = recipe.unit, .locale = recipe.locale});
  const Texts texts = read_texts(recipe, run, *tokenizer, existing_folder(run.directory));
  log("train: " + count_text(texts.train_file, texts.train) +
      "; vocabulary: " + std::to_string(texts.vocabulary.size()) + " types");
  log("valid: " + count_text(texts.valid_file ? *texts.valid_file : texts.train_file, texts.valid) +
      (run.valid.empty() ? " (no --valid given: the last tenth of the training text is held out)"
                         : ""));

  LaneDataset lanes(texts.train, texts.vocabulary.end_id(),
                    {.batch = recipe.batch,
                     .bptt = recipe.bptt,
                     .random_window = recipe.random_bptt,
                     .seed = static_cast<std::uint64_t>(recipe.seed)});
  LaneDataset valid(texts.valid, texts.vocabulary.end_id(),
                    {.batch = 1, .bptt = kEvaluationWindow});
  Model model(language_model_network(recipe, texts.vocabulary.size()));
  model.compile({.optimizer = optimizer_of(recipe),
                 .schedule = recipe.schedule,
                 .clip_norm = recipe.clip,
                 .clip_value = recipe.clip_value,
                 .seed = static_cast<std::uint64_t>(recipe.seed),
                 .backend = run.backend});
  if (!run.init_from.empty()) {
    const ModelDirectory first(run.init_from);
    first.verify();
    const std::string weights = first.file("model.safetensors");
    model.set_parameters(load_safetensors(weights).tensors, weights);
  }

  directory.create();
  const bool resumes = run.resume && fs::exists(directory.checkpoint());
  if (resumes) {
    require_same_recipe(recipe_json(recipe), directory);
    model.load_checkpoint(directory.checkpoint());
    log("resuming after " + std::to_string(model.history().epochs.size()) + " epochs");
  } else {
    if (run.resume) log("no checkpoint yet: starting from the beginning");
    std::error_code ignored;
    fs::remove(directory.checkpoint(), ignored);  // of a model that is being replaced
  }
  log(model.summary() + "training takes " +
      model.plan_training(recipe.bptt, recipe.batch).to_string() + "\n");
  if (run.initial_evaluation && !resumes) {
    const LossSum before = model.evaluate(valid, StatePolicy::kCarry);
    log("before training: valid loss " + to_fixed(before.mean(), 4) + "  ppl " +
        to_fixed(perplexity(before), 2));
  }

  const Saver saver(directory, recipe, texts);
  SaveEachEpoch save(saver);
  std::vector<Callback*> callbacks{&save};
  std::optional<EarlyStopping> early;
  if (recipe.early_stopping >= 0) {
    early.emplace(EarlyStoppingOptions{.patience = recipe.early_stopping});
    callbacks.push_back(&*early);
  }
  std::optional<TimeLimit> limit;
  if (run.max_time > 0) {
    limit.emplace(run.max_time);
    callbacks.push_back(&*limit);
  }
  callbacks.insert(callbacks.end(), run.callbacks.begin(), run.callbacks.end());
  const History history = model.fit(lanes, {.epochs = recipe.epochs,
                                            .validation = &valid,
                                            .state = StatePolicy::kCarry,
                                            .callbacks = callbacks});
  if (!model.stopped().empty()) {
    log("stopped: " + model.stopped());
  }
  if (const EpochRecord* best = history.best()) {
    log("saved " + run.directory + ": epoch " + std::to_string(best->epoch) + ", valid loss " +
        to_fixed(best->validation->mean(), 4) + "  ppl " +
        to_fixed(perplexity(*best->validation), 2));
  } else {
    log("saved " + run.directory + " before its first validation");
  }
  return history;
}

}  // namespace rnn
