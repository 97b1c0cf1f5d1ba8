#include "tasks/model_directory.h"

#include <array>
#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "rnn/version.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;

/// Everything that SHA256SUMS may cover; a model has those that its task needs.
constexpr std::array kFiles{"config.json",     "model.safetensors", "vocabulary.txt",
                            "tokenizer.model", "labels.txt",        "history.csv"};
constexpr const char* kSums = "SHA256SUMS";
constexpr const char* kRemedy =
    "; if you changed it on purpose, `rnn inspect DIR --seal` accepts it as it is";

}  // namespace

bool ModelDirectory::occupied() const {
  std::error_code error;
  return fs::exists(path_, error) &&
         !(fs::is_directory(path_, error) && fs::is_empty(path_, error));
}

void ModelDirectory::create() const {
  std::error_code error;
  fs::create_directories(path_ + "/checkpoint", error);
  if (error) throw IoError(path_ + ": cannot create the directory: " + error.message());
}

void ModelDirectory::seal() const {
  std::string sums;
  for (const char* name : kFiles) {
    if (fs::exists(file(name))) sums += sha256_of_file(file(name)) + "  " + name + "\n";
  }
  write_file(file(kSums), sums);
}

void ModelDirectory::verify() const {
  if (!fs::is_directory(path_)) throw IoError(path_ + ": no such model directory");
  std::istringstream lines(read_file(file(kSums), std::size_t{1} << 16));
  std::string line;
  for (std::int64_t number = 1; std::getline(lines, line); ++number) {
    const auto gap = line.find("  ");
    const std::string name = gap == line.npos ? "" : line.substr(gap + 2);
    if (std::find(kFiles.begin(), kFiles.end(), name) == kFiles.end()) {
      throw FormatError(at(file(kSums), number,
                           "expected a checksum, two spaces and the name of a "
                           "file of the model"));
    }
    if (!fs::exists(file(name))) throw IoError(file(name) + ": the file is missing");
    if (sha256_of_file(file(name)) != line.substr(0, gap)) {
      throw FormatError(file(name) + ": damaged or altered: it does not match " + kSums + kRemedy);
    }
  }
  for (const char* name : {"config.json", "model.safetensors"}) {
    if (!fs::exists(file(name))) throw IoError(file(name) + ": the file is missing");
  }
}

Json ModelDirectory::read_config(const std::string& task) const {
  const std::string path = file("config.json");
  Json config = parse_json(read_file(path, std::size_t{1} << 24), path);
  if (!config.is_object()) throw FormatError(path + ": expected an object");
  const int format = member<int>(config, "format", path);
  if (format < 1 || format > kModelFormat) {
    throw FormatError(path + ": format " + std::to_string(format) +
                      " was written by a newer rnn; this one reads up to " +
                      std::to_string(kModelFormat));
  }
  const auto found = member<std::string>(config, "task", path);
  if (!task.empty() && found != task) {
    throw FormatError(path + ": this is a model for '" + found + "', not for '" + task + "'");
  }
  return config;
}

Json to_json(const LossSum& loss) {
  return {{"nats_per_token", loss.mean()}, {"ppl", perplexity(loss)}, {"tokens", loss.targets}};
}

}  // namespace rnn
