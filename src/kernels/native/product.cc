#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/product.cc"
#include "hwy/foreach_target.h"
#include "kernels/native/targets.h"
//
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/native/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// Depth of a packed block: 64 columns of it are 64 KiB, which stay in the second-level cache while
// all rows pass.
constexpr Index kDepthBlock = 256;

// How far into its rows of A a tile is fetched beforehand; from there the prefetcher goes on.
constexpr Index kPrefetchDepth = 128;
// An outer product packs at most this much of A for a sweep over C: 384 KiB. C is read and written
// once for each block of depth, so blocks are as deep as that allows, up to the second limit, whose
// panel of B is 128 KiB.
constexpr Index kOuterFloats = 96 << 10;
constexpr Index kOuterRows = 384, kOuterDepth = 512;

// The tile must stay in registers from its first instruction to its last: loops over it are
// unrolled by name, and partial vectors have loops of their own. (Left to itself, GCC 12 sent the
// start of a tile through the stack, a tenth of the time at a depth of 512.)
#define RNN_UNROLL _Pragma("GCC unroll 16")

/// kPacked: A is one block [depth][R] with row r of C in column r; `rows` of them are real.
template <int R, int V, bool kPacked>
void run_tile(const Tile& t, Index rows) {
  FloatVec acc[R][V];
  const bool full = t.lanes == kLanes;
  RNN_UNROLL
  for (int r = 0; r < R; ++r) {
    RNN_UNROLL
    for (int v = 0; v < V; ++v) acc[r][v] = hn::Zero(Floats());
  }
  if (t.start != Start::kZero) {
    RNN_UNROLL
    for (int r = 0; r < R; ++r) {
      if (kPacked && r >= rows) break;
      const float* from = (t.start == Start::kBias ? t.bias : t.c[r]) + t.first_column;
      RNN_UNROLL
      for (int v = 0; v < V - 1; ++v) acc[r][v] = load(from + v * kLanes);
      acc[r][V - 1] =
          full ? load(from + (V - 1) * kLanes) : load_n(from + (V - 1) * kLanes, t.lanes);
    }
  }

  const float* HWY_RESTRICT panel = t.panel;
  if constexpr (kPacked) {
    const float* HWY_RESTRICT a = t.a[0];
    for (Index k = 0; k < t.depth; ++k, panel += V * kLanes, a += R) {
      FloatVec b[V];
      RNN_UNROLL
      for (int v = 0; v < V; ++v) b[v] = load(panel + v * kLanes);
      RNN_UNROLL
      for (int r = 0; r < R; ++r) {
        const FloatVec x = splat(a[r]);
        RNN_UNROLL
        for (int v = 0; v < V; ++v) acc[r][v] = hn::MulAdd(x, b[v], acc[r][v]);
      }
    }
  } else {
    const float* a[R];
    RNN_UNROLL
    for (int r = 0; r < R; ++r) a[r] = t.a[r] + t.first_k;
    for (Index k = 0; k < t.depth; ++k, panel += V * kLanes) {
      FloatVec b[V];
      RNN_UNROLL
      for (int v = 0; v < V; ++v) b[v] = load(panel + v * kLanes);
      RNN_UNROLL
      for (int r = 0; r < R; ++r) {
        const FloatVec x = splat(a[r][k]);
        RNN_UNROLL
        for (int v = 0; v < V; ++v) acc[r][v] = hn::MulAdd(x, b[v], acc[r][v]);
      }
    }
  }

  RNN_UNROLL
  for (int r = 0; r < R; ++r) {
    if (kPacked && r >= rows) break;
    float* to = t.c[r] + t.first_column;
    RNN_UNROLL
    for (int v = 0; v < V - 1; ++v) store(acc[r][v], to + v * kLanes);
    if (full) {
      store(acc[r][V - 1], to + (V - 1) * kLanes);
    } else {
      store_n(acc[r][V - 1], to + (V - 1) * kLanes, t.lanes);
    }
  }
}

template <int V, int R = static_cast<int>(tile_rows(V))>
void run_tile_of(Index rows, const Tile& tile) {
  if (rows == R) return run_tile<R, V, false>(tile, rows);
  if constexpr (R > 1) run_tile_of<V, R - 1>(rows, tile);
}

template <int V>
void run_packed_tile(Index rows, const Tile& tile) {
  run_tile<static_cast<int>(tile_rows(kMaxVectors)), V, true>(tile, rows);
}

