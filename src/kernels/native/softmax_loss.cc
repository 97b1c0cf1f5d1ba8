// A softmax and its loss over tiles of the vocabulary: what is made of the logits of a tile is made
// while they are in the second-level cache.
//
// Forward, a tile of logits becomes exponentials at once, each over the largest logit of its row
// and tile; these are kept, and one factor a row and tile makes probabilities of them when the sums
// of all tiles are known. Backward, a tile of probabilities becomes one of gradients, and goes into
// the gradients of the features and of the weights at once.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/softmax_loss.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/product-inl.h"
#include "kernels/native/rows.h"
#include "kernels/native/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

// With few rows the weights stay packed in scratch for the next call.
constexpr Index kRowsToKeepPacked = 64;
// So many rows of a tile are made of logits to exponentials at a time.
constexpr Index kRowsAtOnce = 1024;

constexpr Index kTileRows = tile_rows(kMaxVectors);

// --- what is kept -----------------------------------------------------------------------------

/// Tile after tile [rows][size of the tile], then the factors [rows][tiles].
struct Kept {
  float* values;
  float* factors;
  const VocabularyTiles& tiles;
  Index rows;

  float* row(Index tile, Index r) const {
    return values + tiles.first(tile) * rows + r * tiles.size(tile);
  }
  float* factors_of(Index r) const { return factors + r * tiles.count(); }
};

/// One member's part of tiles times rows: some of the tiles or, where these do not divide well,
/// some of the rows.
struct Share {
  Range tiles, rows;
};
Share share_of_work(Index tiles, Index rows, bool by_tiles, int member, int members) {
  if (by_tiles || parts_of(tiles, members) * rows * 20 <= tiles * parts_of(rows, members) * 21) {
    return {part_of(tiles, member, members), {0, rows}};
  }
  return {{0, tiles}, part_of(rows, member, members)};
}

// --- forward ----------------------------------------------------------------------------------

struct ForwardPlan {
  Index F, V;
  PackedKey* key;
  float* packed;
  const float** x;
  Index* step;    // of each valid row
  float* words;   // under bf16: rows of x, rounded
  float* tops;    // [rows][tiles]: the largest logit
  float* sums;    // [rows][tiles]: of exponentials
  float* below;   // [rows][tiles]: of how far logits are below the largest; for smoothing
  float** c;      // each member's
  float* logits;  // each member's, where nothing is kept
  float* buffers;
};

ForwardPlan lay_out(const SoftmaxLossForward<float>& a, const Bf16Arithmetic* bf16, int threads,
                    Scratch& scratch) {
  const Index rows = a.x.extent(0) * a.x.extent(1);
  ForwardPlan p{};
  p.F = a.x.extent(2);
  p.V = a.classes();
  const VocabularyTiles tiles(p.V);
  p.key = scratch.take<PackedKey>(1);
  if (rows <= kRowsToKeepPacked && a.weights_version != 0) {
    p.packed = scratch.take<float>(packed_floats(bf16, p.F, p.V));
  }
  p.x = scratch.take<const float*>(rows);
  p.step = scratch.take<Index>(rows);
  if (bf16) p.words = scratch.take<float>(rows * words_of(bf16, p.F));
  if (!a.for_backward) p.tops = scratch.take<float>(rows * tiles.count());
  p.sums = scratch.take<float>(rows * tiles.count());
  p.below = scratch.take<float>(rows * tiles.count());
  const Index at_once = std::min(rows, kRowsAtOnce);
  p.c = scratch.take<float*>(at_once * threads);
  if (!a.for_backward) p.logits = scratch.take<float>(at_once * tiles.largest() * threads);
  p.buffers = scratch.take<float>(product_buffer_floats() * threads);
  return p;
}

/// Of a row whose tiles are all summed: the loss and, for the backward pass, what makes
/// probabilities of the exponentials.
void finish_row(const SoftmaxLossForward<float>& a, const VocabularyTiles& tiles, Index step,
                float* tops, const float* sums, const float* below) {
  const Index count = tiles.count();
  const float top = largest(tops, count);
  FloatVec sum = hn::Zero(Floats());
  for_vectors(count, [&](Index i, Index n) HWY_ATTR {
    const FloatVec share = share_of(load_n(tops + i, n), top);
    sum = hn::Add(sum, first_lanes(hn::Mul(load_n(sums + i, n), share), n));
  });
  const float normalizer = log_normalizer(top, sum);
  float& nats = a.nats[step];  // the logit of the target so far
  nats = normalizer - nats;
  if (a.smoothing != 0) {
    float all = 0;
    for (Index tile = 0; tile < count; ++tile) {
      all +=
          static_cast<float>(tiles.size(tile)) * (normalizer - shift_of(tops[tile])) + below[tile];
    }
    const float spread = a.smoothing / static_cast<float>(tiles.first(count));
    nats = (1 - a.smoothing) * nats + spread * all;
  }
  if (!a.for_backward) return;
  for_vectors(count, [&](Index i, Index n) HWY_ATTR {
    store_n(share_of(load_n(tops + i, n), normalizer), tops + i, n);
  });
}

}  // namespace

