// A small model directory of which one file is any bytes: "NAME\n" and its contents. SHA256SUMS is
// made anew by whoever altered the others.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/file.h"
#include "fuzz/memory_file.h"
#include "rnn/backend.h"
#include "rnn/error.h"
#include "rnn/history.h"
#include "tasks/model_directory.h"

namespace rnn {

inline const BackendOptions kOneThread{.threads = {.threads = 1}};

class ModelFiles {
 public:
  /// A model that `train` makes of thirty times the text.
  template <class Recipe, class Run>
  ModelFiles(History (*train)(const Recipe&, const Run&), const Recipe& recipe,
             const std::string& text)
      : directory_(in_memory("model")) {
    const std::string path = directory_.path() + ".txt";
    std::string all;
    for (int i = 0; i < 30; ++i) all += text;
    write_file(path, all);
    std::filesystem::remove_all(directory_.path());
    Run run;
    run.train = {path};
    run.directory = directory_.path();
    run.backend = kOneThread;
    train(recipe, run);
    for (const std::string& name : directory_.files()) {
      whole_[name] = read_file(directory_.file(name));
    }
    whole_[kSums] = read_file(directory_.place(kSums));
  }

  /// Puts the file in its place, calls `use`, and puts the sound one back. Errors of the library
  /// are what is expected.
  void with(const std::uint8_t* data, std::size_t size,
            const std::function<void(const std::string& directory)>& use) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = input.find('\n');
    if (end == input.npos) return;
    const auto found = whole_.find(std::string(input.substr(0, end)));
    if (found == whole_.end()) return;
    const auto& [name, sound] = *found;
    const std::string_view contents = input.substr(end + 1);
    put(name, contents);
    if (name != kSums) {
      std::string sums = whole_[kSums];
      const std::string before = sum_of(sound), now = sum_of(contents);
      sums.replace(sums.find(before), before.size(), now);
      put(kSums, sums);
    }
    try {
      use(directory_.path());
    } catch (const Error&) {
    }
    put(name, sound);
    put(kSums, whole_[kSums]);
  }

 private:
  static constexpr const char* kSums = "SHA256SUMS";

  static std::string sum_of(std::string_view bytes) {
    Sha256 sum;
    sum.add(bytes);
    return sum.text();
  }
  /// Without a flush, which is what takes time.
  void put(const std::string& name, std::string_view bytes) const {
    std::FILE* const file = std::fopen(directory_.place(name).c_str(), "wb");
    require(file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() &&
            std::fclose(file) == 0);
  }

  ModelDirectory directory_;
  std::map<std::string, std::string> whole_{};
};

}  // namespace rnn
