// SymbolTable: strings numbered in the order of their arrival.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"

namespace rnn {

/// A hash table from strings to 0, 1, 2, ...: one block of bytes, one of slots, nothing per string,
/// because looking up words is most of the work of reading a corpus.
///
/// The hash has a secret that each process draws anew, so that no file can hold strings that are
/// slow to look up because they collide. The numbers do not depend on it. Safe to read from many
/// threads.
class RNN_API SymbolTable {
 public:
  SymbolTable();

  /// The number of a string, -1 when it is not there.
  std::int32_t find(std::string_view symbol) const;
  /// The number of a string, which is added when it is not there.
  std::int32_t insert(std::string_view symbol);
  /// The string of a number; valid until the table changes or moves.
  std::string_view operator[](std::int32_t number) const {
    const auto i = static_cast<std::size_t>(number);
    return std::string_view(bytes_).substr(starts_[i], starts_[i + 1] - starts_[i]);
  }
  /// A hash of all strings in their order, the same in every process.
  std::uint64_t fingerprint() const;
  /// The most slots that are looked at to find a string which is there. A few tens, whatever they
  /// are.
  std::size_t longest_search() const;
  std::int32_t size() const { return static_cast<std::int32_t>(starts_.size() - 1); }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t number = -1;
  };
  std::size_t slot_of(std::string_view symbol, std::uint32_t hash) const;
  void grow();

  std::array<std::uint64_t, 2> key_;  // of the hash
  std::string bytes_;
  std::vector<std::size_t> starts_;  // where each string starts, and the end of the last
  std::vector<Slot> slots_;          // a power of two, at most half full; probed one after another
};

}  // namespace rnn
