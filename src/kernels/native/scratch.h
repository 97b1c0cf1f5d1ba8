// How a kernel lays out the scratch memory it is given.
#pragma once

#include <cstddef>
#include <cstdint>

#include "rnn/view.h"

namespace rnn::native {

/// Hands out pieces of scratch one after the other, each on a cache line of its own. Made without
/// memory it only counts: one function that takes what a kernel needs serves both
/// Backend::scratch_bytes and the kernel itself.
class Scratch {
 public:
  Scratch() = default;
  explicit Scratch(std::byte* memory) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    memory_ = memory + (kLine - address % kLine) % kLine;
  }

  template <class T>
  T* take(Index count) {
    std::byte* piece = memory_ ? memory_ + used_ : nullptr;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + kLine - 1) / kLine * kLine;
    return reinterpret_cast<T*>(piece);
  }

  /// What was taken, with room to align memory that comes unaligned.
  std::size_t bytes() const { return used_ + kLine; }

 private:
  static constexpr std::size_t kLine = 64;
  std::byte* memory_ = nullptr;
  std::size_t used_ = 0;
};

/// Says which weights a packed copy at the start of scratch was made from, and of which table rows
/// are known there.
struct PackedKey {
  static constexpr std::uint64_t kMagic = 0x6b63617065766974u;
  std::uint64_t magic, version;
  const void *first, *second;
  Index extents[2];
  int kind, layout;
  const void* arithmetic;  // null: fp32
  const void* table = nullptr;
  Index table_rows = 0;
  friend bool operator==(const PackedKey&, const PackedKey&) = default;
};

}  // namespace rnn::native
