// Everything that training needs to go on with the same bits, in one safetensors file: tensors
// under "parameters/", "averages/", "optimizer/<slot>/" and "state/", the numbers as JSON in its
// metadata, and a checksum over all of that.
#include "rnn/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/file.h"
#include "base/json.h"
#include "rnn/model_file.h"
#include "training/checkpoint_checksum.h"
#include "training/model_impl.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMetadata = "rnn_checkpoint";
constexpr const char* kNote = "note";
constexpr const char* kPlanned = "planned";
constexpr int kFormat = 3;
// More than any training counts; beyond it arithmetic with a count might overflow.
constexpr std::int64_t kMost = std::int64_t{1} << 53, kMostSlots = 2;

/// A file that is a checkpoint, and whole.
struct CheckpointFile {
  TensorList tensors{};
  Json json{};
  std::string note{};
};

/// A checkpoint that is none of this version of rnn; another may go on from it.
class OtherVersion : public FormatError {
 public:
  explicit OtherVersion(const std::string& path)
      : FormatError(path + ": written by another version of rnn, which can go on from it") {}
};

CheckpointFile read_checkpoint(const std::string& path) {
  SafetensorsContents file = load_safetensors(path);
  if (!file.metadata.contains(kMetadata)) throw FormatError(path + ": this is no checkpoint");
  const auto expected = file.metadata.find(kCheckpointChecksum);
  if (expected == file.metadata.end()) throw OtherVersion(path);
  if (checkpoint_checksum(file.tensors, file.metadata) != expected->second) {
    throw FormatError(path + ": damaged: its checksum is not that of what it holds");
  }
  Json json = parse_json(file.metadata.at(kMetadata), path);
  if (member<int>(json, "format", path) != kFormat) throw OtherVersion(path);
  return {std::move(file.tensors), std::move(json), file.metadata[kNote]};
}

/// JSON has no number that is not finite.
Json number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

