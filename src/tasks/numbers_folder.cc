#include "tasks/numbers_folder.h"

#include <cstdlib>
#include <filesystem>

namespace rnn {

namespace fs = std::filesystem;

std::string numbers_folder(const std::string& model) {
  const char* const named = std::getenv("TMPDIR");
  if (named != nullptr && *named != '\0') return {};
  fs::path folder = fs::absolute(model);
  std::error_code ignored;  // what may not be looked into is no place to write either
  while (!fs::is_directory(folder, ignored) && folder.has_relative_path()) {
    folder = folder.parent_path();
  }
  return folder.string();
}

}  // namespace rnn
