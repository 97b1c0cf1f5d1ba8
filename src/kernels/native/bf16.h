// Products of bf16 operands with fp32 sums.
//
// A bf16 is the upper half of an fp32. Two neighbours in k, k even, share a word of 32 bits, the
// even one in the lower half; with an odd depth the last word's upper half is zero. So a product of
// bf16 is a product of fp32 over half as many words whose multiply-add is
//
//   c = c + a_even * b_even + a_odd * b_odd
//
// and all that walks over tiles, panels and blocks is shared with fp32. How the terms are added is
// the instruction's business: vdpbf16ps rounds and treats tiny numbers in its own way; AMX sums
// sixteen words before it adds them; elsewhere they are two fp32 multiply-adds, the even one first.
// Either way an element is one accumulator that takes its words in order, or sixteen at a time
// counted from where its depth begins, so the promises hold on each path.
#pragma once

#include "kernels/native/tile.h"

namespace rnn::native {

struct Bf16Arithmetic {
  TileFunction tile, packed_tile;
  /// n floats to bf16, to nearest, ties to even: words_of(n) words.
  void (*round)(const float* from, Index n, float* words);
  /// n words of even[i] and odd[i], and zeros up to whole vectors. `odd` null: zeros.
  void (*interleave)(const float* even, const float* odd, Index n, float* words);
  /// Tiles are of matrix registers: of up to kMatrixRows rows, and packed ones have A as
  /// [row][word].
  bool matrices = false;
};

/// What a matrix register holds. Where a product's depth is divided by something that may change,
/// such as the size of a team, it is at multiples of kMatrixWords.
constexpr Index kMatrixRows = 16, kMatrixWords = 16;

/// Words that `depth` numbers take; `bf16` null: fp32.
inline Index words_of(const Bf16Arithmetic* bf16, Index depth) {
  return bf16 ? (depth + 1) / 2 : depth;
}

/// By widening to fp32, for the SIMD target at that place of Highway's tables.
Bf16Arithmetic widening_bf16(int target);

/// By vdpbf16ps, for tiles of the target AVX3; null where compiler or processor lack it.
const Bf16Arithmetic* avx512_bf16();

/// By AMX, likewise; null also where the system withholds it.
const Bf16Arithmetic* amx_bf16();

}  // namespace rnn::native
