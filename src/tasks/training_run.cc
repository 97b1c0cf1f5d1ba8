#include "tasks/training_run.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/file.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/model_file.h"

namespace rnn {
namespace {

// What a checkpoint says of the training that it is of.
constexpr const char *kRecipe = "recipe", *kData = "data";
// What config.json says for a resume that finds no checkpoint, or one older than the model.
constexpr const char *kResume = "resume", *kEpoch = "epoch", *kCost = "cost";

/// What changes neither a shape nor what a number means: the remedies for a divergence.
bool may_change(const std::string& option) {
  return option == "lr" || option == "clip" || option == "clip_value" || option == "on_divergence";
}

/// Whether two recipes have an option alike; the number of epochs may differ in any case.
bool alike(const std::string& option, const Json& a, const Json& b) {
  const auto in_a = a.find(option), in_b = b.find(option);
  return option == "epochs" || (in_a != a.end() && in_b != b.end() && *in_a == *in_b);
}

/// As in the command line.
std::string option_name(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

Json read_json(const std::string& path) {
  return parse_json(read_file(path, kLargestConfig), path);
}

}  // namespace

class TrainingRun::SaveEachEpoch : public Callback {
 public:
  SaveEachEpoch(TrainingRun& run, const Save& save)
      : run_(run), save_(save), steps_(run.found_ ? run.found_->steps : 0) {}
  void on_train_begin(Model& model) override { averages_ = averages(model); }
  void on_step_end(Model& model, const StepRecord& record) override {
    steps_ = record.steps;
    if (averages_ || !averages(model)) return;
    averages_ = true;
    run_.log("averaging begins at step " + to_text(record.steps) + ", in epoch " +
             to_text(record.epoch) + ": from here on the averaged weights are evaluated and saved");
  }
  void on_epoch_end(Model& model, const History& history) override {
    run_.save_epoch(model, history, save_);
  }
  void on_train_end(Model& model, const History& history) override {
    // Stopped before its first validation, or never worth a number: a model as it is, better than
    // nothing.
    const bool stopped_or_done = !model.stopped().empty() || !history.epochs.empty();
    const bool no_other = run_.lost_ || (!history.best() && std::isinf(run_.cost_));
    if (stopped_or_done && no_other) run_.save_model(model, history, epoch_at_hand(history), save_);
  }
  void on_divergence(Model&, const std::string& what) override {
    steps_ = -1;  // it may have gone back
    run_.log(what);
  }
  /// Whether what is evaluated and saved are averages.
  bool averages() const { return averages_; }

 private:
  static bool averages(const Model& model) {
    return &model.parameters() != &model.trained_parameters();
  }
  /// The last one where the model is as it was at its end and it is worth a number.
  const EpochRecord* epoch_at_hand(const History& history) const {
    if (history.epochs.empty()) return nullptr;
    const EpochRecord& last = history.epochs.back();
    return last.steps == steps_ && std::isfinite(cost_of(last)) ? &last : nullptr;
  }

