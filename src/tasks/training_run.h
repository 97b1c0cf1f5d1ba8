// What the trainings of all tasks share: the directory they write, best model and checkpoint after
// every epoch, and going on from a checkpoint with the same recipe and data only. Of the recipe,
// what a training that diverged may need otherwise can be changed: learning rate, clipping and
// policy.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "rnn/model.h"
#include "tasks/model_directory.h"

namespace rnn {

/// The fields of a recipe, as config.json and the checkpoint record them.
template <class Recipe>
Json recipe_json(Recipe recipe) {
  Json json;
  JsonWriter writer(json);
  recipe.exchange(writer);
  return json;
}

struct TrainingRunOptions {
  std::string directory{};  ///< the model directory to be written
  bool overwrite = false;
  bool resume = false;
  double max_time = 0;  ///< seconds; 0: no limit
  CheckpointTimes checkpoint{};
  int early_stopping = -1;  ///< epochs without gain that are endured; below 0: no early stopping
  bool keep_last = false;   ///< the model of the last epoch, not that of the best
  std::vector<Callback*> callbacks{};
  std::function<void(const std::string&)> log{};
};

/// One training of any task. In this order: the constructor, before anything is read; `use_data`
/// once the data is known to be good; `begin` with the compiled model; `fit`.
class TrainingRun {
 public:
  /// Writes the task's files of a model into `update`, and returns its configuration. `record` is
  /// the epoch that the model is of; null when it was stopped before its first validation.
  using Save = std::function<Json(ModelUpdate& update, const Model&, const EpochRecord* record)>;
  /// For the log: what an epoch reached.
  using Describe = std::function<std::string(const EpochRecord&)>;

  /// Throws ConfigError when the options exclude each other, when the directory is not ours to
  /// write, and when it holds a model that may not be replaced or was trained with another recipe.
  TrainingRun(TrainingRunOptions options, Json recipe);
  ~TrainingRun();
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;

  /// `fingerprint` tells one data set from another. Throws ConfigError when what is to be gone on
  /// from was made with another.
  void use_data(std::string fingerprint);
  /// Makes the directory, keeps other processes out of it, looks again at what is there, as one may
  /// have written until now, and loads the checkpoint to go on from into the compiled model.
  void begin(Model& model);
  /// Whether there is a checkpoint to go on from.
  bool resumes() const { return found_.has_value(); }
  /// Trains. After each epoch the model is saved where it is the best so far, before a checkpoint
  /// is written, so that a training killed in between repeats the epoch and writes the same files;
  /// never over a better one that is there.
  History fit(Model& model, BatchSource& data, FitOptions options, const Save& save,
              const Describe& describe);

  void log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }

 private:
  class SaveEachEpoch;
  void look();
  bool begins_anew() const;
  void require_same_recipe();
  void require_same_data() const;
  void look_for_damage();
  void look_at_model(const History& history);
  Json resume_of_model() const;
  void save_epoch(const Model& model, const History& history, const Save& save);
  void save_model(const Model& model, const History& history, const EpochRecord* record,
                  const Save& save);

  TrainingRunOptions options_;
  Json recipe_;
  ModelDirectory directory_;
  std::string fingerprint_;
  std::optional<FoundCheckpoint> found_{};
  std::string changes_{};  // options that are other than before
  // Of the model in the directory when it is of this training; what is worse must not replace it.
  double cost_ = std::numeric_limits<double>::infinity();
  bool as_it_is_ = false;  // that model is of no epoch: training was stopped in the middle of one
  bool lost_ = false;      // the model of the epochs that are done is missing
  std::optional<FolderLock> lock_{};  // from `begin` on: no two trainings in one directory
  bool made_directory_ = false;
  std::string damage_{};  // of the model in the directory, until another takes its place
};

/// FNV-1a with 64 bits (Fowler, Noll, Vo), a number at a time: tells one data set from another.
class Fingerprint {
 public:
  void add(std::uint64_t number) { value_ = (value_ ^ number) * 0x100000001b3u; }
  void add(std::string_view bytes) {
    add(bytes.size());
    for (char byte : bytes) add(static_cast<unsigned char>(byte));
  }
  void add(std::span<const std::int32_t> ids) {
    add(ids.size());
    for (std::int32_t id : ids) add(static_cast<std::uint32_t>(id));
  }
  std::string text() const;

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

}  // namespace rnn