void multiply_packed_tile(Index rows, Index vectors, const Tile& tile) {
  if (vectors == 4) return run_packed_tile<4>(rows, tile);
  if (vectors == 3) return run_packed_tile<3>(rows, tile);
  if (vectors == 2) return run_packed_tile<2>(rows, tile);
  run_packed_tile<1>(rows, tile);
}

/// Columns [first, first + width) of `depth` rows by pointer, as tiles [tile][k][kTile].
void pack_outer_rows(const float* const* rows, Index depth, Index first, Index width,
                     float* packed) {
  constexpr Index kTile = tile_rows(kMaxVectors);
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

}  // namespace

void multiply_tile(Index rows, Index vectors, const Tile& tile) {
  if (vectors == 4) return run_tile_of<4>(rows, tile);
  if (vectors == 3) return run_tile_of<3>(rows, tile);
  if (vectors == 2) return run_tile_of<2>(rows, tile);
  run_tile_of<1>(rows, tile);
}

void multiply_panel(const PanelProduct& p) {
  const Index tiles = parts_of(p.rows, tile_rows(p.vectors));
  for (Index tile = 0; tile < tiles; ++tile) {
    const Range rows = part_of(p.rows, tile, tiles);
    multiply_tile(rows.size(), p.vectors,
                  {.a = p.a + rows.first,
                   .first_k = p.first_k,
                   .depth = p.depth,
                   .panel = p.panel,
                   .c = p.c + rows.first,
                   .first_column = 0,
                   .lanes = kLanes,
                   .start = p.start,
                   .bias = nullptr});
  }
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

void pack_panel(const float* b, Index stride, Index depth, const PanelColumns& columns,
                float* panel) {
  for (Index k = 0; k < depth; ++k) {
    for (Index v = 0; v < columns.vectors; ++v, panel += kLanes) {
      store(load_n(b + k * stride + columns.column[v], columns.lanes[v]), panel);
    }
  }
}

void pack_panel_transposed(const float* b, Index stride, Index depth, const PanelColumns& columns,
                           float* panel) {
  const Index width = columns.vectors * kLanes;
  for (Index v = 0; v < columns.vectors; ++v) {
    const float* from = b + columns.column[v] * stride;
    float* to = panel + v * kLanes;
    Index n = 0;
#if HWY_TARGET != HWY_SCALAR
    // Four by four: the same shuffles on every target.
    const hn::CappedTag<float, 4> four;
    const hn::Repartition<double, decltype(four)> two;
    for (; n + 4 <= columns.lanes[v]; n += 4) {
      const float* row = from + n * stride;
      Index k = 0;
      for (; k + 4 <= depth; k += 4) {
        const auto r0 = hn::LoadU(four, row + k), r1 = hn::LoadU(four, row + stride + k);
        const auto r2 = hn::LoadU(four, row + 2 * stride + k);
        const auto r3 = hn::LoadU(four, row + 3 * stride + k);
        const auto low01 = hn::BitCast(two, hn::InterleaveLower(four, r0, r1));
        const auto low23 = hn::BitCast(two, hn::InterleaveLower(four, r2, r3));
        const auto high01 = hn::BitCast(two, hn::InterleaveUpper(four, r0, r1));
        const auto high23 = hn::BitCast(two, hn::InterleaveUpper(four, r2, r3));
        float* out = to + k * width + n;
        hn::StoreU(hn::BitCast(four, hn::InterleaveLower(two, low01, low23)), four, out);
        hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(two, low01, low23)), four, out + width);
        hn::StoreU(hn::BitCast(four, hn::InterleaveLower(two, high01, high23)), four,
                   out + 2 * width);
        hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(two, high01, high23)), four,
                   out + 3 * width);
      }
      for (; k < depth; ++k) {
        for (Index i = 0; i < 4; ++i) to[k * width + n + i] = row[i * stride + k];
      }
    }
#endif
    for (; n < kLanes; ++n) {
      for (Index k = 0; k < depth; ++k) {
        to[k * width + n] = n < columns.lanes[v] ? from[n * stride + k] : 0.0f;
      }
    }
  }
}

Index packed_floats(Index depth, Index columns) { return depth * vectors_of(columns) * kLanes; }
Index product_buffer_floats() { return kDepthBlock * kMaxVectors * kLanes; }

