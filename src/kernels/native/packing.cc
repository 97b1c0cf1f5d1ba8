// How operands are laid out for tiles: panels of B, and blocks of A for outer products.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/packing.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/native/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

/// Words of two rows of B, the columns of each vector of a panel.
void interleave(const Bf16Arithmetic& bf16, const float* even, const float* odd,
                const PanelColumns& columns, float* to) {
  for (Index v = 0, next; v < columns.vectors; v = next) {
    // Neighbouring columns go together.
    Index n = columns.lanes[v];
    for (next = v + 1; next < columns.vectors && n == (next - v) * kLanes &&
                       columns.column[next] == columns.column[v] + n;
         ++next) {
      n += columns.lanes[next];
    }
    const Index first = columns.column[v];
    bf16.interleave(even + first, odd ? odd + first : nullptr, n, to + v * kLanes);
  }
}

/// row(k): row k of B.
template <class Row>
void pack_rows(const Bf16Arithmetic* bf16, Index depth, const PanelColumns& columns, float* panel,
               const Row& row) {
  if (bf16) {
    for (Index k = 0; k < depth; k += 2, panel += columns.vectors * kLanes) {
      interleave(*bf16, row(k), k + 1 < depth ? row(k + 1) : nullptr, columns, panel);
    }
    return;
  }
  for (Index k = 0; k < depth; ++k) {
    const float* from = row(k);
    for (Index v = 0; v < columns.vectors; ++v, panel += kLanes) {
      store(load_n(from + columns.column[v], columns.lanes[v]), panel);
    }
  }
}

/// Columns of `count` rows, 1 to 4: to[k * width + i] = row[i * stride + k]. Four go fastest.
void transpose(const float* row, Index stride, Index count, Index depth, float* to, Index width) {
  Index k = 0;
#if HWY_TARGET != HWY_SCALAR
  // Four by four: the same shuffles on every target.
  const hn::CappedTag<float, 4> four;
  const hn::Repartition<double, decltype(four)> two;
  for (; count == 4 && k + 4 <= depth; k += 4) {
    const auto r0 = hn::LoadU(four, row + k), r1 = hn::LoadU(four, row + stride + k);
    const auto r2 = hn::LoadU(four, row + 2 * stride + k);
    const auto r3 = hn::LoadU(four, row + 3 * stride + k);
    const auto low01 = hn::BitCast(two, hn::InterleaveLower(four, r0, r1));
    const auto low23 = hn::BitCast(two, hn::InterleaveLower(four, r2, r3));
    const auto high01 = hn::BitCast(two, hn::InterleaveUpper(four, r0, r1));
    const auto high23 = hn::BitCast(two, hn::InterleaveUpper(four, r2, r3));
    float* out = to + k * width;
    hn::StoreU(hn::BitCast(four, hn::InterleaveLower(two, low01, low23)), four, out);
    hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(two, low01, low23)), four, out + width);
    hn::StoreU(hn::BitCast(four, hn::InterleaveLower(two, high01, high23)), four, out + 2 * width);
    hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(two, high01, high23)), four, out + 3 * width);
  }
#endif
  for (; k < depth; ++k) {
    for (Index i = 0; i < count; ++i) to[k * width + i] = row[i * stride + k];
  }
}

}  // namespace

Index packed_floats(const Bf16Arithmetic* bf16, Index depth, Index columns) {
  return words_of(bf16, depth) * vectors_of(columns) * kLanes;
}

PanelColumns plain_columns(Index first, Index vectors, Index columns) {
  PanelColumns result{.vectors = vectors, .column = {}, .lanes = {}};
  for (Index v = 0; v < vectors; ++v) {
    result.column[v] = (first + v) * kLanes;
    const Index left = columns - result.column[v];
    result.lanes[v] = left < kLanes ? left : kLanes;
  }
  return result;
}

void pack_panel(const Bf16Arithmetic* bf16, const float* b, Index stride, Index depth,
                const PanelColumns& columns, float* panel) {
  pack_rows(bf16, depth, columns, panel, [&](Index k) { return b + k * stride; });
}

