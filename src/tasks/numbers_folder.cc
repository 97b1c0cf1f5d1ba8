#include "tasks/numbers_folder.h"

#include <cstdlib>
#include <filesystem>

namespace rnn {

namespace fs = std::filesystem;

std::string numbers_folder(const std::string& model) {
  if (std::getenv("TMPDIR") != nullptr) return {};
  fs::path folder = fs::absolute(model);
  while (!fs::is_directory(folder) && folder.has_relative_path()) folder = folder.parent_path();
  return folder.string();
}

}  // namespace rnn
