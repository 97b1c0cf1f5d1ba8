#include "rnn/text/symbol_table.h"

#include <cstring>
#include <limits>

#include "rnn/error.h"

namespace rnn {
namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

template <class Word>
std::uint64_t load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// Multiply and fold, eight bytes at a time; short strings, which most words are, take two loads.
std::uint32_t hash_of(std::string_view symbol) {
  constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15u, kSecond = 0xD6E8FEB86659FD93u;
  const char* at = symbol.data();
  std::size_t left = symbol.size();
  std::uint64_t hash = mix(left + kFirst, kSecond);
  for (; left > 8; at += 8, left -= 8) hash = mix(hash ^ load<std::uint64_t>(at), kFirst);
  std::uint64_t rest = 0;
  if (left >= 4) {
    rest = load<std::uint32_t>(at) | load<std::uint32_t>(at + left - 4) << 32;
  } else if (left > 0) {
    rest = load<std::uint8_t>(at) | load<std::uint8_t>(at + left / 2) << 8 |
           load<std::uint8_t>(at + left - 1) << 16;
  }
  hash = mix(hash ^ rest, kSecond);
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

}  // namespace

SymbolTable::SymbolTable() : starts_(1, 0), slots_(64) {}

std::size_t SymbolTable::slot_of(std::string_view symbol, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.number < 0 || (slot.hash == hash && (*this)[slot.number] == symbol)) return i;
  }
}

std::int32_t SymbolTable::find(std::string_view symbol) const {
  return slots_[slot_of(symbol, hash_of(symbol))].number;
}

std::int32_t SymbolTable::insert(std::string_view symbol) {
  const std::uint32_t hash = hash_of(symbol);
  std::size_t slot = slot_of(symbol, hash);
  if (slots_[slot].number >= 0) return slots_[slot].number;
  if (size() == std::numeric_limits<std::int32_t>::max()) {
    throw TextError("more than 2147483647 different symbols: use a smaller unit");
  }
  if (2 * starts_.size() > slots_.size()) {
    grow();
    slot = slot_of(symbol, hash);
  }
  bytes_ += symbol;
  starts_.push_back(bytes_.size());
  slots_[slot] = {hash, size() - 1};
  return size() - 1;
}

std::uint64_t SymbolTable::fingerprint() const {
  std::uint64_t hash = starts_.size();
  for (std::int32_t i = 0; i < size(); ++i) {
    hash = mix(hash ^ hash_of((*this)[i]), 0xA0761D6478BD642Fu) + (*this)[i].size();
  }
  return hash;
}

void SymbolTable::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.number < 0) continue;
    std::size_t i = slot.hash & mask;
    while (slots_[i].number >= 0) i = (i + 1) & mask;
    slots_[i] = slot;
  }
}

}  // namespace rnn
