// The valid rows of a window: what makes ragged batches cost only what they hold.
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

/// work(row) for each step that is valid, clear(row) for each of padding; row is t * batch + b.
template <class Work, class Clear>
void for_steps(std::span<const std::int32_t> lengths, Index time, Index batch, const Work& work,
               const Clear& clear) {
  for (Index t = 0; t < time; ++t) {
    for (Index b = 0; b < batch; ++b) {
      if (t < length_of(lengths, b, time)) {
        work(t * batch + b);
      } else {
        clear(t * batch + b);
      }
    }
  }
}

/// `from`, or zeros where there is none.
inline void copy_or_zero(View<const float> from, float* to, Index size) {
  if (from) {
    std::copy_n(from.data(), size, to);
  } else {
    std::fill_n(to, size, 0.0f);
  }
}

/// After a window forward: final states, and zeros for padding. `c` [B,H] is the running cell
/// state; `zeros` [P].
inline void finish_states(const RecurrentForward<float>& a, const float* c, const float* zeros) {
  const Index time = a.x.extent(0), batch = a.x.extent(1), P = a.y.extent(2);
  for (Index b = 0; b < batch; ++b) {
    const Index length = length_of(a.lengths, b, time);
    if (a.hn) {
      float* hn = a.hn.data() + b * P;
      const float* from = length > 0 ? &a.y(time_of(length - 1, length, a.go_backwards), b, 0)
                          : a.h0     ? a.h0.data() + b * P
                                     : zeros;
      if (from != hn) std::copy_n(from, P, hn);
    }
    if (a.cn) std::copy_n(c + b * a.cn.extent(1), a.cn.extent(1), a.cn.data() + b * a.cn.extent(1));
    for (Index t = length; t < time; ++t) std::fill_n(&a.y(t, b, 0), P, 0.0f);
  }
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