double number_from(const Json& json, const char* name, const std::string& where) {
  const Json value = member<Json>(json, name, where);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (value == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (value == "inf") return kInfinity;
  if (value == "-inf") return -kInfinity;
  return member<double>(json, name, where);
}

std::int64_t count_from(const Json& json, const char* name, const std::string& where,
                        std::int64_t most = kMost) {
  const auto value = member<std::int64_t>(json, name, where);
  if (value < 0 || value > most) {
    throw FormatError(where + ": member '" + name + "' is not from 0 to " + std::to_string(most));
  }
  return value;
}

/// The first checkpoints do not say it.
bool planned_from(const Json& json, const std::string& where) {
  return !json.contains(kPlanned) || member<bool>(json, kPlanned, where);
}

Json to_json(const LossSum& loss) {
  return {{"nats", number(loss.nats)}, {"targets", loss.targets}, {"excess", number(loss.excess)}};
}

LossSum loss_from(const Json& json, const std::string& where) {
  return {number_from(json, "nats", where), count_from(json, "targets", where),
          number_from(json, "excess", where)};
}

Json to_json(const EpochRecord& record) {
  Json json = {{"epoch", record.epoch},
               {"steps", record.steps},
               {"tokens", record.tokens},
               {"learning_rate", number(record.learning_rate)},
               {"gradient_norm", number(record.gradient_norm)},
               {"train", to_json(record.train)},
               {"seconds", number(record.seconds)}};
  if (record.validation) json["validation"] = to_json(*record.validation);
  if (record.metric) json["metric"] = number(*record.metric);
  return json;
}

EpochRecord record_from(const Json& json, const std::string& where) {
  EpochRecord record{.epoch = count_from(json, "epoch", where),
                     .steps = count_from(json, "steps", where),
                     .tokens = count_from(json, "tokens", where),
                     .learning_rate = number_from(json, "learning_rate", where),
                     .gradient_norm = number_from(json, "gradient_norm", where),
                     .train = loss_from(member<Json>(json, "train", where), where),
                     .seconds = number_from(json, "seconds", where)};
  if (json.contains("validation")) record.validation = loss_from(json["validation"], where);
  if (json.contains("metric")) record.metric = number_from(json, "metric", where);
  return record;
}

/// Copies the tensors whose names begin with `prefix`, without it.
TensorList select(const TensorList& all, const std::string& prefix) {
  TensorList selected;
  for (const NamedTensor& entry : all) {
    if (entry.name.starts_with(prefix)) {
      selected.add(entry.name.substr(prefix.size()), entry.tensor);
    }
  }
  return selected;
}

std::string slot_prefix(std::size_t slot) { return "optimizer/" + std::to_string(slot) + "/"; }

Json to_json(const TrainingProgress& progress) {
  return {{"batches", progress.batches},
          {"steps", progress.steps},
          {"tokens", progress.tokens},
          {"epoch", progress.position.epoch},
          {"batch", progress.position.batch},
          {"epoch_loss", to_json(progress.epoch_loss)},
          {"epoch_steps", progress.epoch_steps},
          {"learning_rate", number(progress.learning_rate)},
          {"epoch_norms", number(progress.epoch_norms)},
          {"epoch_seconds", number(progress.epoch_seconds)},
          {"skipped", progress.skipped},
          {"restored", progress.restored}};
}

TrainingProgress progress_from(const Json& json, const std::string& path) {
  const auto count = [&](const char* name) { return count_from(json, name, path); };
  return {.batches = count("batches"),
          .steps = count("steps"),
          .tokens = count("tokens"),
          .position = {count("epoch"), count("batch")},
          .epoch_loss = loss_from(member<Json>(json, "epoch_loss", path), path),
          .epoch_steps = count("epoch_steps"),
          .learning_rate = number_from(json, "learning_rate", path),
          .epoch_norms = number_from(json, "epoch_norms", path),
          .epoch_seconds = number_from(json, "epoch_seconds", path),
          .skipped = count_from(json, "skipped", path, kMostSkips),
          .restored = count_from(json, "restored", path, kMostRestores)};
}

/// The state that was saved, of as many rows as it has. Shapes are checked before memory is taken:
/// the rows of a tensor without columns may be any number.
State state_from(const Network& network, const TensorList& saved, const Backend& backend,
                 const std::string& path) {
  if (saved.size() == 0) return {};
  const Index rows = saved[0].shape().rank() > 0 ? saved[0].shape()[0] : 0;
  for (const StateSpec& spec : network.state_specs()) {
    const std::size_t i = saved.find(spec.name);
    if (i < saved.size() && saved[i].shape() == Shape{rows, spec.width}) continue;
    throw FormatError(path + ": the state '" + spec.name +
                      "' is missing or of another shape than " +
                      Shape{rows, spec.width}.to_string());
  }
  State state = network.zero_state(rows, backend);
  assign_tensors(state, saved, path);
  return state;
}

/// See find_checkpoint. `kept`: there is one at `path` that may be whole, but its bytes could not
/// be had or are of another version.
std::optional<FoundCheckpoint> look_for_checkpoint(const std::string& path, bool& kept) {
  const std::string previous = previous_checkpoint(path);
  const auto look_into = [](const std::string& file) {
    const CheckpointFile found = read_checkpoint(file);
    const Json progress = member<Json>(found.json, "progress", file);
    return FoundCheckpoint{.path = file,
                           .note = found.note,
                           .steps = count_from(progress, "steps", file),
                           .planned = planned_from(found.json, file)};
  };
  const bool before = is_there(previous);
  bool unread = false;
  std::string fault = path + ": the file is missing";
  if (is_there(path)) {
    try {
      return look_into(path);
    } catch (const OtherVersion& error) {
      fault = error.what();
      kept = true;
    } catch (const FormatError& error) {
      fault = error.what();
    } catch (const IoError& error) {
      fault = error.what();
      kept = unread = true;
    }
    if (!before && unread) throw IoError(fault + "; there is no checkpoint before it");
    if (!before && kept) throw FormatError(fault + "; there is no checkpoint before it");
    if (!before) {
      throw FormatError(fault + "; there is no checkpoint before it, training must begin anew");
    }
  } else if (!before) {
    return std::nullopt;
  }
  bool lost = !kept;
  try {
    FoundCheckpoint found = look_into(previous);
    found.warning = fault + "; going on from the checkpoint before it";
    return found;
  } catch (const OtherVersion& error) {
    fault += std::string("; and the one before: ") + error.what();
    lost = false;
  } catch (const FormatError& error) {
    fault += std::string("; and the one before: ") + error.what();
  } catch (const IoError& error) {
    fault += std::string("; and the one before: ") + error.what();
    lost = false;
    unread = true;
  }
  if (unread) throw IoError(fault);
  if (!lost) throw FormatError(fault);
  throw FormatError(fault + "; training must begin anew");
}

}  // namespace

