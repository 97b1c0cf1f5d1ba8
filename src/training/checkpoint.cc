// Everything that training needs to go on with the same bits, in one safetensors file: tensors
// under "parameters/", "averages/", "optimizer/<slot>/" and "state/", the numbers as JSON in its
// metadata, and a checksum over all of that.
#include "rnn/checkpoint.h"

#include <algorithm>
#include <filesystem>

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
constexpr int kFormat = 2;

/// A file that is a checkpoint, and whole.
SafetensorsContents read_checkpoint(const std::string& path) {
  SafetensorsContents file = load_safetensors(path);
  if (!file.metadata.contains(kMetadata)) throw FormatError(path + ": this is no checkpoint");
  const auto expected = file.metadata.find(kCheckpointChecksum);
  if (expected == file.metadata.end()) {
    throw FormatError(path + ": written by another version of rnn");
  }
  if (checkpoint_checksum(file.tensors, file.metadata) != expected->second) {
    throw FormatError(path + ": damaged: its checksum is not that of what it holds");
  }
  return file;
}

Json to_json(const LossSum& loss) {
  return {{"nats", loss.nats}, {"targets", loss.targets}, {"excess", loss.excess}};
}

LossSum loss_from(const Json& json, const std::string& where) {
  return {member<double>(json, "nats", where), member<std::int64_t>(json, "targets", where),
          member<double>(json, "excess", where)};
}

Json to_json(const EpochRecord& record) {
  Json json = {{"epoch", record.epoch},
               {"steps", record.steps},
               {"tokens", record.tokens},
               {"learning_rate", record.learning_rate},
               {"gradient_norm", record.gradient_norm},
               {"train", to_json(record.train)},
               {"seconds", record.seconds}};
  if (record.validation) json["validation"] = to_json(*record.validation);
  if (record.metric) json["metric"] = *record.metric;
  return json;
}