Index softmax_loss_kept(const SoftmaxLossForward<float>& a) {
  if (!a.for_backward) return 0;
  const Index V = a.classes();
  return a.targets.size() * (V + VocabularyTiles(V).count());
}

std::size_t softmax_loss_forward_scratch(const SoftmaxLossForward<float>& a,
                                         const Bf16Arithmetic* bf16, int threads) {
  Scratch scratch;
  lay_out(a, bf16, threads, scratch);
  return scratch.bytes();
}

void softmax_loss_forward(const SoftmaxLossForward<float>& a, const Bf16Arithmetic* bf16,
                          ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  ForwardPlan p = lay_out(a, bf16, pool.threads(), scratch);
  const Index F = p.F, V = p.V;
  const VocabularyTiles tiles(V);
  Index rows = 0;
  for_steps(
      a.lengths, a.x.extent(0), a.x.extent(1),
      [&](Index step) {
        a.nats[step] = 0;
        p.x[rows] = a.x.data() + step * F;
        p.step[rows++] = step;
      },
      [&](Index step) { a.nats[step] = 0; });
  const Kept kept{a.kept.data(), a.kept.data() + a.targets.size() * V, tiles, rows};
  if (a.for_backward) p.tops = kept.factors;
  const PackedKey made{.magic = PackedKey::kMagic,
                       .version = a.weights_version,
                       .first = a.kernel.data(),
                       .second = nullptr,
                       .extents = {F, V},
                       .kind = a.transposed ? 103 : 102,
                       .layout = 0,
                       .arithmetic = bf16};
  const bool valid = p.packed && *p.key == made;
  SpinBarrier barrier;
  pool.run_team(pool.threads_for(rows * F * V), [&](int member, int members) HWY_ATTR {
    if (bf16) {
      round_share(*bf16, p.x, rows, F, p.words, p.x, member, members);
      barrier.wait(members);
    }
    const Share mine = share_of_work(tiles.count(), rows, p.packed != nullptr, member, members);
    const Index at_once = std::min(a.targets.size(), kRowsAtOnce);
    float** c = p.c + member * at_once;
    float* logits = p.logits ? p.logits + member * at_once * tiles.largest() : nullptr;
    for (Index tile = mine.tiles.first; tile < mine.tiles.last; ++tile) {
      const Index first = tiles.first(tile), size = tiles.size(tile);
      const Index pieces = parts_of(mine.rows.size(), kRowsAtOnce);
      for (Index piece = 0; piece < pieces; ++piece) {
        const Range part = part_of(mine.rows.size(), piece, pieces);
        const Index r0 = mine.rows.first + part.first, count = part.size();
        for (Index r = 0; r < count; ++r) {
          c[r] = a.for_backward ? kept.row(tile, r0 + r) : logits + r * size;
        }
        multiply({.bf16 = bf16,
                  .a = p.x + r0,
                  .c = c,
                  .rows = count,
                  .depth = F,
                  .columns = size,
                  .b = a.kernel.data() + first * (a.transposed ? F : 1),
                  .b_stride = a.transposed ? F : V,
                  .b_transposed = a.transposed,
                  .start = a.bias ? Start::kBias : Start::kZero,
                  .bias = a.bias ? a.bias.data() + first : nullptr,
                  .packed = p.packed ? p.packed + words_of(bf16, F) * first : nullptr,
                  .packed_valid = valid},
                 {0, vectors_of(size)}, p.buffers + member * product_buffer_floats());
        for (Index r = 0; r < count; ++r) {
          const Index step = p.step[r0 + r], target = a.targets[step];
          if (target < 0) continue;
          if (first <= target && target < first + size) a.nats[step] = c[r][target - first];
          const Index at = (r0 + r) * tiles.count() + tile;
          const float top = largest(c[r], size), shift = shift_of(top);
          p.tops[at] = top;
          if (a.smoothing != 0) p.below[at] = sum_below(c[r], size, shift);
          p.sums[at] =
              a.for_backward ? sum_exp<true>(c[r], size, shift) : sum_exp<false>(c[r], size, shift);
        }
      }
    }
    barrier.wait(members);
    const Range finished = part_of(rows, member, members);
    for (Index r = finished.first; r < finished.last; ++r) {
      if (a.targets[p.step[r]] < 0) continue;
      const Index at = r * tiles.count();
      finish_row(a, tiles, p.step[r], p.tops + at, p.sums + at, p.below + at);
    }
  });
  *p.key = p.packed ? made : PackedKey{};
}

// --- backward ---------------------------------------------------------------------------------