std::string checkpoint_checksum(std::span<const TensorGroup> groups,
                                std::map<std::string, std::string> metadata) {
  metadata.erase(kCheckpointChecksum);
  Sha256 sum;
  const auto add = [&sum](std::string_view text) {
    sum.add(std::to_string(text.size()) + ' ');
    sum.add(text);
  };
  for (const TensorGroup& group : groups) {
    for (const NamedTensor& entry : group.tensors) {
      add(group.prefix + entry.name);
      add(entry.tensor.shape().to_string());
      add({reinterpret_cast<const char*>(entry.tensor.data()),
           static_cast<std::size_t>(entry.tensor.size()) * sizeof(float)});
    }
  }
  for (const auto& [name, text] : metadata) {
    add(name);
    add(text);
  }
  return sum.text();
}

// Beside the file, not beside a link to it: a rename never leaves its file system.
std::string previous_checkpoint(const std::string& path) { return target_of(path) + ".previous"; }
std::string unread_checkpoint(const std::string& path) { return target_of(path) + ".unread"; }

std::optional<FoundCheckpoint> find_checkpoint(const std::string& path) {
  bool kept = false;
  return look_for_checkpoint(path, kept);
}

std::optional<FoundCheckpoint> take_checkpoint(const std::string& path) {
  bool kept = false;
  std::optional<FoundCheckpoint> found = look_for_checkpoint(path, kept);
  if (!found || found->path == path) return found;
  if (kept) {
    replace_file(target_of(path), unread_checkpoint(path));
    found->warning += "; what was not read is kept as " + unread_checkpoint(path);
  }
  replace_file(found->path, target_of(path));
  found->path = path;
  return found;
}

void remove_checkpoints(const std::string& path) {
  const std::string newest = target_of(path);
  bool removed = false;
  for (const std::string& file : {newest, previous_checkpoint(path), unread_checkpoint(path)}) {
    std::error_code error;
    removed = fs::remove(file, error) || removed;
    const bool full_folder = error == std::errc::directory_not_empty;  // nobody would resume that
    if (error && !full_folder) throw IoError(file + ": cannot remove: " + error.message());
  }
  if (removed) flush_folder(folder_of(newest));
}

void Model::save_checkpoint(const std::string& path, const std::string& note) const {
  impl_->save_checkpoint(path, note, previous_checkpoint(path), true);
}