  TrainingRun& run_;
  const Save& save_;
  std::int64_t steps_;  // that the model has made; -1: not known
  bool averages_ = false;
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
  look();
}

/// Whether this training may go on from what is there, or replace it.
void TrainingRun::look() {
  directory_.require_ours();
  found_.reset();
  changes_.clear();
  cost_ = std::numeric_limits<double>::infinity();
  if (!directory_.holds_model()) return;
  if (!options_.overwrite && !options_.resume) {
    throw ConfigError(options_.directory +
                      ": there is a model already; --overwrite replaces it, --resume goes on with "
                      "its training");
  }
  if (!options_.resume) return;
  if (!directory_.loses_checkpoints()) found_ = find_checkpoint(directory_.checkpoint());
  if (begins_anew()) return;
  require_same_recipe();
  if (!fingerprint_.empty()) require_same_data();
}

// A new directory that training failed to put anything in must not stand in the way of the next
// attempt.
TrainingRun::~TrainingRun() {
  if (made_directory_) directory_.remove_if_empty();
}

/// Whether what is there is but a model of another training, which was being replaced.
bool TrainingRun::begins_anew() const {
  return !found_ && (directory_.is_disowned() || directory_.loses_checkpoints());
}

/// A checkpoint belongs to the recipe it was made with; only the number of epochs may grow, and
/// what a divergence calls for may change. Without a checkpoint the recipe of the model itself is
/// looked at: a training that was killed between the two begins anew and writes the same, another
/// one must not replace it.
void TrainingRun::require_same_recipe() {
  const std::string where = found_ ? found_->path : directory_.file("config.json");
  const Json then =
      member<Json>(found_ ? parse_json(found_->note, where) : read_json(where), kRecipe, where);
  for (const auto& item : recipe_.items()) {
    if (alike(item.key(), recipe_, then)) continue;
    const auto found = then.find(item.key());
    const std::string option = option_name(item.key()), now = item.value().dump(),
                      before = found == then.end() ? "unset" : found->dump();
    if (!found_ || !may_change(item.key())) {
      throw ConfigError("resume: " + directory_.path() + " was trained with " + option + " " +
                        before + ", now it is " + now +
                        "; give the same recipe, or --overwrite to begin anew");
    }
    changes_ += (changes_.empty() ? "" : ", ") + option + " " + now + " instead of " + before;
  }
}

void TrainingRun::use_data(std::string fingerprint) {
  fingerprint_ = std::move(fingerprint);
  if (options_.resume && directory_.holds_model() && !begins_anew()) require_same_data();
}

/// Of the checkpoint and of the model that is there.
void TrainingRun::require_same_data() const {
  const auto require = [&](const Json& then, const std::string& where) {
    if (member<std::string>(then, kData, where) == fingerprint_) return;
    throw ConfigError("resume: " + directory_.path() +
                      " was trained on another text or vocabulary; give the same --train, --valid "
                      "and --init-from, or --overwrite to begin anew");
  };
  if (found_) return require(parse_json(found_->note, found_->path), found_->path);
  const std::string where = directory_.file("config.json");
  const Json config = read_json(where);
  const auto model = config.find(kResume);
  if (model != config.end()) require(*model, where);
  // The first epoch is repeated bit for bit; what came later had a checkpoint.
  if (model == config.end() || member<std::int64_t>(*model, kEpoch, where) > 1) {
    throw ConfigError(
        "resume: " + directory_.checkpoint() +
        ": the checkpoint of the model there is missing; restore it from a copy, give "
        "another --model, or --overwrite to begin anew");
  }
}

void TrainingRun::begin(Model& model) {
  const bool is_new = !is_there(directory_.path());
  directory_.create();
  lock_.emplace(directory_.path());
  made_directory_ = is_new;  // only now: what another process has locked is not to be removed
  look();
  directory_.settle();
  if (options_.resume) look_for_damage();
  if (!found_) {
    if (options_.resume) {
      log("no checkpoint yet: starting from the beginning");
      look_at_model({});
    }
    // The model that is being replaced stays until there is one of this training, its checkpoints
    // go. Stopped before the first new one, what is left is already known to be of another.
    const bool replaces = options_.overwrite || begins_anew();
    if (replaces) directory_.disown(/*checkpoints_go=*/true);
    remove_checkpoints(directory_.checkpoint());
    if (replaces) directory_.disown(/*checkpoints_go=*/false);
    return;
  }
  found_ = take_checkpoint(directory_.checkpoint());
  model.load_checkpoint(found_->path);
  if (!found_->warning.empty()) log(found_->warning);
  log("resuming: " + std::to_string(model.history().epochs.size()) + " of " +
      recipe_.at("epochs").dump() + " epochs are done");
  look_at_model(model.history());
  if (!changes_.empty()) {
    log("from step " + std::to_string(found_->steps + 1) + " on: " + changes_);
  }
}

/// The weights or the vocabulary of a model that is there: training does not need them, and leaves
/// them as they are unless it finds a better model.
void TrainingRun::look_for_damage() {
  if (!is_there(directory_.file("config.json"))) return;  // no model yet
  try {
    directory_.verify();
  } catch (const Error& error) {
    damage_ = error.what();
    log(damage_ + "; training goes on and leaves it as it is until a model is saved");
  }
}

/// What a model in the directory that is of this training says of itself; otherwise null. What is
/// not as it was sealed says nothing.
Json TrainingRun::resume_of_model() const {
  const std::string where = directory_.file("config.json");
  if (!is_there(where) || !directory_.is_sealed("config.json") || directory_.is_disowned()) {
    return nullptr;
  }
  const Json config = read_json(where);
  const auto resume = config.find(kResume);
  if (resume == config.end()) return nullptr;
  const Json then = member<Json>(config, kRecipe, where);
  bool same = member<std::string>(*resume, kData, where) == fingerprint_;
  for (const auto& item : recipe_.items()) {
    same = same && (may_change(item.key()) || alike(item.key(), recipe_, then));
  }
  return same ? *resume : Json();
}

/// How good the model is that is there, which may be newer than the checkpoint with this history;
/// or that it is missing.
void TrainingRun::look_at_model(const History& history) {
  const std::string where = directory_.file("config.json");
  const EpochRecord* best = history.best();
  if (options_.keep_last && !history.epochs.empty()) best = &history.epochs.back();
  if (!is_there(where)) {
    lost_ = best != nullptr;
    if (lost_) {
      log(where + ": the model of epoch " + std::to_string(best->epoch) +
          " is missing; unless it is restored from a copy, the best of the epochs from here on "
          "takes its place, or the last one");
    }
    return;
  }
  const Json resume = resume_of_model();
  as_it_is_ = !resume.is_null() && member<std::int64_t>(resume, kEpoch, where) == 0;
  if (!resume.is_null() && resume.contains(kCost)) {
    cost_ = member<double>(resume, kCost, where);
  } else if (best && !as_it_is_ && !options_.keep_last) {
    cost_ = cost_of(*best);  // it does not say so itself
  }
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
  const auto train = [&] {
    try {
      return model.fit(data, options);
    } catch (const DivergenceError& error) {
      throw DivergenceError(std::string(error.what()) +
                            "; --resume goes on with another --lr, --clip, --clip-value or "
                            "--on-divergence");
    }
  };
  History history = train();
  if (!model.stopped().empty()) log("stopped: " + model.stopped());
  if (recipe_.value("averaging", "none") != "none" && !save_each_epoch.averages()) {
    log("averaging has not begun: the weights are those of the last steps; give more epochs, a "
        "smaller --averaging-start (asgd) or --averaging-non-monotone (nt-asgd)");
  }
  if (!damage_.empty()) {
    log(damage_);
    return history;
  }
  const EpochRecord* best = history.best();
  if (options_.keep_last && best) best = &history.epochs.back();
  if (best && as_it_is_) {
    log(directory_.path() + " has the model as it was when training was stopped, of no epoch");
    return history;
  }
  for (const EpochRecord& record : history.epochs) {  // those of better ones may be lost
    if (!options_.keep_last && best && cost_of(*best) < cost_ && cost_of(record) == cost_) {
      best = &record;
    }
  }
  if (std::isfinite(cost_) && (!best || cost_of(*best) > cost_)) {
    log(directory_.path() + " keeps the model that was there, which is better than " +
        (best ? "that of epoch " + std::to_string(best->epoch) + ", " + describe(*best)
              : "the one that is not validated yet"));
  } else {
    log(directory_.path() + " has the model " +
        (best ? "of epoch " + std::to_string(best->epoch) + ", " + describe(*best)
              : "as it is before its first validation"));
  }
  return history;
}

/// The history; and the model as it is now where it is better than the one that is there, or is
/// that one, repeated.
void TrainingRun::save_epoch(const Model& model, const History& history, const Save& save) {
  const EpochRecord& newest = history.epochs.back();
  if (options_.keep_last) return save_model(model, history, &newest, save);
  const double cost = cost_of(newest);
  if (std::isfinite(cost) && (cost < cost_ || (cost == cost_ && history.best() == &newest))) {
    return save_model(model, history, &newest, save);
  }
  ModelUpdate update(directory_, OtherFiles::kStay);
  write_file(update.file("history.csv"), history.to_csv());
  update.commit();
}

/// Together with the history. `record`: of the epoch that the model is of, or null.
void TrainingRun::save_model(const Model& model, const History& history, const EpochRecord* record,
                             const Save& save) {
  ModelUpdate update(directory_, OtherFiles::kGo);
  save_safetensors(update.file("model.safetensors"), model.parameters());
  Json config = save(update, model, record);
  config[kResume] = {{kData, fingerprint_}, {kEpoch, record ? record->epoch : 0}};
  if (record && !options_.keep_last) config[kResume][kCost] = cost_of(*record);
  write_config(update, config);
  write_file(update.file("history.csv"), history.to_csv());
  update.commit();
  directory_.own();
  damage_.clear();
  lost_ = false;
  as_it_is_ = record == nullptr;
  if (record && !options_.keep_last) cost_ = cost_of(*record);
}

std::string Fingerprint::text() const {
  char digits[16];
  return {digits, std::to_chars(digits, digits + sizeof digits, value_, 16).ptr};
}

}  // namespace rnn
