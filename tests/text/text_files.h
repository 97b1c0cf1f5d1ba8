// Files for tests: in a directory of their own that goes with them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace rnn {

inline std::string repeated(int times, const std::string& text) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

class TextFiles {
 public:
  TextFiles() {
    std::string name =
        (std::filesystem::temp_directory_path() / "rnn-test.").string() + std::string(6, 'X');
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    directory_ = name;
  }
  TextFiles(const TextFiles&) = delete;
  TextFiles& operator=(const TextFiles&) = delete;
  ~TextFiles() { std::filesystem::remove_all(directory_); }

  std::string path(std::string_view name) const { return (directory_ / name).string(); }
  std::string write(std::string_view name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  static std::string read(const std::string& path) {
    std::ostringstream bytes;
    bytes << std::ifstream(path, std::ios::binary).rdbuf();
    return bytes.str();
  }
  /// What is in the directory.
  std::size_t count() const {
    std::size_t entries = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_)) {
      ++entries;
    }
    return entries;
  }
  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

/// Expects `function` to throw an Expected whose message has all the parts.
template <class Expected, class Function, class... Parts>
void expect_error(Function function, const Parts&... parts) {
  try {
    function();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Expected& error) {
    for (const std::string_view part : {std::string_view(parts)...}) {
      EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos)
          << "\"" << part << "\" is not in \"" << error.what() << "\"";
    }
  }
}

}  // namespace rnn
