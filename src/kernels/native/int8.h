// Products of whole numbers of 8 bits with sums of 32: w ~ scale * q for a column of weights
// (kernels/int8_weights.h), x ~ scale * q for a row of inputs, whose scale is a function of that
// row alone. The sum over k of q_x * q_w is exact in any order, so every instruction that computes
// it gives the same bits; what follows is one fp32 multiply-add for each element.
//
// Four neighbours in k share a word of 32 bits. Rows of inputs are stored as q + 128, without sign,
// as the dot product of x86 wants it; what that adds is taken off by a correction per column.
#pragma once

#include <cstddef>
#include <cstdint>

#include "rnn/view.h"

namespace rnn::native {

/// A quantized row: its words, and what they are multiplied by.
struct Int8Row {
  const std::uint8_t* values;
  float scale;
};

/// R rows by V vectors of columns. A panel holds, for its vectors: scales, corrections (-128 times
/// the sum of a column), then the words of k = 0..3, 4..7 and so on.
struct Int8Tile {
  const Int8Row* a;
  Index words;
  const std::byte* panel;
  float* const* c;  // row r at c[r] + first_column
  Index first_column;
  Index lanes;        // of the last vector that are real
  const float* bias;  // what C starts at, from first_column on; null: what stands there
};
using Int8TileFunction = void (*)(Index rows, Index vectors, const Int8Tile& tile);

/// The deepest product whose sums, corrections among them (at most 128 * 127 for each step of k),
/// stay within 32 bits.
inline constexpr Index kInt8Deepest = 0x7fffffff / (128 * 127);

constexpr Index int8_words(Index depth) { return (depth + 3) / 4; }

constexpr Index kInt8TileRows = 6;

/// By vpdpbusd, for vectors of 16 lanes; null where compiler or processor lack it.
Int8TileFunction vnni_int8_tile();

}  // namespace rnn::native
