#include "tasks/training_run.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/model_file.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpointRecipe = "checkpoint/recipe.json";
constexpr std::size_t kJsonLimit = std::size_t{1} << 24;

}  // namespace

class TrainingRun::SaveEachEpoch : public Callback {
 public:
  SaveEachEpoch(const TrainingRun& run, const Save& save) : run_(run), save_(save) {}
  void on_epoch_end(Model& model, const History& history) override {
    run_.save_epoch(model, history, save_);
    run_.save_checkpoint(model);
  }
  void on_train_end(Model& model, const History& history) override {
    if (model.stopped().empty()) return;
    // Stopped before its first validation: a model as it is, better than nothing.
    if (history.epochs.empty()) run_.save_epoch(model, history, save_);
    run_.save_checkpoint(model);
  }

 private:
  const TrainingRun& run_;
  const Save& save_;
};

TrainingRun::TrainingRun(TrainingRunOptions options, Json recipe)
    : options_(std::move(options)), recipe_(std::move(recipe)), directory_(options_.directory) {
  if (options_.directory.empty()) throw ConfigError("model: expected a directory");
  if (options_.overwrite && options_.resume) {
    throw ConfigError("--overwrite and --resume exclude each other; give one of them");
  }
  if (!(options_.max_time >= 0)) {
    throw ConfigError("max-time: expected at least 0, got " + to_text(options_.max_time));
  }
  directory_.require_ours();
  if (directory_.holds_model() && !options_.overwrite && !options_.resume) {
    throw ConfigError(options_.directory +
                      ": there is a model already; --overwrite replaces it, --resume goes on with "
                      "its training");
  }
  if (options_.resume && directory_.holds_model()) require_same_recipe();
}

// A new directory that training failed to put anything in must not stand in the way of the next
// attempt.
TrainingRun::~TrainingRun() {
  if (made_directory_) directory_.remove_if_empty();
}

/// A checkpoint belongs to the recipe it was made with; only the number of epochs may grow. Without
/// a checkpoint the recipe of the model itself is looked at: a training that was killed between the
/// two begins anew and writes the same, another one must not replace it.
void TrainingRun::require_same_recipe() const {
  const std::string where =
      directory_.file(fs::exists(directory_.checkpoint()) ? kCheckpointRecipe : "config.json");
  const Json then = member<Json>(parse_json(read_file(where, kJsonLimit), where), "recipe", where);
  for (const auto& item : recipe_.items()) {
    const auto found = then.find(item.key());
    if (item.key() == "epochs" || (found != then.end() && *found == item.value())) continue;
    std::string option = item.key();
    std::replace(option.begin(), option.end(), '_', '-');
    throw ConfigError("resume: " + directory_.path() + " was trained with --" + option + " " +
                      (found == then.end() ? "unset" : found->dump()) + ", now it is " +
                      item.value().dump() + "; give the same recipe, or --overwrite to begin anew");
  }
}

void TrainingRun::use_data(std::string fingerprint) {
  fingerprint_ = std::move(fingerprint);
  resumes_ = options_.resume && fs::exists(directory_.checkpoint());
  if (!resumes_) return;
  const std::string where = directory_.file(kCheckpointRecipe);
  const Json then = parse_json(read_file(where, kJsonLimit), where);
  if (member<std::string>(then, "text", where) != fingerprint_) {
    throw ConfigError("resume: " + directory_.path() +
                      " was trained on another text or vocabulary; give the same --train, --valid "
                      "and --init-from, or --overwrite to begin anew");
  }
}

void TrainingRun::begin(Model& model) {
  made_directory_ = !fs::exists(directory_.path());
  directory_.create();
  if (resumes_) {
    model.load_checkpoint(directory_.checkpoint());
    log("resuming: " + std::to_string(model.history().epochs.size()) + " of " +
        recipe_.at("epochs").dump() + " epochs are done");
    return;
  }
  if (options_.resume) log("no checkpoint yet: starting from the beginning");
  std::error_code ignored;
  fs::remove(directory_.checkpoint(), ignored);  // of a model that is being replaced
}

History TrainingRun::fit(Model& model, BatchSource& data, FitOptions options, const Save& save,
                         const Describe& describe) {
  SaveEachEpoch save_each_epoch(*this, save);
  options.callbacks.push_back(&save_each_epoch);
  std::optional<EarlyStopping> early;
  if (options_.early_stopping >= 0) {
    early.emplace(EarlyStoppingOptions{.patience = options_.early_stopping});
    options.callbacks.push_back(&*early);
  }
  std::optional<TimeLimit> limit;
  if (options_.max_time > 0) {
    limit.emplace(options_.max_time);
    options.callbacks.push_back(&*limit);
  }
  options.callbacks.insert(options.callbacks.end(), options_.callbacks.begin(),
                           options_.callbacks.end());
  History history = model.fit(data, options);
  if (!model.stopped().empty()) log("stopped: " + model.stopped());
  const EpochRecord* best = history.best();
  if (options_.keep_last && best) best = &history.epochs.back();
  log(directory_.path() + " has the model " +
      (best ? "of epoch " + std::to_string(best->epoch) + ", " + describe(*best)
            : "as it is before its first validation"));
  return history;
}

/// The history; and the model as it is now where it is the best of it, or the first.
void TrainingRun::save_epoch(const Model& model, const History& history, const Save& save) const {
  const EpochRecord* best = history.best();
  ModelUpdate update(directory_);
  if (options_.keep_last && best) best = &history.epochs.back();
  if (!best || best == &history.epochs.back()) {
    save_safetensors(update.file("model.safetensors"), model.parameters());
    save(update, model, best);
  }
  write_file(update.file("history.csv"), history.to_csv());
  update.commit();
}

void TrainingRun::save_checkpoint(const Model& model) const {
  const Json json = {{"recipe", recipe_}, {"text", fingerprint_}};
  write_file(directory_.file(kCheckpointRecipe), json.dump(2) + "\n");
  model.save_checkpoint(directory_.checkpoint());
}

std::string Fingerprint::text() const {
  char digits[16];
  return {digits, std::to_chars(digits, digits + sizeof digits, value_, 16).ptr};
}

}  // namespace rnn
