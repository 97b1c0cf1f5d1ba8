#include "tasks/model_directory.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <sstream>

#include "rnn/checkpoint.h"
#include "rnn/error.h"
#include "rnn/model_file.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;

/// Everything that SHA256SUMS may cover; a model has those that its task needs.
constexpr std::array kFiles{"config.json", "model.safetensors", "vocabulary.txt", "tokenizer.model",
                            "labels.txt",  "characters.txt",    "history.csv"};
constexpr const char* kSums = "SHA256SUMS";
constexpr std::size_t kSumsLimit = std::size_t{1} << 16;
constexpr const char* kNew = ".new";
constexpr const char* kGone = ".gone";  // beside a file that the model no longer has
constexpr const char* kCheckpoints = "checkpoint";
// The checksum of a model's config.json, and while its checkpoints are removed that they are.
constexpr const char* kReplaced = "checkpoint/replaced";
constexpr const char* kCheckpointsGo = "its checkpoints go\n";
// A training commits once an epoch: whoever finds another model so often in turn waits in vain.
constexpr int kMostReads = 20;

bool is_ours(const std::string& name) {
  // Also what a run that was killed left of a file under a temporary name.
  const auto begins = [&](const char* own) { return name.starts_with(own); };
  return name == kCheckpoints || begins(kSums) || std::any_of(kFiles.begin(), kFiles.end(), begins);
}

/// Names of what is in a folder; those so far where `error` says what went wrong.
std::vector<std::string> names_in(const std::string& folder, std::error_code& error) {
  std::vector<std::string> names;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names = names_in(folder, error);
  if (error) throw IoError(folder + ": cannot see what is in it: " + error.message());
  return names;
}

/// Throws IoError when that cannot be seen.
bool is_folder(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::status_known(status)) throw IoError(path + ": cannot look there: " + error.message());
  return fs::is_directory(status);
}

[[noreturn]] void throw_missing(const std::string& path) {
  throw IoError(path + ": the file is missing; restore it from a copy, or train again");
}

/// A line of SHA256SUMS.
std::string sum_line(const std::string& path, const std::string& name) {
  return sha256_of_file(path) + "  " + name + "\n";
}

/// The line that SHA256SUMS has for a file; empty: none.
std::string line_of(const std::string& sums, const std::string& name) {
  const std::string ending = "  " + name + "\n";
  const auto end = sums.find(ending);
  if (end == sums.npos) return "";
  const auto before = sums.rfind('\n', end);
  const std::size_t begin = before == sums.npos ? 0 : before + 1;
  return sums.substr(begin, end + ending.size() - begin);
}

}  // namespace

std::string ModelDirectory::file(const std::string& name) const {
  return committed(name) ? place(name) + kNew : place(name);
}

/// Whether a file beside its place belongs to the model that the checksums are of.
bool ModelDirectory::committed(const std::string& name) const {
  const std::string fresh = place(name) + kNew;
  if (!is_there(fresh)) return false;
  const std::string line = line_of(sums(), name);
  return !line.empty() && line == sum_line(fresh, name);
}

std::string ModelDirectory::sums() const {
  if (!is_there(place(kSums))) return "";
  std::string text = read_file(place(kSums), kSumsLimit);
  if (!text.ends_with('\n')) text += '\n';  // as an editor may leave it
  return text;
}

void ModelDirectory::settle() const {
  std::error_code ignored;
  for (const char* name : kFiles) {
    if (committed(name)) {
      replace_file(place(name) + kNew, place(name));
    } else {
      fs::remove(place(name) + kNew, ignored);
    }
    if (!is_there(place(name) + kGone)) continue;
    if (line_of(sums(), name).empty()) fs::remove(place(name), ignored);
    fs::remove(place(name) + kGone, ignored);
  }
  for (const std::string& folder : {path_, place(kCheckpoints)}) {
    for (const std::string& name : names_in(folder, ignored)) {
      const bool ours = folder != path_ || is_ours(name);
      if (ours && name.find(kTemporary) != std::string::npos) {
        fs::remove(folder + "/" + name, ignored);
      }
    }
  }
}

bool ModelDirectory::holds_model() const {
  return is_there(file("config.json")) || is_there(checkpoint()) ||
         is_there(previous_checkpoint(checkpoint()));
}

bool ModelDirectory::holds_leftovers_alone() const {
  if (!is_folder(path_)) return false;
  const std::vector<std::string> names = names_in(path_);
  return std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return is_ours(name) && (name.ends_with(kNew) || name.find(kTemporary) != name.npos);
  });
}

