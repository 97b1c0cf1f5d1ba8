// The matrix products of the native backend, declared for every SIMD target; product.cc defines
// them.
//
// Everything rests on one tile: R rows by V vectors of columns, each element one accumulator in a
// register that starts at zero, at the bias or at what stands in C, and takes a_k * b_k in the
// order of k (matrix registers: sixteen words of them at a time, see bf16.h, so that depth may be
// divided at multiples of that alone). Rows come by pointer, so a ragged batch needs no copying. B
// comes in panels of at most four vectors of columns, packed so that a tile reads memory once and
// in order. How rows and columns are divided into tiles and threads never changes what an element
// adds up, nor in which order.
#include "kernels/native/bf16.h"
#include "kernels/native/tile-inl.h"

#if defined(RNN_KERNELS_NATIVE_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_PRODUCT_INL_H_
#undef RNN_KERNELS_NATIVE_PRODUCT_INL_H_
#else
#define RNN_KERNELS_NATIVE_PRODUCT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

/// Part `part` of `parts` equal parts of [0, size), sizes differing by at most one.
struct Range {
  Index first, last;
  Index size() const { return last - first; }
};
HWY_INLINE Range part_of(Index size, Index part, Index parts) {
  return {size * part / parts, size * (part + 1) / parts};
}

/// Parts of at most `most`, as equal as can be.
HWY_INLINE Index parts_of(Index size, Index most) { return (size + most - 1) / most; }

/// Panels of at most `most` vectors in which `vectors` stay packed: in equal shares for `parts`
/// members where there are vectors enough. They are divided by panels among a team of any size, so
/// that the next call finds them packed whatever its team.
HWY_INLINE Index panels_of(Index vectors, Index most, int parts) {
  const Index panels = parts * parts_of(parts_of(vectors, parts), most);
  return panels < vectors ? panels : vectors;
}

/// One member's share of rounding rows of `depth` numbers for products that read them as words:
/// rounded[r] is row r, in `words` (words_of(bf16, depth) a row). Padding that a product never
/// reads need not be listed.
HWY_INLINE void round_share(const Bf16Arithmetic& bf16, const float* const* rows, Index count,
                            Index depth, float* words, const float** rounded, int member,
                            int members) {
  const Range mine = part_of(count, member, members);
  for (Index r = mine.first; r < mine.last; ++r) {
    float* to = words + r * words_of(&bf16, depth);
    bf16.round(rows[r], depth, to);
    rounded[r] = to;
  }
}

/// Rows of a tile of so many vectors.
HWY_INLINE Index tile_rows_of(const Bf16Arithmetic* bf16, Index vectors) {
  return bf16 && bf16->matrices ? kMatrixRows : tile_rows(vectors);
}
/// Rows of a packed tile of an outer product, whose C has kMaxVectors vectors, and their most.
HWY_INLINE Index outer_tile_rows(const Bf16Arithmetic* bf16) {
  return tile_rows_of(bf16, kMaxVectors);
}
constexpr Index kMaxOuterTileRows = kMatrixRows;
static_assert(tile_rows(kMaxVectors) <= kMaxOuterTileRows);

/// Block `block` of `blocks` of a depth in words, divided where matrix registers may be.
HWY_INLINE Range depth_block(Index words, Index block, Index blocks) {
  const Range part = part_of(parts_of(words, kMatrixWords), block, blocks);
  return {part.first * kMatrixWords, HWY_MIN(words, part.last * kMatrixWords)};
}
/// How many of those there are, of at most `most` words each.
HWY_INLINE Index depth_blocks(Index words, Index most) {
  return parts_of(parts_of(words, kMatrixWords), most / kMatrixWords);
}

/// Rows of a recurrent step done together: what is made of them stays in the first-level cache.
constexpr Index kStepRows = 64;

