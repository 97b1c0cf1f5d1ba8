// The floors of the library, and who may include whom:
//
//   apps -> tasks -> training -> network -> layers -> kernels -> base
//            tasks -> text -> base
//
// A source may include headers of its own floor and of those it can reach along the arrows: never
// upward, never sideways. Public headers know the standard library only, and each dependency has
// one door.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

// A new public header is entered here; one that is missing fails the test.
const std::map<std::string, std::set<std::string>> kPublicHeaders = {
    {"base",
     {"batch", "eigen", "error", "export", "fields", "random", "tensor", "thread_pool", "version",
      "view"}},
    {"kernels",
     {"backend", "cell_options", "cells", "kernels", "loss_kernels", "precision",
      "sequence_kernels"}},
    {"layers", {"adaptive_softmax", "any_layer",   "bidirectional",
                "conv1d",           "crf",         "gather",
                "highway",          "joint_layer", "layer_normalization",
                "lstm_cell",        "merging",     "ngram_embedding",
                "pooling",          "residual",    "sampled_softmax",
                "sigmoid",          "dense",       "dropout",
                "embedding",        "initializer", "layer",
                "output_head",      "recurrent",   "recurrent_cell",
                "registry",         "softmax",     "activity_regularization"}},
    {"network",
     {"composite_layer", "gradient_tape", "graph", "model_file", "network", "observer",
      "parameters", "sequential", "session"}},
    {"training",
     {"averaging", "callback", "checkpoint", "history", "model", "optimizer", "schedule"}},
};

// Each floor with those right below it.
const std::map<std::string, std::set<std::string>> kArrows = {
    {"apps", {"umbrella"}},    {"umbrella", {"tasks"}}, {"tasks", {"training", "text"}},
    {"training", {"network"}}, {"network", {"layers"}}, {"layers", {"kernels"}},
    {"kernels", {"base"}},     {"text", {"base"}},      {"base", {}},
};

// Third-party headers by the start of their names, and the files that may include them: a folder
// (ending in '/'), or the start of a path.
struct Door {
  std::vector<std::string> headers;
  std::vector<std::string> files;
};
const std::vector<Door> kDoors = {
    {{"unicode/"}, {"text/unicode.cc", "text/unicode_"}},
    {{"sentencepiece"}, {"text/sentencepiece_tokenizer.cc"}},
    {{"nlohmann/"}, {"src/base/json.h"}},
    {{"boost/"}, {"apps/"}},
    {{"Eigen/", "unsupported/Eigen"},
     {"src/kernels/reference/", "src/layers/initializer.cc", "include/rnn/eigen.h"}},
    {{"hwy/"}, {"src/kernels/native/"}},
};

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

std::string first_folder(const std::string& path) { return path.substr(0, path.find('/')); }

/// Every floor at or below `floor`.
std::set<std::string> reachable_from(const std::string& floor) {
  std::set<std::string> reached{floor};
  for (const std::string& below : kArrows.at(floor)) reached.merge(reachable_from(below));
  return reached;
}

/// The floor of a file given by its path below the root. The umbrella header has one of its own.
std::optional<std::string> floor_of(const std::string& path) {
  if (path == "include/rnn.h" || path == "include/rnn/rnn.h") return "umbrella";
  if (starts_with(path, "include/rnn/text/") || starts_with(path, "text/")) return "text";
  if (starts_with(path, "include/rnn/tasks/")) return "tasks";
  if (starts_with(path, "apps/")) return "apps";
  if (starts_with(path, "include/rnn/")) {
    for (const auto& [floor, headers] : kPublicHeaders) {
      if (headers.count(path.substr(12, path.rfind('.') - 12)) > 0) return floor;
    }
    return std::nullopt;
  }
  if (starts_with(path, "src/") && kArrows.count(first_folder(path.substr(4))) > 0) {
    return first_folder(path.substr(4));
  }
  return std::nullopt;
}

struct Include {
  std::string name;
  bool quoted = false;
  int line = 0;
};

std::vector<Include> includes_of(const std::string& content) {
  std::vector<Include> found;
  std::istringstream lines(content);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::size_t at = line.find_first_not_of(" \t");
    if (at == std::string::npos || line[at] != '#') continue;
    at = line.find_first_not_of(" \t", at + 1);
    if (at == std::string::npos || line.compare(at, 7, "include") != 0) continue;
    at = line.find_first_of("<\"", at);
    if (at == std::string::npos) continue;
    const std::size_t end = line.find_first_of(">\"", at + 1);
    found.push_back({line.substr(at + 1, end - at - 1), line[at] == '"', number});
  }
  return found;
}

