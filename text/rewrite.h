// Rewrite: a text that is being made from another, and how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rnn {

/// The next `source` bytes became the next `made` bytes.
struct Edit {
  std::uint32_t source = 0;
  std::uint32_t made = 0;
  bool same = false;  ///< byte for byte
};

struct Rewrite {
  std::string text{};
  std::vector<Edit> edits{};

  void keep(std::string_view bytes) {
    text += bytes;
    const auto size = static_cast<std::uint32_t>(bytes.size());
    if (!edits.empty() && edits.back().same) {
      edits.back().source += size;
      edits.back().made += size;
    } else if (size > 0) {
      edits.push_back({size, size, true});
    }
  }
  void replace(std::size_t source, std::string_view by) {
    text += by;
    edits.push_back({static_cast<std::uint32_t>(source), static_cast<std::uint32_t>(by.size())});
  }
  bool changed() const { return edits.size() > 1 || (edits.size() == 1 && !edits[0].same); }
};

}  // namespace rnn
