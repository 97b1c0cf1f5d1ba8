#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/product.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/native/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// Depth of a packed block, a multiple of kMatrixWords: 64 columns of it are 256 KiB, which stay in
// the second-level cache while all rows pass. C is written once for each block and comes from far:
// with blocks of a quarter of that a window of the LSTM, H 1024, took a tenth longer.
constexpr Index kDepthBlock = 1024;
static_assert(kDepthBlock % kMatrixWords == 0);

// How far into its rows of A a tile is fetched beforehand; from there the prefetcher goes on.
constexpr Index kPrefetchDepth = 128;
// An A of at most 640 KiB has come to the second-level cache with the first panel: where rows are
// short, to fetch it again costs some per cent of the product.
constexpr Index kNearFloats = 160 << 10;

// An outer product packs at most this much of A for a sweep over C: 384 KiB. C is read and written
// once for each block of depth, so blocks are as deep as that allows, up to the second limit, whose
// panel of B is 128 KiB.
constexpr Index kOuterFloats = 96 << 10;
constexpr Index kOuterDepth = 512;
static_assert(kOuterDepth % kMatrixWords == 0 && kOuterFloats / kOuterRows >= kMatrixWords);

/// Whether the members of an outer product divide the rows of C rather than its columns: what
/// makes the largest share less work. Counted in vectors of C, tiles being whole; packing counts as
/// a few vectors more, and what is not divided is packed by every member.
bool outer_by_rows(const OuterProduct& p, int members) {
  constexpr Index kPackVector = 2, kPackTile = 4;
  const Index tile = outer_tile_rows(p.bf16);
  const auto cost = [tile](Index tiles, Index vectors) {
    return tiles * (tile * vectors + kPackTile) + kPackVector * vectors;
  };
  const Index w0 = p.terms[0].width, w1 = p.terms[1].width, vectors = vectors_of(p.columns);
  const auto tiles = [tile](Index rows) { return parts_of(rows, tile); };
  return cost(tiles(parts_of(w0 + w1, members)), vectors) <
         cost(tiles(w0) + tiles(w1), parts_of(vectors, members));
}

TileFunction tile_of(const Bf16Arithmetic* bf16) {
  return bf16 ? bf16->tile : multiply_tile_of<FloatWords>;
}

}  // namespace

void multiply_panel(const PanelProduct& p) {
  const TileFunction multiply_tile = tile_of(p.bf16);
  const Index tiles = parts_of(p.rows, tile_rows_of(p.bf16, p.vectors));
  const Index words = words_of(p.bf16, p.depth);
  for (Index tile = 0; tile < tiles; ++tile) {
    const Range rows = part_of(p.rows, tile, tiles);
    // Each tile fetches its part of the next panel, a line a word; a single one would only have to
    // wait for more.
    const bool fetches = p.next && tiles > 1 && (tile + 1) * kLineFloats <= p.next_vectors * kLanes;
    multiply_tile(rows.size(), p.vectors,
                  {.a = p.a + rows.first,
                   .first_k = 0,
                   .depth = words,
                   .panel = p.panel,
                   .c = p.c + rows.first,
                   .first_column = p.first_column,
                   .lanes = kLanes,
                   .start = p.start,
                   .bias = p.bias,
                   .ahead = fetches ? p.next + tile * words * kLineFloats : nullptr});
  }
}

Index product_buffer_floats() { return kDepthBlock * kMaxVectors * kLanes; }

void multiply(const Product& p, Range range, float* buffer) {
  const TileFunction multiply_tile = tile_of(p.bf16);
  const Index words = words_of(p.bf16, p.depth), numbers = p.bf16 ? 2 : 1;  // of a word
  const Index panels = parts_of(range.size(), kMaxVectors);
  for (Index panel = 0; panel < panels; ++panel) {
    const Range part = part_of(range.size(), panel, panels);
    const Index first = range.first + part.first, vectors = part.size();
    const PanelColumns columns = plain_columns(first, vectors, p.columns);
    const bool a_is_far = panel == 0 || p.rows * words > kNearFloats;
    for (Index k0 = 0; k0 == 0 || k0 < words; k0 += kDepthBlock) {
      const Index depth = words - k0 < kDepthBlock ? words - k0 : kDepthBlock;
      float* packed = p.packed ? p.packed + first * kLanes * words + k0 * vectors * kLanes : buffer;
      if (!p.packed || !p.packed_valid) {
        const Index k = k0 * numbers, here = std::min(depth * numbers, p.depth - k);
        if (p.b_transposed) {
          pack_panel_transposed(p.bf16, p.b + k, p.b_stride, here, columns, packed);
        } else {
          pack_panel(p.bf16, p.b + k * p.b_stride, p.b_stride, here, columns, packed);
        }
      }
      const Index tiles = parts_of(p.rows, tile_rows_of(p.bf16, vectors));
      for (Index i = 0; i < tiles; ++i) {
        const Range rows = part_of(p.rows, i, tiles);
        if (i + 1 < tiles) {
          const Range next = part_of(p.rows, i + 1, tiles);
          for (Index r = next.first; r < next.last; ++r) {
            for (Index k = 0; a_is_far && k < depth && k < kPrefetchDepth; k += 16)
              hwy::Prefetch(p.a[r] + k0 + k);
            for (Index v = 0; v < vectors; ++v) hwy::Prefetch(p.c[r] + (first + v) * kLanes);
          }
        }
        multiply_tile(rows.size(), vectors,
                      {.a = p.a + rows.first,
                       .first_k = k0,
                       .depth = depth,
                       .panel = packed,
                       .c = p.c + rows.first,
                       .first_column = first * kLanes,
                       .lanes = columns.lanes[vectors - 1],
                       .start = k0 == 0 ? p.start : Start::kAdd,
                       .bias = p.bias});
      }
    }
  }
}

