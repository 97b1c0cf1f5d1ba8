// Which file the texts of a collection came from, for messages.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace rnn {

/// Texts of one file stand side by side, so one entry a file is enough.
class SourceFiles {
 public:
  /// Text `i`, which comes after all that were added, is of this file.
  void add(std::int64_t i, const std::string& file) {
    if (!files_.empty() && files_.back() == file) return;
    files_.push_back(file);
    first_.push_back(i);
  }
  /// The name of the file of text `i`.
  const std::string& of(std::int64_t i) const {
    const auto after = std::upper_bound(first_.begin(), first_.end(), i);
    return files_[static_cast<std::size_t>(after - first_.begin()) - 1];
  }

 private:
  std::vector<std::string> files_{};
  std::vector<std::int64_t> first_{};  // text of each file
};

}  // namespace rnn
