// The files of a model directory that every task has.
//
//   config.json        what the model is, for a person and for load
//   model.safetensors  the parameters
//   vocabulary.txt     the units of a text, or tokenizer.model, which has them in it
//   history.csv        training, epoch by epoch
//   SHA256SUMS         checksums of all files of the model, in the form `sha256sum -c` reads
//   checkpoint/        what resuming needs, and `replaced` while the model is another training's
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "rnn/backend.h"
#include "rnn/error.h"
#include "rnn/history.h"
#include "rnn/parameters.h"

namespace rnn {

inline constexpr int kModelFormat = 1;
/// Bytes of config.json.
inline constexpr std::size_t kLargestConfig = std::size_t{1} << 26;

class ModelDirectory {
 public:
  explicit ModelDirectory(std::string path) : path_(without_end_slashes(std::move(path))) {}

  /// Where the file of that name is to be read: its place, or still beside it when an update that
  /// was committed has not moved it.
  std::string file(const std::string& name) const;
  /// Its place.
  std::string place(const std::string& name) const { return path_ + "/" + name; }
  std::string checkpoint() const { return place("checkpoint/checkpoint.safetensors"); }
  const std::string& path() const { return path_; }
  /// Whether a model is there, or the checkpoint of one.
  bool holds_model() const;
  /// Whether there is nothing but files under temporary names, which an update that was cut off
  /// before its commit has left. Throws IoError when that cannot be seen.
  bool holds_leftovers_alone() const;
  /// Throws ConfigError when the path is a file, or a directory with things of somebody else and no
  /// model: nothing may be written there. Throws IoError when that cannot be seen.
  void require_ours() const;
  /// Makes the directory and that of its checkpoints, which are there after a loss of power too.
  void create() const;
  /// Ends an update that was cut off: what was committed takes its place, anything else that was
  /// left under a temporary name goes. For whoever writes; nobody else may write meanwhile.
  void settle() const;
  /// Takes away what `create` made, unless something was written there since.
  void remove_if_empty() const;

  /// Writes SHA256SUMS anew over the files that are there, damaged or not; nothing else does.
  /// Throws IoError, also while another process writes there, or FormatError when the configuration
  /// or the weights cannot be read.
  void seal() const;
  /// Throws IoError or FormatError, naming the file, when one is missing or is not the one that was
  /// sealed.
  void verify() const;
  /// Whether a file is the one that was sealed.
  bool is_sealed(const std::string& name) const;
  /// Says that another training, of whatever recipe, is about to replace the model that is there,
  /// which stays whole, and whether its checkpoints are being removed. It is so after a loss of
  /// power too.
  void disown(bool checkpoints_go) const;
  /// Whether checkpoints were being removed: one that is still there is not to be resumed.
  bool loses_checkpoints() const;
  /// Whether the model that is there is one of which that was said; never another that took its
  /// place.
  bool is_disowned() const;
  /// Takes that back, for the training whose model is there now.
  void own() const;
  /// Verifies and calls `read`, which reads the files; all again where a training has put another
  /// model there meanwhile, so that what was read last is of one model, and no error is one that
  /// only the change made. Throws what they throw, and IoError when the model changes all the time.
  void read_whole(const std::function<void()>& read) const;
  /// Names of the files of the model that are there, without SHA256SUMS.
  std::vector<std::string> files() const;
  /// config.json, checked for format and task.
  Json read_config(const std::string& task) const;

 private:
  friend class ModelUpdate;
  bool committed(const std::string& name) const;
  /// The contents of SHA256SUMS; empty when it is not there.
  std::string sums() const;
  /// The same for whoever compares; empty also when it cannot be read, which `verify` tells.
  std::string seal_there() const;
  /// What tells whether somebody has written there.
  std::string moment() const;

  std::string path_;
};

/// What `read`, called with the directory, makes of a model there: see ModelDirectory::read_whole.
template <class Read>
auto read_whole_model(const std::string& path, const Read& read) {
  const ModelDirectory directory(path);
  std::optional<std::invoke_result_t<Read, const ModelDirectory&>> model;
  directory.read_whole([&] {
    model.reset();  // not two of them in memory
    model.emplace(read(directory));
  });
  return std::move(*model);
}

/// What becomes of the files of a model that an update does not write.
enum class OtherFiles {
  kGo,   ///< they are of the model that is being replaced
  kStay  ///< with the checksums that they have, so that damage remains to be seen
};

/// Files of a model that take their places together, whenever the program or the machine stops.
/// Each is written, whole and flushed, beside its place. `commit` then writes the checksums of the
/// new model; that file, which appears at once, decides: before it a reader finds the old model,
/// after it the new one, because it takes a file from beside its place while the checksum is that
/// one's. Last, all are moved. Destroyed before `commit`, as when the disk is full, it leaves the
/// model as it was.
class ModelUpdate {
 public:
  ModelUpdate(const ModelDirectory& directory, OtherFiles others)
      : directory_(directory), others_(others) {}
  ~ModelUpdate();
  ModelUpdate(const ModelUpdate&) = delete;
  ModelUpdate& operator=(const ModelUpdate&) = delete;

  /// Where to write the file of that name for now.
  std::string file(const std::string& name);
  void commit();

 private:
  const ModelDirectory& directory_;
  OtherFiles others_;
  std::vector<std::string> names_{};
};

/// Throws ConfigError, which names the option or argument that says where, unless a new model can
/// be written there: into a directory that is new or empty.
void require_new_model(const std::string& path, const std::string& argument);
/// Writes a model, with `write`, into a directory that must be new or empty. What a writing that
/// was killed has left is no model and in nobody's way. Throws ConfigError, which names the option
/// or argument that says where, when something is there; IoError.
void write_new_model(const std::string& path, const std::string& argument,
                     const std::function<void(ModelUpdate&)>& write);

/// Writes config.json. Throws FormatError before that when it could not be read again, such as one
/// that nests deeper than JSON may or is larger than kLargestConfig.
void write_config(ModelUpdate& update, const Json& config);
/// Calls read(), which makes something of what `where` says. An option that is wrong there is a
/// fault of the file: its ConfigError becomes a FormatError that names it.
template <class Read>
auto reading(const std::string& where, const Read& read) {
  try {
    return read();
  } catch (const ConfigError& error) {
    throw FormatError(where + ": " + error.what());
  }
}
/// Whether the weights of a model are whole numbers (`rnn quantize`).
bool holds_int8(const Json& config);
/// The backend that a model is to run on: in int8 if its weights are, whatever the default says.
/// Throws ConfigError, and when such a model is asked to run in bf16.
std::shared_ptr<const Backend> backend_for(const ModelDirectory& directory, const Json& config,
                                           BackendOptions options);
Json to_json(const LossSum& loss);

}  // namespace rnn
