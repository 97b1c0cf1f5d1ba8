#include "tasks/numbers_folder.h"

#include <cstdlib>
#include <filesystem>

namespace rnn {

namespace fs = std::filesystem;

std::string numbers_folder(const std::string& model) {
  const char* const named = std::getenv("TMPDIR");
  if (named != nullptr && *named != '\0') return {};
  fs::path folder = fs::absolute(model);
  while (!fs::is_directory(folder) && folder.has_relative_path()) folder = folder.parent_path();
  return folder.string();
}

}  // namespace rnn
