// The valid rows of a recurrent window, step by step: what makes ragged batches cost only what they
// hold.
#pragma once

#include <algorithm>
#include <span>

#include "kernels/native/scratch.h"
#include "rnn/kernels.h"

namespace rnn::native {

/// Where step s of a sequence stands in time.
inline Index time_of(Index s, Index length, bool go_backwards) {
  return go_backwards ? length - 1 - s : s;
}

inline Index longest(std::span<const std::int32_t> lengths, Index time) {
  if (lengths.empty()) return time;
  return std::min<Index>(time, *std::max_element(lengths.begin(), lengths.end()));
}

/// Divides the sequences of a batch among `parts` so that each has about as many steps. Depends on
/// nothing but the lengths.
class BatchParts {
 public:
  BatchParts(std::span<const std::int32_t> lengths, Index time, Index batch, int parts)
      : lengths_(lengths), time_(time), batch_(batch), parts_(parts) {
    for (Index b = 0; b < batch; ++b) total_ += length_of(lengths, b, time);
  }
  /// First sequence of a part; that of part `parts` is the batch size.
  Index first(int part) const {
    if (part == parts_) return batch_;
    if (lengths_.empty()) return batch_ * part / parts_;
    Index steps = 0, b = 0;
    for (; b < batch_ && steps * parts_ < total_ * part; ++b)
      steps += length_of(lengths_, b, time_);
    return b;
  }

 private:
  std::span<const std::int32_t> lengths_;
  Index time_, batch_;
  int parts_;
  Index total_ = 0;
};

}  // namespace rnn::native
