#include "rnn/tasks/quantize.h"

#include <filesystem>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "tasks/model_directory.h"

namespace rnn {

QuantizedModel quantize_model(const std::string& from, const std::string& to) {
  namespace fs = std::filesystem;
  const ModelDirectory source(from), copy(to);
  source.verify();
  Json config = source.read_config("");
  if (holds_int8(config)) throw ConfigError(from + ": is quantized already");
  const auto require_free = [&] {
    if (is_there(to) && !(fs::is_directory(to) && fs::is_empty(to))) {
      throw ConfigError(to + ": exists already; give a new or empty directory as --output");
    }
  };
  require_free();
  const std::string weights = source.file("model.safetensors");
  const SafetensorsContents contents = load_safetensors(weights);
  std::error_code error;
  fs::create_directories(to, error);
  if (error) throw IoError(to + ": cannot create the directory: " + error.message());
  const FolderLock lock(to);
  require_free();  // another process may have written until now
  ModelUpdate update(copy, OtherFiles::kGo);
  for (const std::string& name : source.files()) {
    if (name == "model.safetensors") {
      save_safetensors(update.file(name), contents.tensors, contents.metadata, Precision::kInt8);
    } else if (name == "config.json") {
      config["weights"] = name_of(Precision::kInt8);
      write_config(update, config);
    } else {
      write_file(update.file(name), read_file(source.file(name)));
    }
  }
  update.commit();
  return {static_cast<std::size_t>(fs::file_size(weights)),
          static_cast<std::size_t>(fs::file_size(copy.file("model.safetensors")))};
}

}  // namespace rnn