void ModelDirectory::require_ours() const {
  if (!is_there(path_)) return;
  if (!is_folder(path_)) {
    throw ConfigError(path_ + ": is a file; a model needs a directory, give another --model");
  }
  if (holds_model()) return;
  for (const std::string& name : names_in(path_)) {
    if (!is_ours(name)) {
      throw ConfigError(path_ + ": holds no model but other files, such as " + name +
                        "; give a new or empty directory as --model");
    }
  }
}

void ModelDirectory::create() const {
  try {
    create_folders(place(kCheckpoints));
  } catch (const IoError& error) {
    throw IoError(std::string(error.what()) + "; give another --model");
  }
  // Also those that a run which was killed made and did not flush.
  flush_folder(path_);
  flush_folder(folder_of(path_));
}

void ModelDirectory::remove_if_empty() const {
  std::error_code ignored;  // not empty: then it stays
  fs::remove(place(kCheckpoints), ignored);
  fs::remove(path_, ignored);
}

void ModelDirectory::seal() const {
  const FolderLock lock(path_);
  settle();
  read_config("");
  load_safetensors(place("model.safetensors"));
  std::string lines;
  for (const std::string& name : files()) lines += sum_line(place(name), name);
  write_file(place(kSums), lines);
}

void ModelDirectory::verify() const {
  if (!is_folder(path_)) throw IoError(path_ + ": no such model directory");
  for (const char* name : {"config.json", "model.safetensors"}) {
    if (!is_there(file(name))) throw_missing(file(name));
  }
  const std::string seal = "`rnn inspect " + path_ + " --seal`";
  if (!is_there(file(kSums))) {
    throw IoError(file(kSums) + ": the file is missing; if the others are as they should be, " +
                  seal + " writes it anew");
  }
  std::istringstream lines(read_file(file(kSums), kSumsLimit));
  std::set<std::string> covered;
  std::string line;
  for (std::int64_t number = 1; std::getline(lines, line); ++number) {
    const auto gap = line.find("  ");
    const std::string name = gap == line.npos ? "" : line.substr(gap + 2);
    if (std::find(kFiles.begin(), kFiles.end(), name) == kFiles.end()) {
      throw FormatError(at(file(kSums), number,
                           "expected a checksum, two spaces and the name of a file of the model; "
                           "if the others are as they should be, " +
                               seal + " writes it anew"));
    }
    if (!covered.insert(name).second) {  // or it would be read as often as it is named
      throw FormatError(at(file(kSums), number,
                           name + " is there twice; if the files are as they should be, " + seal +
                               " writes it anew"));
    }
    if (!is_there(file(name))) throw_missing(file(name));
    if (sha256_of_file(file(name)) != line.substr(0, gap)) {
      throw FormatError(file(name) + ": damaged or altered: it does not match " + kSums +
                        "; restore it from a copy or, if it was changed on purpose, accept it "
                        "with " +
                        seal);
    }
  }
  for (const char* name : kFiles) {
    const bool gone = is_there(place(name) + kGone);
    if (is_there(file(name)) && !covered.contains(name) && !gone) {
      throw FormatError(file(kSums) + ": damaged: it has no checksum of " + name +
                        "; if that file is as it should be, " + seal + " adds it");
    }
  }
}

bool ModelDirectory::is_sealed(const std::string& name) const {
  const std::string path = file(name);
  return is_there(path) && sum_line(path, name) == line_of(sums(), name);
}

void ModelDirectory::disown(bool checkpoints_go) const {
  const std::string config = file("config.json");
  std::string mark = is_there(config) ? sum_line(config, "config.json") : "";
  if (checkpoints_go) mark += kCheckpointsGo;
  if (mark.empty()) return own();
  write_file(place(kReplaced), mark);
}

bool ModelDirectory::loses_checkpoints() const {
  const std::string mark = place(kReplaced);
  return is_there(mark) && read_file(mark, kSumsLimit).ends_with(kCheckpointsGo);
}

bool ModelDirectory::is_disowned() const {
  const std::string config = file("config.json"), mark = place(kReplaced);
  return is_there(mark) && is_there(config) &&
         read_file(mark, kSumsLimit).starts_with(sum_line(config, "config.json"));
}

void ModelDirectory::own() const {
  std::error_code ignored;  // what stays is, but for a chance, of a model that is gone
  if (fs::remove(place(kReplaced), ignored)) flush_folder(place(kCheckpoints));
}

std::string ModelDirectory::seal_there() const {
  try {
    return sums();
  } catch (const Error&) {
    return "";
  }
}