void multiply(const Product& p, Range range, float* buffer) {
  const Index panels = parts_of(range.size(), kMaxVectors);
  for (Index panel = 0; panel < panels; ++panel) {
    const Range part = part_of(range.size(), panel, panels);
    const Index first = range.first + part.first, vectors = part.size();
    const PanelColumns columns = plain_columns(first, vectors, p.columns);
    for (Index k0 = 0; k0 == 0 || k0 < p.depth; k0 += kDepthBlock) {
      const Index depth = p.depth - k0 < kDepthBlock ? p.depth - k0 : kDepthBlock;
      float* packed =
          p.packed ? p.packed + first * kLanes * p.depth + k0 * vectors * kLanes : buffer;
      if (!p.packed || !p.packed_valid) {
        if (p.b_transposed) {
          pack_panel_transposed(p.b + k0, p.b_stride, depth, columns, packed);
        } else {
          pack_panel(p.b + k0 * p.b_stride, p.b_stride, depth, columns, packed);
        }
      }
      const Index tiles = parts_of(p.rows, tile_rows(vectors));
      for (Index i = 0; i < tiles; ++i) {
        const Range rows = part_of(p.rows, i, tiles);
        if (i + 1 < tiles) {
          const Range next = part_of(p.rows, i + 1, tiles);
          for (Index r = next.first; r < next.last; ++r) {
            for (Index k = 0; k < depth && k < kPrefetchDepth; k += 16)
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
  const Index by_columns = parts_of(vectors, members) * p.rows;
  const Index by_rows = vectors * parts_of(p.rows, members);
  if (p.packed || by_columns * 20 <= by_rows * 21) {
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
  constexpr Index kTile = tile_rows(kMaxVectors);
  return kOuterDepth * (kMaxVectors * kLanes + kTile) + kOuterFloats;
}

void add_outer(const OuterProduct& p, int member, int members, float* buffer) {
  constexpr Index kTile = tile_rows(kMaxVectors);
  const Index all_rows = p.terms[0].width + p.terms[1].width;
  // Whoever divides the longer side packs less of what others pack too.
  const bool by_rows = all_rows > p.columns;
  const Range columns =
      by_rows ? Range{0, vectors_of(p.columns)} : part_of(vectors_of(p.columns), member, members);
  const Range rows = by_rows ? part_of(all_rows, member, members) : Range{0, all_rows};
  const bool sums = (p.sums[0] || p.sums[1]) && (!by_rows || member == 0);
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
      const Index deepest = HWY_MIN(kOuterDepth, kOuterFloats / HWY_MAX(width, kTile));
      const Index blocks = parts_of(p.depth, deepest);
      for (Index block = 0; block < blocks; ++block) {
        const Index k0 = part_of(p.depth, block, blocks).first;
        const Index depth = part_of(p.depth, block, blocks).size();
        if (width > 0) pack_outer_rows(term.a + k0, depth, m0, width, packed_a);
        const Index panels = parts_of(columns.size(), kMaxVectors);
        for (Index panel = 0; panel < panels; ++panel) {
          const Range part = part_of(columns.size(), panel, panels);
          const PanelColumns c = plain_columns(columns.first + part.first, part.size(), p.columns);
          float* to = buffer;
          for (Index k = 0; k < depth; ++k) {
            for (Index v = 0; v < c.vectors; ++v, to += kLanes) {
              store(load_n(p.b[k0 + k] + p.first_column + c.column[v], c.lanes[v]), to);
            }
          }
          for (float* sum : p.sums) {
            if (!sums_here || !sum || m0 != first) continue;
            for (Index v = 0; v < c.vectors; ++v) {
              FloatVec acc = load_n(sum + c.column[v], c.lanes[v]);
              for (Index k = 0; k < depth; ++k) {
                acc = hn::Add(acc, load(buffer + (k * c.vectors + v) * kLanes));
              }
              store_n(acc, sum + c.column[v], c.lanes[v]);
            }
          }
          for (Index m = 0; m < width; m += kTile) {
            const Index tile = width - m < kTile ? width - m : kTile;
            float* out[kTile];
            for (Index r = 0; r < tile; ++r) {
              out[r] = term.c + (m0 + m + r) * p.c_stride;
              for (Index v = 0; m + kTile < width && v < c.vectors; ++v) {
                hwy::Prefetch(out[r] + kTile * p.c_stride + c.column[0] + v * kLanes);
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
