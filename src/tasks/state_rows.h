// Rows of a recurrent state: one for each text that is worked on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "rnn/parameters.h"

namespace rnn {

/// Replaces the rows of `to`, which has the shapes of `from` but for their number: row i becomes
/// row rows[i] of `from`.
inline void gather_rows(const State& from, std::span<const std::size_t> rows, State& to) {
  for (std::size_t part = 0; part < from.size(); ++part) {
    const Index width = from[part].extent(1);
    to[part].resize({static_cast<Index>(rows.size()), width});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const float* const row = from[part].data() + static_cast<Index>(rows[i]) * width;
      std::copy_n(row, width, to[part].data() + static_cast<Index>(i) * width);
    }
  }
}

}  // namespace rnn
