// The files of a model directory that every task has.
//
//   config.json        what the model is, for a person and for load
//   model.safetensors  the parameters
//   history.csv        training, epoch by epoch
//   SHA256SUMS         checksums of all files of the model, in the form `sha256sum -c` reads
//   checkpoint/        what resuming needs
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "rnn/history.h"
#include "rnn/parameters.h"

namespace rnn {

inline constexpr int kModelFormat = 1;

class ModelDirectory {
 public:
  explicit ModelDirectory(std::string path) : path_(std::move(path)) {}

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string checkpoint() const { return file("checkpoint/checkpoint.safetensors"); }
  const std::string& path() const { return path_; }
  /// Whether there is anything at all in it.
  bool occupied() const;
  void create() const;

  /// Writes SHA256SUMS anew over the files that are there. Throws IoError.
  void seal() const;
  /// Throws IoError or FormatError, naming the file, when one is missing or is not the one that was
  /// sealed.
  void verify() const;
  /// config.json, checked for format and task.
  Json read_config(const std::string& task) const;

 private:
  std::string path_;
};

Json to_json(const LossSum& loss);

}  // namespace rnn