void pack_panel_rows(const Bf16Arithmetic* bf16, const float* const* rows, Index first_column,
                     Index depth, const PanelColumns& columns, float* panel) {
  pack_rows(bf16, depth, columns, panel, [&](Index k) { return rows[k] + first_column; });
}

void pack_panel_transposed(const Bf16Arithmetic* bf16, const float* b, Index stride, Index depth,
                           const PanelColumns& columns, float* panel) {
  constexpr Index kRows = kLanes < 4 ? 1 : 4, kWords = 128;
  const Index width = columns.vectors * kLanes;
  float copy[kRows * kWords];
  for (Index v = 0; v < columns.vectors; ++v) {
    for (Index n = 0; n < kLanes; n += kRows) {
      const float* rows = b + (columns.column[v] + n) * stride;
      const Index real = std::clamp<Index>(columns.lanes[v] - n, 0, kRows);
      float* to = panel + v * kLanes + n;
      if (!bf16 && real == kRows) {
        transpose(rows, stride, kRows, depth, to, width);
        continue;
      }
      // In pieces, by way of a copy that is rounded, or has zeros for the missing rows.
      std::fill(copy + real * kWords, copy + kRows * kWords, 0.0f);
      const Index piece = bf16 ? 2 * kWords : kWords;
      for (Index k = 0; k < depth; k += piece) {
        const Index here = std::min(piece, depth - k), words = words_of(bf16, here);
        for (Index i = 0; i < real; ++i) {
          if (bf16) {
            bf16->round(rows + i * stride + k, here, copy + i * kWords);
          } else {
            std::copy_n(rows + i * stride + k, here, copy + i * kWords);
          }
        }
        transpose(copy, kWords, kRows, words, to + words_of(bf16, k) * width, width);
      }
    }
  }
}

void pack_outer_rows(const Bf16Arithmetic* bf16, const float* const* rows, Index depth, Index first,
                     Index width, float* packed) {
  constexpr Index kTile = tile_rows(kMaxVectors);
  const Index words = words_of(bf16, depth);
  if (bf16 && bf16->matrices) {
    constexpr Index kWords = 4, kStride = kOuterRows + kLanes;
    float rows_of_words[kWords * kStride];
    for (Index word = 0; word < words; word += kWords) {
      const Index here = std::min(kWords, words - word);
      for (Index i = 0; i < here; ++i) {
        const Index k = 2 * (word + i);
        bf16->interleave(rows[k] + first, k + 1 < depth ? rows[k + 1] + first : nullptr, width,
                         rows_of_words + i * kStride);
      }
      transpose(rows_of_words, kStride, here, width, packed + word, words);
    }
    return;
  }
  if (bf16) {
    const Index tiles = parts_of(width, kTile);
    float row[kOuterRows + kMaxTileRows];
    for (Index word = 0; word < words; ++word) {
      const float *even = rows[2 * word],
                  *odd = 2 * word + 1 < depth ? rows[2 * word + 1] : nullptr;
      bf16->interleave(even + first, odd ? odd + first : nullptr, width, row);
      std::fill(row + width, row + tiles * kTile, 0.0f);
      for (Index tile = 0; tile < tiles; ++tile) {
        std::memcpy(packed + (tile * words + word) * kTile, row + tile * kTile,
                    kTile * sizeof(float));
      }
    }
    return;
  }
  for (Index m = 0; m < width; m += kTile) {
    const Index n = width - m < kTile ? width - m : kTile;
    if (n == kTile) {
      for (Index k = 0; k < depth; ++k, packed += kTile) {
        std::memcpy(packed, rows[k] + first + m, kTile * sizeof(float));
      }
    } else {
      for (Index k = 0; k < depth; ++k, packed += kTile) {
        for (Index i = 0; i < kTile; ++i) packed[i] = i < n ? rows[k][first + m + i] : 0.0f;
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();
