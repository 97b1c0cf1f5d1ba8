#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/text/lane_dataset.h"
#include "rnn/version.h"
#include "tasks/language_model_recipe.h"
#include "tasks/language_model_texts.h"
#include "tasks/model_directory.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpointRecipe = "checkpoint/recipe.json";
constexpr std::size_t kJsonLimit = std::size_t{1} << 24;

Json recipe_json(const LanguageModelRecipe& recipe) {
  Json json;
  JsonWriter writer(json);
  LanguageModelRecipe copy = recipe;
  copy.exchange(writer);
  return json;
}

/// A checkpoint belongs to the recipe it was made with; only the number of epochs may grow. Without
/// a checkpoint the recipe of the model itself is looked at: a training that was killed between the
/// two begins anew and writes the same, another one must not replace it.
void require_same_recipe(const LanguageModelRecipe& recipe, const ModelDirectory& directory) {
  const std::string where =
      directory.file(fs::exists(directory.checkpoint()) ? kCheckpointRecipe : "config.json");
  const Json then = member<Json>(parse_json(read_file(where, kJsonLimit), where), "recipe", where);
  const Json now = recipe_json(recipe);
  for (const auto& item : now.items()) {
    const auto found = then.find(item.key());
    if (item.key() == "epochs" || (found != then.end() && *found == item.value())) continue;
    std::string option = item.key();
    std::replace(option.begin(), option.end(), '_', '-');
    throw ConfigError("resume: " + directory.path() + " was trained with --" + option + " " +
                      (found == then.end() ? "unset" : found->dump()) + ", now it is " +
                      item.value().dump() + "; give the same recipe, or --overwrite to begin anew");
  }
}

/// And to the text it was made with.
void require_same_text(const LanguageModelTexts& texts, const ModelDirectory& directory) {
  const std::string where = directory.file(kCheckpointRecipe);
  const Json then = parse_json(read_file(where, kJsonLimit), where);
  if (member<std::string>(then, "text", where) != texts.fingerprint()) {
    throw ConfigError("resume: " + directory.path() +
                      " was trained on another text or vocabulary; give the same --train, --valid "
                      "and --init-from, or --overwrite to begin anew");
  }
}

/// Writes the files of the model directory.
class Saver {
 public:
  Saver(const ModelDirectory& directory, const LanguageModelRecipe& recipe,
        const LanguageModelTexts& texts)
      : directory_(directory), recipe_(recipe), texts_(texts) {}

  /// The history; and the model as it is now where it is the best of it, or the first.
  void epoch(const Model& model, const History& history) const {
    const EpochRecord* best = history.best();
    ModelUpdate update(directory_);
    if (!best || best == &history.epochs.back()) {
      save_safetensors(update.file("model.safetensors"), model.parameters());
      texts_.vocabulary.save(update.file("vocabulary.txt"));
      write_file(update.file("config.json"), config(model, best).dump(2) + "\n");
    }
    write_file(update.file("history.csv"), history.to_csv());
    update.commit();
  }
  void checkpoint(const Model& model) const {
    const Json json = {{"recipe", recipe_json(recipe_)}, {"text", texts_.fingerprint()}};
    write_file(directory_.file(kCheckpointRecipe), json.dump(2) + "\n");
    model.save_checkpoint(directory_.checkpoint());
  }

 private:
  Json config(const Model& model, const EpochRecord* record) const {
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
    return config;
  }

  const ModelDirectory& directory_;
  const LanguageModelRecipe& recipe_;
  const LanguageModelTexts& texts_;
};

/// After each epoch the model, then the checkpoint, so that a training killed in between repeats
/// the epoch and writes the same files.
class SaveEachEpoch : public Callback {
 public:
  explicit SaveEachEpoch(const Saver& saver) : saver_(saver) {}
  void on_epoch_end(Model& model, const History& history) override {
    saver_.epoch(model, history);
    saver_.checkpoint(model);
  }
  void on_train_end(Model& model, const History& history) override {
    if (model.stopped().empty()) return;
    // Stopped before its first validation: a model as it is, better than nothing.
    if (history.epochs.empty()) saver_.epoch(model, history);
    saver_.checkpoint(model);
  }

 private:
  const Saver& saver_;
};

/// A new directory that training failed to put anything in must not stand in the way of the next
/// attempt.
class NewDirectory {
 public:
  explicit NewDirectory(const ModelDirectory& directory)
      : directory_(directory), existed_(fs::exists(directory.path())) {
    directory_.create();
  }
  ~NewDirectory() {
    if (!existed_) directory_.remove_if_empty();
  }
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

 private:
  const ModelDirectory& directory_;
  bool existed_;
};

std::string result_text(const EpochRecord& record) {
  return "epoch " + std::to_string(record.epoch) + ", valid loss " +
         to_fixed(record.validation->mean(), 4) + "  ppl " +
         to_fixed(perplexity(*record.validation), 2);
}

}  // namespace

History train_language_model(const LanguageModelRecipe& recipe, const LanguageModelRun& run) {
  validate(recipe);
  const auto log = [&](const std::string& line) {
    if (run.log) run.log(line);
  };
  if (run.directory.empty()) throw ConfigError("model: expected a directory");
  const ModelDirectory directory(run.directory);
  if (run.overwrite && run.resume) {
    throw ConfigError("--overwrite and --resume exclude each other; give one of them");
  }
  if (!(run.max_time >= 0)) {
    throw ConfigError("max-time: expected at least 0, got " + to_text(run.max_time));
  }
  directory.require_ours();
  if (directory.holds_model() && !run.overwrite && !run.resume) {
    throw ConfigError(run.directory +
                      ": there is a model already; --overwrite replaces it, --resume goes on with "
                      "its training");
  }
  if (run.resume && directory.holds_model()) require_same_recipe(recipe, directory);
  make_backend(run.backend);  // a wrong name is told before a large text is read
  const auto tokenizer = make_tokenizer({.unit = recipe.unit, .locale = recipe.locale});
  const LanguageModelTexts texts = read_texts(recipe, run, *tokenizer);
  log(texts.description());
  const bool resumes = run.resume && fs::exists(directory.checkpoint());
  if (resumes) require_same_text(texts, directory);

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

  const NewDirectory made(directory);
  if (resumes) {
    model.load_checkpoint(directory.checkpoint());
    const auto done = static_cast<std::int64_t>(model.history().epochs.size());
    log("resuming: " + std::to_string(done) + " of " + std::to_string(recipe.epochs) +
        " epochs are done");
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
  if (!model.stopped().empty()) log("stopped: " + model.stopped());
  const EpochRecord* best = history.best();
  log(run.directory + " has the model " +
      (best ? "of " + result_text(*best) : "as it is before its first validation"));
  return history;
}

}  // namespace rnn
