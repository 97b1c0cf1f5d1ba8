#include "rnn/tasks/quantize.h"

#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "tasks/model_directory.h"

namespace rnn {
namespace {

constexpr const char *kWeights = "model.safetensors", *kConfig = "config.json";

/// The model that is copied.
struct Source {
  Json config{};
  SafetensorsContents weights{};
  std::uint64_t bytes = 0;                                    // of the weights' file
  std::vector<std::pair<std::string, std::string>> others{};  // names and contents
};

}  // namespace

QuantizedModel quantize_model(const std::string& from, const std::string& to) {
  require_new_model(to, "--output");
  Source source = read_whole_model(from, [&](const ModelDirectory& directory) {
    Source read{.config = directory.read_config("")};
    if (holds_int8(read.config)) throw ConfigError(from + ": is quantized already");
    const std::string weights = directory.file(kWeights);
    read.weights = load_safetensors(weights);
    read.bytes = RegularFile(weights).size();
    for (const std::string& name : directory.files()) {
      if (name != kWeights && name != kConfig) {
        read.others.emplace_back(name, read_file(directory.file(name)));
      }
    }
    return read;
  });
  source.config["weights"] = name_of(Precision::kInt8);
  write_new_model(to, "--output", [&](ModelUpdate& update) {
    save_safetensors(update.file(kWeights), source.weights.tensors, source.weights.metadata,
                     Precision::kInt8);
    write_config(update, source.config);
    for (const auto& [name, contents] : source.others) write_file(update.file(name), contents);
  });
  return {static_cast<std::size_t>(source.bytes),
          static_cast<std::size_t>(RegularFile(ModelDirectory(to).file(kWeights)).size())};
}

}  // namespace rnn
