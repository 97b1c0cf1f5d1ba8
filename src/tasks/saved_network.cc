#include "rnn/tasks/saved_network.h"

#include "base/file.h"
#include "base/json.h"
#include "rnn/model_file.h"
#include "rnn/version.h"
#include "tasks/model_directory.h"

namespace rnn {

void save_network(const std::string& directory_path, const Network& network,
                  const Parameters& parameters, bool overwrite) {
  const Json config{{"format", kModelFormat},
                    {"task", "network"},
                    {"rnn_version", kVersion},
                    {"network", parse_json(network_to_json(network), "network")}};
  const ModelDirectory directory(directory_path);
  const auto require_free = [&] {
    directory.require_ours();
    if (directory.holds_model() && !overwrite) {
      throw ConfigError(directory_path + " holds a model already; overwrite replaces it");
    }
  };
  require_free();
  directory.create();
  const FolderLock lock(directory_path);
  require_free();  // another process may have written until now
  directory.settle();
  ModelUpdate update(directory, OtherFiles::kGo);
  write_config(update, config);
  save_safetensors(update.file("model.safetensors"), parameters);
  update.commit();
}

SavedNetwork load_network(const std::string& directory_path, const Backend& backend) {
  return read_whole_model(directory_path, [&](const ModelDirectory& directory) -> SavedNetwork {
    const Json config = directory.read_config("network");
    const std::string where = directory.file("config.json");
    Network network =
        network_from_json(member<Json>(config, "network", where).dump(), where + ": network");
    const std::string weights = directory.file("model.safetensors");
    Parameters parameters =
        parameters_from(network, load_safetensors(weights).tensors, backend, weights);
    return {std::move(network), std::move(parameters)};
  });
}

}  // namespace rnn
