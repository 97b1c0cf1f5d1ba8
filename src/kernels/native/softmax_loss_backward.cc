// A softmax and its loss over tiles of the vocabulary, backward: see softmax_loss-inl.h.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/softmax_loss_backward.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/rows.h"
#include "kernels/native/softmax_loss-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// Steps of a block of the weights' gradients, in words: a panel of them is 128 KiB.
constexpr Index kOuterDepth = 512;
static_assert(kOuterDepth % kMatrixWords == 0);

struct BackwardPlan {
  Index F, V;
  PackedKey* key;
  const float** x;
  Index* step;
  float** dx;
  float* packed_x;        // for the weights' gradients
  const float** dlogits;  // each member's rows of a tile
  const float** rounded;  // each member's; under bf16: the same as words
  float* words;           // under bf16: of a tile
  float* buffers;
  Index buffer_floats;
};

/// Features side by side as operands of the weights' gradients are whole tiles or vectors.
Index padded_features(const Bf16Arithmetic* bf16, bool transposed, Index F) {
  const Index unit = transposed ? kLanes : outer_tile_rows(bf16);
  return parts_of(F, unit) * unit;
}

BackwardPlan lay_out(const SoftmaxLossBackward<float>& a, const Bf16Arithmetic* bf16, int threads,
                     Scratch& scratch) {
  const Index rows = a.x.extent(0) * a.x.extent(1);
  BackwardPlan p{};
  p.F = a.x.extent(2);
  p.V = a.classes();
  const VocabularyTiles tiles(p.V);
  p.key = scratch.take<PackedKey>(1);
  p.x = scratch.take<const float*>(rows);
  p.step = scratch.take<Index>(rows);
  p.dx = scratch.take<float*>(rows);
  p.packed_x = scratch.take<float>(words_of(bf16, rows) * padded_features(bf16, a.transposed, p.F));
  p.dlogits = scratch.take<const float*>(rows * threads);
  if (bf16 && a.dx) {
    p.rounded = scratch.take<const float*>(rows * threads);
    p.words = scratch.take<float>(rows * words_of(bf16, tiles.largest()));
  }
  const Index columns = (vectors_of(tiles.largest()) + kMaxVectors) * kLanes;
  p.buffer_floats = std::max(product_buffer_floats(), kOuterDepth * columns);
  p.buffers = scratch.take<float>(p.buffer_floats * threads);
  return p;
}

/// Steps in blocks of whole words.
struct Block {
  Index first_word, words, first, steps;
};
Index blocks_of(const Bf16Arithmetic* bf16, Index rows) {
  return depth_blocks(words_of(bf16, rows), kOuterDepth);
}
Block block_of(const Bf16Arithmetic* bf16, Index rows, Index block) {
  const Range words = depth_block(words_of(bf16, rows), block, blocks_of(bf16, rows));
  const Index numbers = bf16 ? 2 : 1, first = words.first * numbers;
  return {words.first, words.size(), first, std::min(words.size() * numbers, rows - first)};
}

/// One member's share of packing the features: as rows of tiles, or where the weights are
/// transposed as panels.
void pack_features(const BackwardPlan& p, const Bf16Arithmetic* bf16, bool transposed, Index rows,
                   int member, int members) {
  const Index padded = padded_features(bf16, transposed, p.F);
  const Index tile = outer_tile_rows(bf16), unit = transposed ? kMaxVectors * kLanes : tile;
  const Range units = part_of(parts_of(p.F, unit), member, members);
  for (Index block = 0; block < blocks_of(bf16, rows); ++block) {
    const Block b = block_of(bf16, rows, block);
    float* to = p.packed_x + b.first_word * padded;
    const Index last = std::min(p.F, units.last * unit);
    for (Index f = units.first * unit; f < last;) {
      Index width = std::min(last - f, unit);
      if (transposed) {
        pack_panel_rows(bf16, p.x + b.first, 0, b.steps,
                        plain_columns(f / kLanes, vectors_of(width), p.F), to + f * b.words);
      } else {
        width = std::min(last - f, kOuterRows / tile * tile);
        pack_outer_rows(bf16, p.x + b.first, b.steps, f, width, to + f * b.words);
      }
      f += width;
    }
  }
}

/// Row of the kept values of a tile to its gradient, in place.
void to_gradient(float* row, Index size, float factor, float scale, float spread) {
  const FloatVec by = splat(factor), times = splat(scale), less = splat(spread);
  for_vectors(size, [&](Index i, Index n) HWY_ATTR {
    const FloatVec probability = hn::Mul(load_n(row + i, n), by);
    store_n(hn::Mul(times, hn::Sub(probability, less)), row + i, n);
  });
}

struct GradientTile {
  const float* const* rows;
  Index count, first, size;
};