std::string ModelDirectory::moment() const {
  std::string text = seal_there();
  // Files that are moved to their places, or taken away, change the folder.
  struct stat status {};
  if (stat(path_.c_str(), &status) == 0) {
    text += std::to_string(status.st_mtim.tv_sec) + '.' + std::to_string(status.st_mtim.tv_nsec);
  }
  for (const char* name : kFiles) text += is_there(place(name) + kNew) ? '+' : '-';
  return text;
}

void ModelDirectory::read_whole(const std::function<void()>& read) const {
  for (int reads = 1; reads <= kMostReads; ++reads) {
    const std::string seal = seal_there(), before = moment();
    try {
      verify();
      read();
    } catch (const Error&) {
      if (reads == kMostReads || moment() == before) throw;
      continue;
    }
    if (seal_there() == seal) return;
  }
  throw IoError(path_ +
                ": other files took their places whenever the model was read; try again, or "
                "give a copy");
}

ModelUpdate::~ModelUpdate() {
  for (const std::string& name : names_) {
    std::error_code ignored;
    fs::remove(directory_.place(name) + kNew, ignored);
  }
}

std::string ModelUpdate::file(const std::string& name) {
  names_.push_back(name);
  return directory_.place(name) + kNew;
}

void ModelUpdate::commit() {
  const std::string before = others_ == OtherFiles::kStay ? directory_.sums() : "";
  std::string sums;
  std::vector<std::string> dropped;
  for (const char* name : kFiles) {
    const std::string place = directory_.place(name);
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) {
      sums += sum_line(place + kNew, name);
    } else if (others_ == OtherFiles::kStay) {
      sums += line_of(before, name);
    } else if (is_there(place)) {
      dropped.emplace_back(name);
    }
  }
  for (const std::string& name : dropped) write_file(directory_.place(name) + kGone, "");
  write_file(directory_.place(kSums), sums);
  const std::vector<std::string> names = std::move(names_);
  names_.clear();  // from here on they are the model
  for (const std::string& name : names) {
    replace_file(directory_.place(name) + kNew, directory_.place(name));
  }
  for (const std::string& name : dropped) {
    std::error_code ignored;
    fs::remove(directory_.place(name), ignored);
    flush_folder(directory_.path());
    fs::remove(directory_.place(name) + kGone, ignored);
  }
}

std::vector<std::string> ModelDirectory::files() const {
  std::vector<std::string> names;
  for (const char* name : kFiles) {
    if (is_there(file(name))) names.emplace_back(name);
  }
  return names;
}

Json ModelDirectory::read_config(const std::string& task) const {
  const std::string path = file("config.json");
  Json config = parse_json(read_file(path, kLargestConfig), path);
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

void require_new_model(const std::string& path, const std::string& argument) {
  const ModelDirectory directory(path);
  if (is_there(directory.path()) && !directory.holds_leftovers_alone()) {
    throw ConfigError(path + ": exists already; give a new or empty directory as " + argument);
  }
}

void write_new_model(const std::string& path, const std::string& argument,
                     const std::function<void(ModelUpdate&)>& write) {
  const ModelDirectory directory(path);
  require_new_model(path, argument);
  create_folders(directory.path());
  const FolderLock lock(directory.path());
  require_new_model(path, argument);  // another process may have written until now
  directory.settle();
  ModelUpdate update(directory, OtherFiles::kGo);
  write(update);
  update.commit();
}

void write_config(ModelUpdate& update, const Json& config) {
  const std::string path = update.file("config.json"), text = config.dump(2) + "\n";
  if (text.size() > kLargestConfig) {
    throw FormatError(path + ": the description of the model takes " + std::to_string(text.size()) +
                      " bytes, at most " + std::to_string(kLargestConfig) + " are read");
  }
  parse_json(text, path);
  write_file(path, text);
}

bool holds_int8(const Json& config) {
  const auto weights = config.find("weights");
  return weights != config.end() && *weights == std::string(name_of(Precision::kInt8));
}

std::shared_ptr<const Backend> backend_for(const ModelDirectory& directory, const Json& config,
                                           BackendOptions options) {
  if (holds_int8(config)) {
    if (options.precision == Precision::kBf16) {
      throw ConfigError(directory.path() +
                        ": the weights of this model are int8, so it does not compute in bf16; "
                        "take the model that it was made from");
    }
    options.precision = Precision::kInt8;
  }
  return make_backend(options);
}

Json to_json(const LossSum& loss) {
  return {{"nats_per_token", loss.mean()}, {"ppl", perplexity(loss)}, {"tokens", loss.targets}};
}

}  // namespace rnn
