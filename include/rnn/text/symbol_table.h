// SymbolTable: strings numbered in the order of their arrival.
#pragma once

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
/// The numbers do not depend on the hash function. Safe to read from many threads.
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
  /// A hash of all strings in their order.
  std::uint64_t fingerprint() const;
  std::int32_t size() const { return static_cast<std::int32_t>(starts_.size() - 1); }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t number = -1;
  };
  std::size_t slot_of(std::string_view symbol, std::uint32_t hash) const;
  void grow();

  std::string bytes_;
  std::vector<std::size_t> starts_;  // where each string starts, and the end of the last
  std::vector<Slot> slots_;          // a power of two, at most half full; probed one after another
};

}  // namespace rnn