/// Some rows by one packed panel, for a recurrent step. C is whole vectors here:
/// c[r][first_column + v * kLanes + lane], and so is the bias. (Walking the panel in parts that
/// stay in the first-level cache while all rows pass was tried and gained nothing: a tile runs at
/// 97 % of the FMA peak with its panel in the second-level cache, and at 93 % with it in the
/// third.)
struct PanelProduct {
  const Bf16Arithmetic* bf16;  // null: fp32
  const float* const* a;       // floats, or rounded to words
  Index rows;
  Index depth;  // in numbers
  const float* panel;
  Index vectors;
  float* const* c;
  Start start;
  Index first_column = 0;
  const float* bias = nullptr;
  /// The panel that comes next, or null, and its vectors: it is fetched from the third-level cache
  /// while the rows pass. (H 650, B 64 forward: an eighth of the time where that cache is slow.)
  const float* next = nullptr;
  Index next_vectors = 0;
};
void multiply_panel(const PanelProduct& product);

/// panel[k][v][lane] for k in [0, depth): element (k, column[v] + lane) of B, zero from `lanes[v]`
/// on. Rows of B are `b + k * stride`. Under bf16 a panel has words of two rows.
struct PanelColumns {
  Index vectors;
  Index column[kMaxVectors];
  Index lanes[kMaxVectors];
};
/// Neighbouring columns: those of vectors [first, first + vectors) of a row `columns` long.
PanelColumns plain_columns(Index first, Index vectors, Index columns);
void pack_panel(const Bf16Arithmetic* bf16, const float* b, Index stride, Index depth,
                const PanelColumns& columns, float* panel);
/// The same of B transposed: element (k, n) stands at b[n * stride + k].
void pack_panel_transposed(const Bf16Arithmetic* bf16, const float* b, Index stride, Index depth,
                           const PanelColumns& columns, float* panel);

/// The same of rows by pointer, from `first_column` on.
void pack_panel_rows(const Bf16Arithmetic* bf16, const float* const* rows, Index first_column,
                     Index depth, const PanelColumns& columns, float* panel);

/// C = start + A B over whole rows of C.
struct Product {
  const Bf16Arithmetic* bf16;  // null: fp32
  const float* const* a;       // floats, or rounded to words
  float* const* c;
  Index rows, depth, columns;
  const float* b;
  Index b_stride;
  bool b_transposed;
  Start start;
  const float* bias;
  float* packed;            // where all of B stays packed for the next call, or null
  bool packed_valid;        // whether it does already
  Index packed_panels = 0;  // in how many panels: panels_of
};
/// Floats that `packed` takes, and that `buffer` below takes.
Index packed_floats(const Bf16Arithmetic* bf16, Index depth, Index columns);
Index product_buffer_floats();
/// The part of C in vectors [range.first, range.last) of its columns.
void multiply(const Product& product, Range vectors, float* buffer);
/// One member's share of the whole product: some of the columns, or where these do not divide well,
/// some of the rows.
void multiply_share(const Product& product, int member, int members, float* buffer);

/// C[m][n] += sum over k of A[k][m] * B[k][n]: the gradient of a weight matrix. A may be two
/// matrices side by side, each with its own C, so that members divide their rows together. All are
/// floats; under bf16 packing rounds A and B, but not what `sums` adds up.
struct OuterTerm {
  const float* const* a;  // row k
  Index width;            // 0: absent
  float* c;               // row m at c + m * c_stride
};
struct OuterProduct {
  const Bf16Arithmetic* bf16;  // null: fp32
  OuterTerm terms[2];
  Index c_stride;
  Index depth;
  const float* const* b;  // row k, columns [first_column, first_column + columns)
  Index first_column, columns;
  float* sums;  // [columns]: the sums of B's columns are added; or null
};
/// At most so many rows of C share one packing of A.
constexpr Index kOuterRows = 384;
/// Columns [first, first + width) of `depth` rows by pointer, as blocks [tile][word][tile rows], or
/// for matrix registers [column][word]. `width` is at most kOuterRows.
void pack_outer_rows(const Bf16Arithmetic* bf16, const float* const* rows, Index depth, Index first,
                     Index width, float* packed);
Index outer_buffer_floats();
/// Divides the work over `members`: each C element belongs to one of them.
void add_outer(const OuterProduct& outer, int member, int members, float* buffer);

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