namespace {

// Steps of a block of the weights' gradients, in words: a panel of them is 128 KiB.
constexpr Index kOuterDepth = 512;

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
Index padded_features(bool transposed, Index F) {
  return transposed ? vectors_of(F) * kLanes : parts_of(F, kTileRows) * kTileRows;
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
  if (a.dkernel) {
    p.packed_x = scratch.take<float>(words_of(bf16, rows) * padded_features(a.transposed, p.F));
  }
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
  return parts_of(words_of(bf16, rows), kOuterDepth);
}
Block block_of(const Bf16Arithmetic* bf16, Index rows, Index block) {
  const Range words = part_of(words_of(bf16, rows), block, blocks_of(bf16, rows));
  const Index numbers = bf16 ? 2 : 1, first = words.first * numbers;
  return {words.first, words.size(), first, std::min(words.size() * numbers, rows - first)};
}

/// One member's share of packing the features: as rows of tiles, or where the weights are
/// transposed as panels.
void pack_features(const BackwardPlan& p, const Bf16Arithmetic* bf16, bool transposed, Index rows,
                   int member, int members) {
  const Index padded = padded_features(transposed, p.F);
  const Index unit = transposed ? kMaxVectors * kLanes : kTileRows;
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
        width = std::min(last - f, kOuterRows / kTileRows * kTileRows);
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
  const Index padded = padded_features(false, p.F);
  for (Index block = 0; block < blocks_of(bf16, t.count); ++block) {
    const Block b = block_of(bf16, t.count, block);
    for (Index panel = 0; panel < panels; ++panel) {
      const Range part = part_of(vectors, panel, panels);
      pack_panel_rows(bf16, t.rows + b.first, 0, b.steps,
                      plain_columns(part.first, part.size(), t.size),
                      buffer + part.first * kLanes * b.words);
    }
    for (Index f = units.first * kTileRows; f < units.last * kTileRows; f += kTileRows) {
      const Index rows = std::min(p.F - f, kTileRows);
      float* out[kTileRows];
      for (Index r = 0; r < rows; ++r) out[r] = dkernel + (f + r) * p.V + t.first;
      const float* packed = p.packed_x + b.first_word * padded + f * b.words;
      for (Index panel = 0; panel < panels; ++panel) {
        const Range part = part_of(vectors, panel, panels);
        const PanelColumns c = plain_columns(part.first, part.size(), t.size);
        if (f + 2 * kTileRows <= p.F) {
          for (Index r = 0; r < kTileRows; ++r) {
            for (Index v = 0; v < c.vectors; ++v) {
              hwy::Prefetch(out[r] + kTileRows * p.V + c.column[0] + v * kLanes);
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
  const Index padded = padded_features(true, p.F), panel = kMaxVectors * kLanes;
  for (Index block = 0; block < blocks_of(bf16, t.count); ++block) {
    const Block b = block_of(bf16, t.count, block);
    pack_outer_rows(bf16, t.rows + b.first, b.steps, 0, width, buffer);
    for (Index f = units.first * panel; f < std::min(p.F, units.last * panel); f += panel) {
      const PanelColumns c = plain_columns(f / kLanes, vectors_of(std::min(p.F - f, panel)), p.F);
      for (Index m = 0; m < width; m += kTileRows) {
        const Index rows = std::min(width - m, kTileRows);
        float* out[kTileRows];
        for (Index r = 0; r < rows; ++r) {
          out[r] = dkernel + (t.first + m + r) * p.F;
          for (Index v = 0; m + 2 * kTileRows <= width && v < c.vectors; ++v) {
            hwy::Prefetch(out[r] + kTileRows * p.F + c.column[0] + v * kLanes);
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
  const Kept kept{a.kept.data(), a.kept.data() + N * V, tiles, rows};
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
    const Index units = parts_of(F, a.transposed ? kMaxVectors * kLanes : kTileRows);
    for (Index tile = 0; tile < tiles.count(); ++tile) {
      set_rows(tile);
      rows_of_tile(tile);
      if (members == 1) weights_of_tile(tile, {0, units});
    }
    if (members == 1) return;
    // Several members meet once: for each tile, as one would have it, they would wait too often.
    barrier.wait(members);
    const Share share = share_of_work(tiles.count(), units, false, member, members);
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
HWY_EXPORT(softmax_loss_forward);
HWY_EXPORT(softmax_loss_backward);
HWY_EXPORT(softmax_loss_forward_scratch);
HWY_EXPORT(softmax_loss_backward_scratch);
HWY_EXPORT(softmax_loss_kept);

void fill_softmax_loss(KernelTable& table, int target) {
  table.softmax_loss_forward = HWY_DISPATCH_TABLE(softmax_loss_forward)[target];
  table.softmax_loss_backward = HWY_DISPATCH_TABLE(softmax_loss_backward)[target];
  table.softmax_loss_forward_scratch = HWY_DISPATCH_TABLE(softmax_loss_forward_scratch)[target];
  table.softmax_loss_backward_scratch = HWY_DISPATCH_TABLE(softmax_loss_backward_scratch)[target];
  table.softmax_loss_kept = HWY_DISPATCH_TABLE(softmax_loss_kept)[target];
}
}  // namespace rnn::native
#endif
