// What the input gives the gates, for symbols that come again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/native/scratch.h"
#include "rnn/kernels.h"

namespace rnn::native {

/// x W + b of the first symbols of a vocabulary, which puts what is frequent first. Where x is rows
/// of a table, what a row gives the gates is worked out when its symbol is first met, and copied
/// from then on: in later calls too, while the packed weights beside it stay. A copy has the bits
/// of the product, since a row's product does not depend on other rows.
class KnownInputs {
 public:
  KnownInputs() = default;
  /// `floats`: of a row of pre-activations.
  KnownInputs(const RecurrentForward<float>& a, Index floats, Scratch& scratch) {
    if (!a.table || a.weights_version == 0) return;
    const Index row_bytes = floats * static_cast<Index>(sizeof(float));
    count_ = std::min(a.table.extent(0), kMostBytes / row_bytes);
    floats_ = floats;
    symbols_ = a.symbols.data();
    rows_ = scratch.take<float>(count_ * floats);
    known_ = scratch.take<std::uint8_t>(count_);
  }

  explicit operator bool() const { return count_ > 0; }
  void forget() { std::fill_n(known_, count_, std::uint8_t{0}); }

  struct Place {
    float* row;  // null: a symbol that is not kept
    bool fresh;  // nothing stands there yet: whoever asked puts it there
  };
  /// For row t * B + b of x.
  Place find(Index row) {
    if (count_ == 0) return {nullptr, true};
    const Index symbol = symbols_[row];
    if (symbol < 0 || symbol >= count_) return {nullptr, true};
    return {rows_ + symbol * floats_, std::exchange(known_[symbol], std::uint8_t{1}) == 0};
  }

 private:
  // More would not stay in a third-level cache, and each direction of a layer in each Inference has
  // its own.
  static constexpr Index kMostBytes = Index{16} << 20;
  Index count_ = 0, floats_ = 0;
  const std::int32_t* symbols_ = nullptr;
  float* rows_ = nullptr;
  std::uint8_t* known_ = nullptr;
};

/// Floats [first, first + count) of each of `rows` rows that are known; known[r] is null where row
/// r is computed.
inline void copy_known(const float* const* known, float* const* to, Index rows, Index first,
                       Index count) {
  for (Index r = 0; r < rows; ++r) {
    if (known[r]) std::copy_n(known[r] + first, count, to[r] + first);
  }
}

}  // namespace rnn::native
