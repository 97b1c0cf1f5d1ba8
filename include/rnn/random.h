// Counter-based random numbers: every draw is a function of where it is used, never of what was
// drawn before. That is why training gives the same bits for any number of threads, why a resumed
// training needs no generator state, and why a mask can be made again in the backward pass instead
// of being stored.
//
// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC
// 2011).
#pragma once

#include <array>
#include <cstdint>

namespace rnn {

/// A key from which draws are made at 128-bit positions. A value: copy it freely.
class Random {
 public:
  using Block = std::array<std::uint32_t, 4>;

  constexpr explicit Random(std::uint64_t seed = 0) : key_(seed) {}

  /// An independent key for a part of the work: `Random(seed).fold(step).fold(layer)`.
  constexpr Random fold(std::uint64_t part) const {
    const Block mixed = philox(
        {static_cast<std::uint32_t>(part), static_cast<std::uint32_t>(part >> 32), 0x666f6c64u, 0u},
        key_);
    return Random(mixed[0] | static_cast<std::uint64_t>(mixed[1]) << 32);
  }

  /// Four words that belong to position (a, b, c, d).
  constexpr Block block(std::uint32_t a, std::uint32_t b = 0, std::uint32_t c = 0,
                        std::uint32_t d = 0) const {
    return philox({a, b, c, d}, key_);
  }

  /// Uniform in [0, 1), a multiple of 2^-24: exact in float.
  static constexpr float to_uniform(std::uint32_t word) {
    return static_cast<float>(word >> 8) * 0x1p-24f;
  }
  /// Uniform in [0, 1) with 53 bits.
  static constexpr double to_uniform(std::uint32_t high, std::uint32_t low) {
    const std::uint64_t word = static_cast<std::uint64_t>(high) << 32 | low;
    return static_cast<double>(word >> 11) * 0x1p-53;
  }

  /// One uniform draw in [0, 1) at position `i`. Four neighbours share a block.
  constexpr float uniform(std::uint64_t i) const {
    const std::uint64_t quarter = i / 4;
    return to_uniform(block(static_cast<std::uint32_t>(quarter),
                            static_cast<std::uint32_t>(quarter >> 32))[i % 4]);
  }

  constexpr std::uint64_t key() const { return key_; }

 private:
  static constexpr Block philox(Block counter, std::uint64_t key) {
    std::uint32_t k0 = static_cast<std::uint32_t>(key);
    std::uint32_t k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter[0];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter[2];
      counter = {
          static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ k0, static_cast<std::uint32_t>(p1),
          static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ k1, static_cast<std::uint32_t>(p0)};
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return counter;
  }

  std::uint64_t key_;
};

}  // namespace rnn
