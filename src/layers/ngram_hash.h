// The hash of NgramEmbedding, id by id.
#pragma once

#include <cstdint>

namespace rnn {

inline constexpr std::uint64_t kNoIdsHashed = 0xcbf29ce484222325u;

inline std::uint64_t hash_with(std::uint64_t hash, std::int32_t id) {
  hash = (hash ^ static_cast<std::uint64_t>(std::int64_t{id} + 1)) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 32;
}

}  // namespace rnn