void multiply_share(const Product& p, int member, int members, float* buffer) {
  const Index vectors = vectors_of(p.columns);
  if (p.packed) {
    const Range mine = part_of(p.packed_panels, member, members);
    for (Index panel = mine.first; panel < mine.last; ++panel) {
      multiply(p, part_of(vectors, panel, p.packed_panels), buffer);
    }
    return;
  }
  const Index by_columns = parts_of(vectors, members) * p.rows;
  const Index by_rows = vectors * parts_of(p.rows, members);
  if (by_columns * 20 <= by_rows * 21) {
    return multiply(p, part_of(vectors, member, members), buffer);
  }
  const Range rows = part_of(p.rows, member, members);
  Product mine = p;
  mine.a += rows.first;
  mine.c += rows.first;
  mine.rows = rows.size();
  multiply(mine, {0, vectors}, buffer);
}

Index outer_buffer_floats() {
  return kOuterDepth * (kMaxVectors * kLanes + kMaxOuterTileRows) + kOuterFloats;
}

void add_outer(const OuterProduct& p, int member, int members, float* buffer) {
  const Index tile_height = outer_tile_rows(p.bf16);
  const TileFunction multiply_packed_tile =
      p.bf16 ? p.bf16->packed_tile : multiply_packed_tile_of<FloatWords>;
  const Index words = words_of(p.bf16, p.depth), numbers = p.bf16 ? 2 : 1;  // of a word
  const Index all_rows = p.terms[0].width + p.terms[1].width;
  const bool by_rows = outer_by_rows(p, members);
  const Range columns =
      by_rows ? Range{0, vectors_of(p.columns)} : part_of(vectors_of(p.columns), member, members);
  const Range rows = by_rows ? part_of(all_rows, member, members) : Range{0, all_rows};
  const bool sums = p.sums && (!by_rows || member == 0);
  float* packed_a = buffer + kOuterDepth * kMaxVectors * kLanes;

  Index before = 0;  // rows of C before this term
  for (int term_number = 0; term_number < 2; ++term_number) {
    const OuterTerm& term = p.terms[term_number];
    const Index first = rows.first > before ? rows.first - before : 0;
    const Index last = rows.last - before < term.width ? rows.last - before : term.width;
    before += term.width;
    const bool sums_here = sums && term_number == 0;
    const Index all = last > first ? last - first : 0;
    const Index stretches = all > 0 ? parts_of(all, kOuterRows) : sums_here ? 1 : 0;
    for (Index stretch = 0; stretch < stretches; ++stretch) {
      const Index m0 = first + part_of(all, stretch, stretches).first;
      const Index width = part_of(all, stretch, stretches).size();
      const Index deepest = HWY_MIN(kOuterDepth, kOuterFloats / HWY_MAX(width, tile_height));
      const Index blocks = depth_blocks(words, deepest);
      for (Index block = 0; block < blocks; ++block) {
        const Range part_of_depth = depth_block(words, block, blocks);
        const Index k0 = part_of_depth.first, depth = part_of_depth.size();
        const Index k = k0 * numbers, here = std::min(depth * numbers, p.depth - k);
        if (width > 0) pack_outer_rows(p.bf16, term.a + k, here, m0, width, packed_a);
        const Index panels = parts_of(columns.size(), kMaxVectors);
        for (Index panel = 0; panel < panels; ++panel) {
          const Range part = part_of(columns.size(), panel, panels);
          const PanelColumns c = plain_columns(columns.first + part.first, part.size(), p.columns);
          if (width > 0) pack_panel_rows(p.bf16, p.b + k, p.first_column, here, c, buffer);
          for (Index v = 0; sums_here && m0 == first && v < c.vectors; ++v) {
            FloatVec acc = load_n(p.sums + c.column[v], c.lanes[v]);
            for (Index row = k; row < k + here; ++row) {
              acc = hn::Add(acc, load_n(p.b[row] + p.first_column + c.column[v], c.lanes[v]));
            }
            store_n(acc, p.sums + c.column[v], c.lanes[v]);
          }
          for (Index m = 0; m < width; m += tile_height) {
            const Index tile = HWY_MIN(width - m, tile_height);
            float* out[kMaxOuterTileRows];
            for (Index r = 0; r < tile; ++r) {
              out[r] = term.c + (m0 + m + r) * p.c_stride;
              for (Index v = 0; m + tile_height < width && v < c.vectors; ++v) {
                hwy::Prefetch(out[r] + tile_height * p.c_stride + c.column[0] + v * kLanes);
              }
            }
            const float* a = packed_a + m * depth;
            multiply_packed_tile(tile, c.vectors,
                                 {.a = &a,
                                  .first_k = 0,
                                  .depth = depth,
                                  .panel = buffer,
                                  .c = out,
                                  .first_column = c.column[0],
                                  .lanes = c.lanes[c.vectors - 1],
                                  .start = Start::kAdd,
                                  .bias = nullptr});
          }
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();
