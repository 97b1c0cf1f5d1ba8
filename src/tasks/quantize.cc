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
  const ModelDirectory copy(to);
  // What a copying that was killed has left is no model and in nobody's way.
  const auto require_free = [&] {
    if (is_there(copy.path()) && !copy.holds_leftovers_alone()) {
      throw ConfigError(to + ": exists already; give a new or empty directory as --output");
    }
  };
  require_free();
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
  create_folders(copy.path());
  const FolderLock lock(copy.path());
  require_free();  // another process may have written until now
  copy.settle();
  ModelUpdate update(copy, OtherFiles::kGo);
  save_safetensors(update.file(kWeights), source.weights.tensors, source.weights.metadata,
                   Precision::kInt8);
  source.config["weights"] = name_of(Precision::kInt8);
  write_config(update, source.config);
  for (const auto& [name, contents] : source.others) write_file(update.file(name), contents);
  update.commit();
  return {static_cast<std::size_t>(source.bytes),
          static_cast<std::size_t>(RegularFile(copy.file(kWeights)).size())};
}

}  // namespace rnn
