#include "rnn/text/symbol_table.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>

#include "rnn/error.h"
#include "text/symbol_hash.h"

namespace rnn {
SymbolKey secret_symbol_key() {
  static const SymbolKey secret = [] {
    SymbolKey drawn;
    if (getentropy(drawn.data(), sizeof drawn) != 0) {
      throw Error(std::string("the system gives no random numbers: ") + std::strerror(errno));
    }
    return SymbolKey{drawn[0] | 1, drawn[1] | 1};  // an even multiplier loses bits
  }();
  return secret;
}

SymbolTable::SymbolTable() : key_(secret_symbol_key()), starts_(1, 0), slots_(64) {}

std::size_t SymbolTable::slot_of(std::string_view symbol, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.number < 0 || (slot.hash == hash && (*this)[slot.number] == symbol)) return i;
  }
}

std::int32_t SymbolTable::find(std::string_view symbol) const {
  return slots_[slot_of(symbol, symbol_hash(symbol, key_))].number;
}

std::int32_t SymbolTable::insert(std::string_view symbol) {
  const std::uint32_t hash = symbol_hash(symbol, key_);
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
    hash = mix(hash ^ symbol_hash((*this)[i], kStoredSymbolKey), 0xA0761D6478BD642Fu) +
           (*this)[i].size();
  }
  return hash;
}

std::size_t SymbolTable::longest_search() const {
  std::size_t longest = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].number < 0) continue;
    longest = std::max(longest, ((i - slots_[i].hash) & (slots_.size() - 1)) + 1);
  }
  return longest;
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
