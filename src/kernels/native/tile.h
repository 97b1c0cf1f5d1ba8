// One tile of a matrix product: R rows by V vectors of columns, each element one accumulator.
#pragma once

#include "rnn/view.h"

namespace rnn::native {

/// What an element of a product starts from: nothing, the bias of its column, or what stands in C.
enum class Start { kZero, kBias, kAdd };

/// C's columns stand at c[r] + first_column, `lanes` of the last vector being real. Depth counts
/// words of 32 bits: a float, or a pair of bf16 (see bf16.h).
struct Tile {
  const float* const* a;  // row r is a[r][first_k ...]
  Index first_k;
  Index depth;
  const float* panel;  // [depth][vectors * kLanes]
  float* const* c;
  Index first_column;
  Index lanes;
  Start start;
  const float* bias;  // bias + first_column for this tile's columns
  /// Where a line of the cache is fetched beforehand for each word of depth; or null.
  const float* ahead = nullptr;
};

/// `rows` of a tile are real. In a packed tile A is one block [depth][tile rows], but for matrix
/// registers (see bf16.h).
using TileFunction = void (*)(Index rows, Index vectors, const Tile& tile);

// A tile must stay in registers from its first instruction to its last: loops over it are unrolled
// by name, and partial vectors have loops of their own. (Left to itself, GCC 12 sent the start of a
// tile through the stack, a tenth of the time at a depth of 512.)
#define RNN_UNROLL _Pragma("GCC unroll 16")

/// Into the second-level cache.
inline void fetch(const float* line) { __builtin_prefetch(line, 0, 2); }
constexpr Index kLineFloats = 16;

}  // namespace rnn::native