void add_bias_gradient(const GradientTile& t, float* dbias) {
  for_vectors(t.size, [&](Index column, Index n) HWY_ATTR {
    FloatVec sum = load_n(dbias + t.first + column, n);
    for (Index r = 0; r < t.count; ++r) sum = hn::Add(sum, load_n(t.rows[r] + column, n));
    store_n(sum, dbias + t.first + column, n);
  });
}

void multiply_packed(const Bf16Arithmetic* bf16, Index rows, Index vectors, const Tile& tile) {
  if (bf16) return bf16->packed_tile(rows, vectors, tile);
  multiply_packed_tile_of<FloatWords>(rows, vectors, tile);
}

/// dkernel [F,V] of the columns of a tile and the features in tiles `units`.
void add_kernel_gradient(const BackwardPlan& p, const Bf16Arithmetic* bf16, const GradientTile& t,
                         Range units, float* dkernel, float* buffer) {
  const Index vectors = vectors_of(t.size), panels = parts_of(vectors, kMaxVectors);
  const Index padded = padded_features(bf16, false, p.F), tile = outer_tile_rows(bf16);
  for (Index block = 0; block < blocks_of(bf16, t.count); ++block) {
    const Block b = block_of(bf16, t.count, block);
    for (Index panel = 0; panel < panels; ++panel) {
      const Range part = part_of(vectors, panel, panels);
      pack_panel_rows(bf16, t.rows + b.first, 0, b.steps,
                      plain_columns(part.first, part.size(), t.size),
                      buffer + part.first * kLanes * b.words);
    }
    for (Index f = units.first * tile; f < units.last * tile; f += tile) {
      const Index rows = std::min(p.F - f, tile);
      float* out[kMaxOuterTileRows];
      for (Index r = 0; r < rows; ++r) out[r] = dkernel + (f + r) * p.V + t.first;
      const float* packed = p.packed_x + b.first_word * padded + f * b.words;
      for (Index panel = 0; panel < panels; ++panel) {
        const Range part = part_of(vectors, panel, panels);
        const PanelColumns c = plain_columns(part.first, part.size(), t.size);
        if (f + 2 * tile <= p.F) {
          for (Index r = 0; r < tile; ++r) {
            for (Index v = 0; v < c.vectors; ++v) {
              hwy::Prefetch(out[r] + tile * p.V + c.column[0] + v * kLanes);
            }
          }
        }
        multiply_packed(bf16, rows, c.vectors,
                        {.a = &packed,
                         .first_k = 0,
                         .depth = b.words,
                         .panel = buffer + part.first * kLanes * b.words,
                         .c = out,
                         .first_column = c.column[0],
                         .lanes = c.lanes[c.vectors - 1],
                         .start = Start::kAdd,
                         .bias = nullptr});
      }
    }
  }
}

/// dkernel [V,F] of the columns of a tile and the features in panels `units`.
void add_table_gradient(const BackwardPlan& p, const Bf16Arithmetic* bf16, const GradientTile& t,
                        Range units, float* dkernel, float* buffer) {
  const Index width = t.size;
  const Index padded = padded_features(bf16, true, p.F), panel = kMaxVectors * kLanes;
  const Index tile = outer_tile_rows(bf16);
  for (Index block = 0; block < blocks_of(bf16, t.count); ++block) {
    const Block b = block_of(bf16, t.count, block);
    pack_outer_rows(bf16, t.rows + b.first, b.steps, 0, width, buffer);
    for (Index f = units.first * panel; f < std::min(p.F, units.last * panel); f += panel) {
      const PanelColumns c = plain_columns(f / kLanes, vectors_of(std::min(p.F - f, panel)), p.F);
      for (Index m = 0; m < width; m += tile) {
        const Index rows = std::min(width - m, tile);
        float* out[kMaxOuterTileRows];
        for (Index r = 0; r < rows; ++r) {
          out[r] = dkernel + (t.first + m + r) * p.F;
          for (Index v = 0; m + 2 * tile <= width && v < c.vectors; ++v) {
            hwy::Prefetch(out[r] + tile * p.F + c.column[0] + v * kLanes);
          }
        }
        const float* packed = buffer + m * b.words;
        multiply_packed(bf16, rows, c.vectors,
                        {.a = &packed,
                         .first_k = 0,
                         .depth = b.words,
                         .panel = p.packed_x + b.first_word * padded + f * b.words,
                         .c = out,
                         .first_column = c.column[0],
                         .lanes = c.lanes[c.vectors - 1],
                         .start = Start::kAdd,
                         .bias = nullptr});
      }
    }
  }
}

}  // namespace

std::size_t softmax_loss_backward_scratch(const SoftmaxLossBackward<float>& a,
                                          const Bf16Arithmetic* bf16, int threads) {
  Scratch scratch;
  lay_out(a, bf16, threads, scratch);
  return scratch.bytes();
}