void Model::Impl::save_checkpoint(const std::string& path, const std::string& note,
                                  const std::string& keep_old_as, bool planned) const {
  const Impl& m = *this;
  m.require_compiled();
  if (const std::string bad = m.first_bad_parameter(); !bad.empty()) {
    throw DivergenceError(path + ": the checkpoint there stays as it is, because the parameter " +
                          bad + " is not finite; try a smaller learning rate or stronger clipping");
  }
  std::vector<TensorGroup> tensors{{"parameters/", m.parameters}, {"averages/", m.averages.values}};
  for (std::size_t slot = 0; slot < m.optimizer_state.slots.size(); ++slot) {
    tensors.push_back({slot_prefix(slot), m.optimizer_state.slots[slot]});
  }
  tensors.push_back({"state/", m.state});
  Json json = {{"format", kFormat},
               {kPlanned, planned},
               {"optimizer", m.options.optimizer.index()},
               {"learning_rate", learning_rate_of(m.options.optimizer)},
               {"clip_norm", number(m.options.clip_norm)},
               {"clip_value", number(m.options.clip_value)},
               {"optimizer_steps", m.optimizer_state.steps},
               {"optimizer_slots", m.optimizer_state.slots.size()},
               {"averaging", static_cast<int>(m.options.averaging.kind)},
               {"averaged_steps", m.averages.steps},
               {"progress", to_json(m.progress)},
               {"history", Json::array()}};
  for (const EpochRecord& record : m.history.epochs) json["history"].push_back(to_json(record));
  if (count_values(json) > kJsonValues) {
    throw FormatError(path + ": a checkpoint has no room for a history of " +
                      std::to_string(m.history.epochs.size()) +
                      " epochs, and what is there stays as it is; begin anew with fewer, longer "
                      "epochs");
  }
  std::map<std::string, std::string> metadata{{kMetadata, json.dump()}, {kNote, note}};
  metadata[kCheckpointChecksum] = checkpoint_checksum(tensors, metadata);
  try {
    save_safetensors(path, tensors, metadata, keep_old_as);
  } catch (const IoError& error) {
    if (!is_there(path)) throw;
    throw IoError(std::string(error.what()) +
                  "; the checkpoint before it is whole, training can go on from there");
  }
}

void Model::load_checkpoint(const std::string& path) {
  Impl& m = *impl_;
  m.require_compiled();
  const CheckpointFile file = read_checkpoint(path);
  const Json& json = file.json;
  if (member<std::size_t>(json, "optimizer", path) != m.options.optimizer.index()) {
    throw FormatError(path + ": belongs to a training with another optimizer");
  }
  if (member<int>(json, "averaging", path) != static_cast<int>(m.options.averaging.kind)) {
    throw FormatError(path + ": belongs to a training with another averaging");
  }

  // All is read and checked before anything is changed.
  TrainingProgress progress = progress_from(member<Json>(json, "progress", path), path);
  // With another remedy than the one that failed so often, training may go back as often again.
  const auto is_another = [&](const char* name, float now) {
    return number_from(json, name, path) != double{now};
  };
  const auto is_another_limit = [&](const char* name, float now) {
    return json.contains(name) && is_another(name, now);  // the first checkpoints have none
  };
  if (is_another("learning_rate", learning_rate_of(m.options.optimizer)) ||
      is_another_limit("clip_norm", m.options.clip_norm) ||
      is_another_limit("clip_value", m.options.clip_value)) {
    progress.restored = 0;
  }
  History history;
  for (const Json& record : member<std::vector<Json>>(json, "history", path)) {
    history.epochs.push_back(record_from(record, path));
  }
  const bool planned = planned_from(json, path);
  OptimizerState optimizer{.steps = count_from(json, "optimizer_steps", path)};
  const std::int64_t slots = count_from(json, "optimizer_slots", path, kMostSlots);
  for (std::int64_t slot = 0; slot < slots; ++slot) {
    TensorList values = m.train().gradients();
    assign_tensors(values, select(file.tensors, slot_prefix(static_cast<std::size_t>(slot))), path);
    optimizer.slots.push_back(std::move(values));
  }
  AverageState averages{.steps = count_from(json, "averaged_steps", path)};
  if (averages.steps > 0) {
    averages.values = m.parameters;
    assign_tensors(averages.values, select(file.tensors, "averages/"), path);
    averages.values.changed();
  }
  State state = state_from(m.network, select(file.tensors, "state/"), *m.backend, path);
  Parameters parameters = m.parameters;
  assign_tensors(parameters, select(file.tensors, "parameters/"), path);

  m.forget_averages();
  for (std::size_t i = 0; i < parameters.size(); ++i) m.parameters[i].swap(parameters[i]);
  m.parameters.changed();
  m.averages = std::move(averages);
  m.progress = progress;
  m.history.epochs = std::move(history.epochs);
  m.optimizer_state = std::move(optimizer);
  m.state = std::move(state);
  m.saved_as = path;
  m.saved_as_planned = planned;
}

}  // namespace rnn