/// Where the file that an include names stands below the root, if it is one of ours.
std::optional<std::string> resolve(const std::string& includer, const Include& include,
                                   const std::set<std::string>& files) {
  const std::string beside = includer.substr(0, includer.rfind('/') + 1) + include.name;
  for (const std::string& path :
       {"include/" + include.name, "src/" + include.name, include.name, beside}) {
    if (files.count(path) > 0) return path;
  }
  return std::nullopt;
}

bool is_standard(const std::string& header) {
  return std::all_of(header.begin(), header.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

/// What is wrong with one include; empty if nothing.
std::string judge(const std::string& path, const std::string& floor, const Include& include,
                  const std::set<std::string>& files) {
  if (const auto target = resolve(path, include, files)) {
    const std::optional<std::string> below = floor_of(*target);
    if (!below) return *target + " stands on no floor";
    if (starts_with(path, "include/") && !starts_with(*target, "include/")) {
      return "a public header includes the private " + *target;
    }
    if (reachable_from(floor).count(*below) > 0) return "";
    return floor + " may not include " + *below + " (" + *target + ")";
  }
  for (const Door& door : kDoors) {
    const auto names_it = [&](const std::string& start) {
      return starts_with(include.name, start);
    };
    if (std::none_of(door.headers.begin(), door.headers.end(), names_it)) continue;
    const auto is_here = [&](const std::string& start) { return starts_with(path, start); };
    if (std::any_of(door.files.begin(), door.files.end(), is_here)) return "";
    return "<" + include.name + "> comes in through " + door.files.front() + " only";
  }
  if (include.quoted) return "\"" + include.name + "\" names no file of ours";
  if (starts_with(path, "include/") && !is_standard(include.name)) {
    return "<" + include.name + "> in a public header: only the standard library may stand there";
  }
  if (include.name.find('/') != std::string::npos && !starts_with(include.name, "sys/")) {
    return "<" + include.name + "> has no door; give it one in this test";
  }
  return "";
}

/// "path:line: complaint" for everything wrong in one file.
std::vector<std::string> complaints(const std::string& path, const std::string& content,
                                    const std::set<std::string>& files) {
  const std::optional<std::string> floor = floor_of(path);
  if (!floor) return {path + ": stands on no floor; enter a public header in kPublicHeaders"};
  std::vector<std::string> wrong;
  for (const Include& include : includes_of(content)) {
    const std::string what = judge(path, *floor, include, files);
    if (!what.empty()) wrong.push_back(path + ":" + std::to_string(include.line) + ": " + what);
  }
  return wrong;
}

/// Every header and source below the root that the floors speak of.
std::set<std::string> sources_of(const fs::path& root) {
  std::set<std::string> files;
  for (const char* folder : {"include", "src", "text", "apps"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".h" || extension == ".cc") {
        files.insert(fs::relative(entry.path(), root).generic_string());
      }
    }
  }
  return files;
}

TEST(Includes, FollowTheArrows) {
  const fs::path root = RNN_SOURCE_DIR;
  const std::set<std::string> files = sources_of(root);
  ASSERT_GT(files.count("include/rnn/view.h"), 0u) << "not a source tree: " << root;
  for (const std::string& path : files) {
    std::ifstream file(root / path);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    for (const std::string& complaint : complaints(path, content, files)) {
      ADD_FAILURE() << complaint;
    }
  }
}

TEST(Includes, FloorsAreReachedDownwards) {
  EXPECT_EQ(reachable_from("text"), (std::set<std::string>{"base", "text"}));
  EXPECT_EQ(reachable_from("layers"), (std::set<std::string>{"base", "kernels", "layers"}));
  EXPECT_EQ(reachable_from("apps").size(), kArrows.size());
}

/// How many complaints a file of one include would draw in a small imagined tree.
std::size_t complaints_about(const std::string& path, const std::string& line) {
  const std::set<std::string> files = {
      "include/rnn.h",       "include/rnn/view.h",      "include/rnn/kernels.h",
      "include/rnn/layer.h", "include/rnn/text/line.h", "include/rnn/tasks/tagger.h",
      "src/base/json.h",     "src/layers/lstm.h",       "src/kernels/native/tile.h",
      "text/vocabulary.h",   "apps/lm_train.h"};
  return complaints(path, "// one\n" + line + "\n", files).size();
}

TEST(Includes, WrongOnesAreFound) {
  // upward
  EXPECT_EQ(complaints_about("src/kernels/backend.cc", "#include \"rnn/layer.h\""), 1u);
  EXPECT_EQ(complaints_about("src/base/batch.cc", "# include \"rnn/kernels.h\""), 1u);
  EXPECT_EQ(complaints_about("include/rnn/view.h", "#include \"rnn/layer.h\""), 1u);
  EXPECT_EQ(complaints_about("src/tasks/tagger.cc", "#include \"apps/lm_train.h\""), 1u);
  EXPECT_EQ(complaints_about("src/layers/lstm.cc", "#include \"rnn.h\""), 1u);
  // sideways
  EXPECT_EQ(complaints_about("text/vocabulary.cc", "#include \"rnn/kernels.h\""), 1u);
  EXPECT_EQ(complaints_about("src/training/model.cc", "#include \"text/vocabulary.h\""), 1u);
  // public headers
  EXPECT_EQ(complaints_about("include/rnn/view.h", "#include \"base/json.h\""), 1u);
  EXPECT_EQ(complaints_about("include/rnn/view.h", "#include <Eigen/Core>"), 1u);
  EXPECT_EQ(complaints_about("include/rnn/view.h", "#include <unistd.h>"), 1u);
  EXPECT_EQ(complaints_about("include/rnn/unheard_of.h", ""), 1u);
  // doors
  EXPECT_EQ(complaints_about("text/vocabulary.cc", "#include <unicode/uchar.h>"), 1u);
  EXPECT_EQ(complaints_about("text/vocabulary.cc", "#include <sentencepiece_trainer.h>"), 1u);
  EXPECT_EQ(complaints_about("src/layers/lstm.cc", "#include <nlohmann/json.hpp>"), 1u);
  EXPECT_EQ(complaints_about("src/base/batch.cc", "#include <boost/crc.hpp>"), 1u);
  EXPECT_EQ(complaints_about("src/layers/lstm.cc", "#include <Eigen/Core>"), 1u);
  EXPECT_EQ(complaints_about("src/layers/lstm.cc", "#include <absl/strings/str_cat.h>"), 1u);
  EXPECT_EQ(complaints_about("src/layers/lstm.cc", "#include \"nowhere.h\""), 1u);
}

TEST(Includes, RightOnesPass) {
  EXPECT_EQ(complaints_about("src/layers/lstm.cc", "#include \"layers/lstm.h\""), 0u);
  EXPECT_EQ(complaints_about("src/layers/lstm.cc", "#include \"lstm.h\""), 0u);
  EXPECT_EQ(complaints_about("src/layers/lstm.cc", "#include \"rnn/view.h\""), 0u);
  EXPECT_EQ(complaints_about("src/tasks/tagger.cc", "#include \"rnn/text/line.h\""), 0u);
  EXPECT_EQ(complaints_about("apps/lm_train.cc", "#include \"rnn/tasks/tagger.h\""), 0u);
  EXPECT_EQ(complaints_about("apps/lm_train.cc", "#include \"rnn.h\""), 0u);
  EXPECT_EQ(complaints_about("include/rnn.h", "#include \"rnn/tasks/tagger.h\""), 0u);
  EXPECT_EQ(complaints_about("include/rnn/view.h", "#include <string_view>"), 0u);
  EXPECT_EQ(complaints_about("include/rnn/eigen.h", "#include <Eigen/Core>"), 0u);
  EXPECT_EQ(complaints_about("src/kernels/native/tile.h", "#include <hwy/highway.h>"), 0u);
  EXPECT_EQ(complaints_about("text/unicode.cc", "#include <unicode/uchar.h>"), 0u);
  EXPECT_EQ(complaints_about("text/unicode_words.cc", "#include <unicode/brkiter.h>"), 0u);
  EXPECT_EQ(complaints_about("text/corpus.cc", "#include <sys/mman.h>"), 0u);
  EXPECT_EQ(complaints_about("src/base/json.h", "#include <nlohmann/json.hpp>"), 0u);
  EXPECT_EQ(complaints_about("apps/main.cc", "#include <boost/program_options.hpp>"), 0u);
}

}  // namespace
