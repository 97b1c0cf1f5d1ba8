#include "tasks/training_run.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/file.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/model_file.h"

namespace rnn {
namespace {

// What a checkpoint says of the training that it is of.
constexpr const char *kRecipe = "recipe", *kData = "data";

}  // namespace

class TrainingRun::SaveEachEpoch : public Callback {
 public:
  SaveEachEpoch(const TrainingRun& run, const Save& save) : run_(run), save_(save) {}
  void on_epoch_end(Model& model, const History& history) override {
    run_.save_epoch(model, history, save_);
  }
  void on_train_end(Model& model, const History& history) override {
    // Stopped before its first validation: a model as it is, better than nothing.
    if (!model.stopped().empty() && history.epochs.empty()) {
      run_.save_epoch(model, history, save_);
    }
  }
  void on_divergence(Model&, const std::string& what) override { run_.log(what); }

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
  if (!options_.resume || !directory_.holds_model()) return;
  found_ = find_checkpoint(directory_.checkpoint());
  require_same_recipe();
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
  const std::string where = found_ ? found_->path : directory_.file("config.json");
  const Json then = found_ ? member<Json>(parse_json(found_->note, where), kRecipe, where)
                           : member<Json>(parse_json(read_file(where), where), kRecipe, where);
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
  if (found_ && member<std::string>(parse_json(found_->note, found_->path), kData, found_->path) !=
                    fingerprint_) {
    throw ConfigError("resume: " + directory_.path() +
                      " was trained on another text or vocabulary; give the same --train, --valid "
                      "and --init-from, or --overwrite to begin anew");
  }
}

void TrainingRun::begin(Model& model) {
  made_directory_ = !is_there(directory_.path());
  directory_.create();
  lock_.emplace(directory_.path());
  directory_.settle();
  if (found_) {
    model.load_checkpoint(found_->path);
    if (!found_->warning.empty()) log(found_->warning);
    log("resuming: " + std::to_string(model.history().epochs.size()) + " of " +
        recipe_.at("epochs").dump() + " epochs are done");
    return;
  }
  if (options_.resume) log("no checkpoint yet: starting from the beginning");
  remove_checkpoints(directory_.checkpoint());  // of a model that is being replaced
}

History TrainingRun::fit(Model& model, BatchSource& data, FitOptions options, const Save& save,
                         const Describe& describe) {
  const CheckpointOptions checkpoint{
      .path = directory_.checkpoint(),
      .every_steps = options_.checkpoint.steps,
      .every_minutes = options_.checkpoint.minutes,
      .every_epochs = options_.checkpoint.epochs,
      .note = Json{{kRecipe, recipe_}, {kData, fingerprint_}}.dump()};
  options.checkpoint = &checkpoint;
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

std::string Fingerprint::text() const {
  char digits[16];
  return {digits, std::to_chars(digits, digits + sizeof digits, value_, 16).ptr};
}

}  // namespace rnn
