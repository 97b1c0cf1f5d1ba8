// Everything that training needs to go on with the same bits, in one safetensors file: tensors
// under "parameters/", "optimizer/<slot>/" and "state/", the numbers as JSON in its metadata.
#include "base/json.h"
#include "rnn/model_file.h"
#include "training/model_impl.h"

namespace rnn {
namespace {

constexpr const char* kMetadata = "rnn_checkpoint";
constexpr int kFormat = 1;

Json to_json(const LossSum& loss) { return {{"nats", loss.nats}, {"targets", loss.targets}}; }

LossSum loss_from(const Json& json, const std::string& where) {
  return {member<double>(json, "nats", where), member<std::int64_t>(json, "targets", where)};
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

}  // namespace

void Model::save_checkpoint(const std::string& path) const {
  const Impl& m = *impl_;
  m.require_compiled();
  TensorList tensors;
  append(tensors, m.parameters, "parameters/");
  for (std::size_t slot = 0; slot < m.optimizer_state.slots.size(); ++slot) {
    append(tensors, m.optimizer_state.slots[slot], slot_prefix(slot));
  }
  append(tensors, m.state, "state/");
  Json json = {{"format", kFormat},
               {"optimizer", m.options.optimizer.index()},
               {"optimizer_steps", m.optimizer_state.steps},
               {"optimizer_slots", m.optimizer_state.slots.size()},
               {"steps", m.progress.steps},
               {"tokens", m.progress.tokens},
               {"epoch", m.progress.position.epoch},
               {"batch", m.progress.position.batch},
               {"epoch_loss", to_json(m.progress.epoch_loss)},
               {"learning_rate", m.progress.learning_rate},
               {"epoch_norms", m.progress.epoch_norms},
               {"epoch_seconds", m.progress.epoch_seconds},
               {"history", Json::array()}};
  for (const EpochRecord& record : m.history.epochs) json["history"].push_back(to_json(record));
  save_safetensors(path, tensors, {{kMetadata, json.dump()}});
}

void Model::load_checkpoint(const std::string& path) {
  Impl& m = *impl_;
  m.require_compiled();
  const SafetensorsContents file = load_safetensors(path);
  const auto metadata = file.metadata.find(kMetadata);
  if (metadata == file.metadata.end()) throw FormatError(path + ": this is no checkpoint");
  const Json json = parse_json(metadata->second, path);
  if (member<int>(json, "format", path) != kFormat) {
    throw FormatError(path + ": written by another version of rnn");
  }
  if (member<std::size_t>(json, "optimizer", path) != m.options.optimizer.index()) {
    throw FormatError(path + ": belongs to a training with another optimizer");
  }

  // All is read and checked before anything is changed.
  TrainingProgress progress{.steps = member<std::int64_t>(json, "steps", path),
                            .tokens = member<std::int64_t>(json, "tokens", path),
                            .position = {member<std::int64_t>(json, "epoch", path),
                                         member<std::int64_t>(json, "batch", path)},
                            .epoch_loss = loss_from(member<Json>(json, "epoch_loss", path), path),
                            .learning_rate = member<double>(json, "learning_rate", path),
                            .epoch_norms = member<double>(json, "epoch_norms", path),
                            .epoch_seconds = member<double>(json, "epoch_seconds", path)};
  History history;
  for (const Json& record : member<std::vector<Json>>(json, "history", path)) {
    history.epochs.push_back(record_from(record, path));
  }
  OptimizerState optimizer{.steps = member<std::int64_t>(json, "optimizer_steps", path)};
  const auto slots = member<std::size_t>(json, "optimizer_slots", path);
  for (std::size_t slot = 0; slot < slots && slot < 2; ++slot) {
    TensorList values = m.parameters;
    assign_tensors(values, select(file.tensors, slot_prefix(slot)), path);
    optimizer.slots.push_back(std::move(values));
  }
  const TensorList saved_state = select(file.tensors, "state/");
  State state;
  if (saved_state.size() > 0) {
    const Shape& shape = saved_state[0].shape();
    state = m.network.zero_state(shape.rank() > 0 ? shape[0] : 0, *m.backend);
    assign_tensors(state, saved_state, path);
  }
  Parameters parameters = m.parameters;
  assign_tensors(parameters, select(file.tensors, "parameters/"), path);

  for (std::size_t i = 0; i < parameters.size(); ++i) m.parameters[i].swap(parameters[i]);
  m.parameters.changed();
  m.progress = progress;
  m.history = std::move(history);
  m.optimizer_state = std::move(optimizer);
  m.state = std::move(state);
}

}  // namespace rnn