EpochRecord record_from(const Json& json, const std::string& where) {
  EpochRecord record{.epoch = member<std::int64_t>(json, "epoch", where),
                     .steps = member<std::int64_t>(json, "steps", where),
                     .tokens = member<std::int64_t>(json, "tokens", where),
                     .learning_rate = member<double>(json, "learning_rate", where),
                     .gradient_norm = member<double>(json, "gradient_norm", where),
                     .train = loss_from(member<Json>(json, "train", where), where),
                     .seconds = member<double>(json, "seconds", where)};
  if (json.contains("validation")) record.validation = loss_from(json["validation"], where);
  if (json.contains("metric")) record.metric = member<double>(json, "metric", where);
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

void append(TensorList& to, const TensorList& from, const std::string& prefix) {
  for (const NamedTensor& entry : from) to.add(prefix + entry.name, entry.tensor);
}

std::string slot_prefix(std::size_t slot) { return "optimizer/" + std::to_string(slot) + "/"; }

Json to_json(const TrainingProgress& progress) {
  return {{"batches", progress.batches},         {"steps", progress.steps},
          {"tokens", progress.tokens},           {"epoch", progress.position.epoch},
          {"batch", progress.position.batch},    {"epoch_loss", to_json(progress.epoch_loss)},
          {"epoch_steps", progress.epoch_steps}, {"learning_rate", progress.learning_rate},
          {"epoch_norms", progress.epoch_norms}, {"epoch_seconds", progress.epoch_seconds},
          {"skipped", progress.skipped},         {"restored", progress.restored}};
}

TrainingProgress progress_from(const Json& json, const std::string& path) {
  const auto count = [&](const char* name) { return member<std::int64_t>(json, name, path); };
  return {.batches = count("batches"),
          .steps = count("steps"),
          .tokens = count("tokens"),
          .position = {count("epoch"), count("batch")},
          .epoch_loss = loss_from(member<Json>(json, "epoch_loss", path), path),
          .epoch_steps = count("epoch_steps"),
          .learning_rate = member<double>(json, "learning_rate", path),
          .epoch_norms = member<double>(json, "epoch_norms", path),
          .epoch_seconds = member<double>(json, "epoch_seconds", path),
          .skipped = count("skipped"),
          .restored = count("restored")};
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

}  // namespace

std::string checkpoint_checksum(const TensorList& tensors,
                                std::map<std::string, std::string> metadata) {
  metadata.erase(kCheckpointChecksum);
  Sha256 sum;
  const auto add = [&sum](std::string_view text) {
    sum.add(std::to_string(text.size()) + ' ');
    sum.add(text);
  };
  for (const NamedTensor& entry : tensors) {
    add(entry.name);
    add(entry.tensor.shape().to_string());
    add({reinterpret_cast<const char*>(entry.tensor.data()),
         static_cast<std::size_t>(entry.tensor.size()) * sizeof(float)});
  }
  for (const auto& [name, text] : metadata) {
    add(name);
    add(text);
  }
  return sum.text();
}

std::string previous_checkpoint(const std::string& path) { return path + ".previous"; }

std::optional<FoundCheckpoint> find_checkpoint(const std::string& path) {
  const std::string previous = previous_checkpoint(path);
  const auto note_of = [](const std::string& file) {
    return read_checkpoint(file).metadata[kNote];
  };
  std::string fault = path + ": the file is missing";
  if (is_there(path)) {
    try {
      return FoundCheckpoint{.path = path, .note = note_of(path)};
    } catch (const FormatError& error) {
      fault = error.what();
      if (!is_there(previous)) {
        throw FormatError(fault + "; there is no checkpoint before it, training must begin anew");
      }
    }
  } else if (!is_there(previous)) {
    return std::nullopt;
  }
  FoundCheckpoint found{.path = path};
  try {
    found.note = note_of(previous);
  } catch (const FormatError& error) {
    throw FormatError(fault + "; and the one before: " + error.what() +
                      "; training must begin anew");
  }
  found.warning = fault + "; going on from the checkpoint before it";
  // Moved, so that the next one that is written does not push a whole one out for a damaged one.
  replace_file(previous, path);
  return found;
}

void remove_checkpoints(const std::string& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
  fs::remove(previous_checkpoint(path), ignored);
}

void Model::save_checkpoint(const std::string& path, const std::string& note) const {
  const Impl& m = *impl_;
  m.require_compiled();
  if (const std::string bad = first_not_finite(m.parameters, *m.backend); !bad.empty()) {
    throw DivergenceError(path + ": the checkpoint there stays as it is, because the parameter " +
                          bad + " is not finite; try a smaller learning rate or stronger clipping");
  }
  TensorList tensors;
  append(tensors, m.parameters, "parameters/");
  append(tensors, m.averages.values, "averages/");
  for (std::size_t slot = 0; slot < m.optimizer_state.slots.size(); ++slot) {
    append(tensors, m.optimizer_state.slots[slot], slot_prefix(slot));
  }
  append(tensors, m.state, "state/");
  Json json = {{"format", kFormat},
               {"optimizer", m.options.optimizer.index()},
               {"optimizer_steps", m.optimizer_state.steps},
               {"optimizer_slots", m.optimizer_state.slots.size()},
               {"averaging", static_cast<int>(m.options.averaging.kind)},
               {"averaged_steps", m.averages.steps},
               {"progress", to_json(m.progress)},
               {"history", Json::array()}};
  for (const EpochRecord& record : m.history.epochs) json["history"].push_back(to_json(record));
  std::map<std::string, std::string> metadata{{kMetadata, json.dump()}, {kNote, note}};
  metadata[kCheckpointChecksum] = checkpoint_checksum(tensors, metadata);
  try {
    save_safetensors(path, tensors, metadata, Precision::kFp32, previous_checkpoint(path));
  } catch (const IoError& error) {
    if (!is_there(path)) throw;
    throw IoError(std::string(error.what()) +
                  "; the checkpoint before it is whole, training can go on from there");
  }
}

void Model::load_checkpoint(const std::string& path) {
  Impl& m = *impl_;
  m.require_compiled();
  const SafetensorsContents file = read_checkpoint(path);
  const Json json = parse_json(file.metadata.at(kMetadata), path);
  if (member<int>(json, "format", path) != kFormat) {
    throw FormatError(path + ": written by another version of rnn");
  }
  if (member<std::size_t>(json, "optimizer", path) != m.options.optimizer.index()) {
    throw FormatError(path + ": belongs to a training with another optimizer");
  }
  if (member<int>(json, "averaging", path) != static_cast<int>(m.options.averaging.kind)) {
    throw FormatError(path + ": belongs to a training with another averaging");
  }

  // All is read and checked before anything is changed.
  const TrainingProgress progress = progress_from(member<Json>(json, "progress", path), path);
  History history;
  for (const Json& record : member<std::vector<Json>>(json, "history", path)) {
    history.epochs.push_back(record_from(record, path));
  }
  OptimizerState optimizer{.steps = member<std::int64_t>(json, "optimizer_steps", path)};
  const auto slots = member<std::size_t>(json, "optimizer_slots", path);
  for (std::size_t slot = 0; slot < slots && slot < 2; ++slot) {
    TensorList values = m.train().gradients();
    assign_tensors(values, select(file.tensors, slot_prefix(slot)), path);
    optimizer.slots.push_back(std::move(values));
  }
  AverageState averages{.steps = member<std::int64_t>(json, "averaged_steps", path)};
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
  m.history = std::move(history);
  m.optimizer_state = std::move(optimizer);
  m.state = std::move(state);
}

}  // namespace rnn