void softmax_loss_backward(const SoftmaxLossBackward<float>& a, const Bf16Arithmetic* bf16,
                           ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  const BackwardPlan p = lay_out(a, bf16, pool.threads(), scratch);
  *p.key = {};  // whatever a forward pass left packed here is gone
  const Index F = p.F, V = p.V, N = a.targets.size();
  const VocabularyTiles tiles(V);
  Index rows = 0;
  for_steps(
      a.lengths, a.x.extent(0), a.x.extent(1),
      [&](Index step) {
        p.x[rows] = a.x.data() + step * F;
        p.dx[rows] = a.dx ? a.dx.data() + step * F : nullptr;
        p.step[rows++] = step;
      },
      [&](Index step) {
        if (a.dx) std::fill_n(a.dx.data() + step * F, F, 0.0f);
      });
  const KeptTiles kept{a.kept.data(), a.kept.data() + N * V, tiles, rows};
  const float spread = a.smoothing / static_cast<float>(V), hit = 1 - a.smoothing + spread;
  SpinBarrier barrier;
  pool.run_team(pool.threads_for(rows * F * V), [&](int member, int members) HWY_ATTR {
    const Range mine = part_of(rows, member, members);
    const float** dlogits = p.dlogits + member * N;
    const float** rounded = p.rounded ? p.rounded + member * N : nullptr;
    float* buffer = p.buffers + member * p.buffer_floats;
    const auto set_rows = [&](Index tile) {
      for (Index r = 0; r < rows; ++r) dlogits[r] = kept.row(tile, r);
    };
    const auto rows_of_tile = [&](Index tile) HWY_ATTR {
      const Index first = tiles.first(tile), size = tiles.size(tile);
      for (Index r = mine.first; r < mine.last; ++r) {
        float* row = kept.row(tile, r);
        const Index step = p.step[r], target = a.targets[step] - first;
        if (a.targets[step] < 0) {
          std::fill_n(row, size, 0.0f);
        } else {
          const float factor = kept.factors_of(r)[tile];
          const float scale = a.weights ? a.scale * a.weights[step] : a.scale;
          const bool here = target >= 0 && target < size;
          const float at_target = here ? scale * (row[target] * factor - hit) : 0;
          to_gradient(row, size, factor, scale, spread);
          if (here) row[target] = at_target;
        }
        if (!rounded) continue;
        float* words = p.words + r * words_of(bf16, tiles.largest());
        bf16->round(row, size, words);
        rounded[r] = words;
      }
      if (!a.dx) return;
      multiply({.bf16 = bf16,
                .a = (rounded ? rounded : dlogits) + mine.first,
                .c = p.dx + mine.first,
                .rows = mine.size(),
                .depth = size,
                .columns = F,
                .b = a.kernel.data() + first * (a.transposed ? F : 1),
                .b_stride = a.transposed ? F : V,
                .b_transposed = !a.transposed,
                .start = tile == 0 ? Start::kZero : Start::kAdd,
                .bias = nullptr,
                .packed = nullptr,
                .packed_valid = false},
               {0, vectors_of(F)}, buffer);
    };
    const auto weights_of_tile = [&](Index tile, Range units) HWY_ATTR {
      const GradientTile t{dlogits, rows, tiles.first(tile), tiles.size(tile)};
      if (a.dbias && units.first == 0 && units.last > 0) add_bias_gradient(t, a.dbias.data());
      if (!a.dkernel) return;
      if (a.transposed) {
        add_table_gradient(p, bf16, t, units, a.dkernel.data(), buffer);
      } else {
        add_kernel_gradient(p, bf16, t, units, a.dkernel.data(), buffer);
      }
    };
    if (a.dkernel) pack_features(p, bf16, a.transposed, rows, member, members);
    const Index units = parts_of(F, a.transposed ? kMaxVectors * kLanes : outer_tile_rows(bf16));
    for (Index tile = 0; tile < tiles.count(); ++tile) {
      set_rows(tile);
      rows_of_tile(tile);
      if (members == 1) weights_of_tile(tile, {0, units});
    }
    if (members == 1) return;
    // Several members meet once: for each tile, as one would have it, they would wait too often.
    barrier.wait(members);
    const TileShare share = share_of_work(tiles.count(), units, false, member, members);
    for (Index tile = share.tiles.first; tile < share.tiles.last; ++tile) {
      set_rows(tile);
      weights_of_tile(tile, share.rows);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(softmax_loss_backward);
HWY_EXPORT(softmax_loss_backward_scratch);

void fill_softmax_loss_backward(KernelTable& table, int target) {
  table.softmax_loss_backward = HWY_DISPATCH_TABLE(softmax_loss_backward)[target];
  table.softmax_loss_backward_scratch = HWY_DISPATCH_TABLE(softmax_loss_backward_scratch)[target];
}
}  // namespace rnn::native
#endif
