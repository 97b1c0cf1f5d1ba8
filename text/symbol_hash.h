// The hash of a symbol under a key.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace rnn {

/// What is mixed into a hash, the multipliers too. Under a key that is known, symbols can be made
/// that all have one hash: two blocks suffice, of which the second makes the state zero.
using SymbolKey = std::array<std::uint64_t, 2>;

/// For what is stored, which no search depends on.
inline constexpr SymbolKey kStoredSymbolKey{0x9E3779B97F4A7C15u, 0xD6E8FEB86659FD93u};

/// For searching: drawn anew by each process, so that whoever makes a file cannot know it. Throws
/// Error when the system gives no random numbers.
SymbolKey secret_symbol_key();

/// The high and the low half of the product, which hangs on all bits of both.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Multiply and fold, eight bytes at a time; short strings, which most words are, take two loads.
inline std::uint32_t symbol_hash(std::string_view symbol, const SymbolKey& key) {
  const auto load = [](const char* from, auto word) {
    std::memcpy(&word, from, sizeof word);
    return static_cast<std::uint64_t>(word);
  };
  const char* at = symbol.data();
  std::size_t left = symbol.size();
  std::uint64_t hash = mix(left + key[0], key[1]);
  for (; left > 8; at += 8, left -= 8) hash = mix(hash ^ load(at, std::uint64_t{}), key[0]);
  std::uint64_t rest = 0;
  if (left >= 4) {
    rest = load(at, std::uint32_t{}) | load(at + left - 4, std::uint32_t{}) << 32;
  } else if (left > 0) {
    rest = load(at, std::uint8_t{}) | load(at + left / 2, std::uint8_t{}) << 8 |
           load(at + left - 1, std::uint8_t{}) << 16;
  }
  hash = mix(hash ^ rest, key[1]);
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

}  // namespace rnn
