// The tile that every product rests on, for every SIMD target: its rows, vectors and accumulators
// are the same whatever a word of an operand holds; `Words` says that.
#include "kernels/native/simd-inl.h"
#include "kernels/native/tile.h"

#if defined(RNN_KERNELS_NATIVE_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_TILE_INL_H_
#undef RNN_KERNELS_NATIVE_TILE_INL_H_
#else
#define RNN_KERNELS_NATIVE_TILE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

constexpr Index kMaxVectors = 4;

/// Registers: 32 hold 24 accumulators, four vectors of B and a broadcast element of A; 16 hold 12.
#if HWY_ARCH_ARM || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3)
constexpr Index kAccumulators = 24;
#else
constexpr Index kAccumulators = 12;
#endif
constexpr Index kMaxTileRows = 8;
constexpr Index tile_rows(Index vectors) {
  return kAccumulators / vectors < kMaxTileRows ? kAccumulators / vectors : kMaxTileRows;
}

/// A word is a float.
struct FloatWords {
  using Operand = FloatVec;
  static HWY_INLINE Operand of(FloatVec words) { return words; }
  static HWY_INLINE FloatVec multiply_add(Operand a, Operand b, FloatVec c) {
    return hn::MulAdd(a, b, c);
  }
};

/// kPacked: A is one block [depth][R] with row r of C in column r; `rows` of them are real.
template <class Words, int R, int V, bool kPacked>
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
      typename Words::Operand b[V];
      RNN_UNROLL
      for (int v = 0; v < V; ++v) b[v] = Words::of(load(panel + v * kLanes));
      RNN_UNROLL
      for (int r = 0; r < R; ++r) {
        const auto x = Words::of(splat(a[r]));
        RNN_UNROLL
        for (int v = 0; v < V; ++v) acc[r][v] = Words::multiply_add(x, b[v], acc[r][v]);
      }
    }
  } else {
    const float* a[R];
    RNN_UNROLL
    for (int r = 0; r < R; ++r) a[r] = t.a[r] + t.first_k;
    const float* ahead = t.ahead;
    for (Index k = 0; k < t.depth; ++k, panel += V * kLanes) {
      if (ahead) fetch(ahead + k * kLineFloats);
      typename Words::Operand b[V];
      RNN_UNROLL
      for (int v = 0; v < V; ++v) b[v] = Words::of(load(panel + v * kLanes));
      RNN_UNROLL
      for (int r = 0; r < R; ++r) {
        const auto x = Words::of(splat(a[r][k]));
        RNN_UNROLL
        for (int v = 0; v < V; ++v) acc[r][v] = Words::multiply_add(x, b[v], acc[r][v]);
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

template <class Words, int V, int R = static_cast<int>(tile_rows(V))>
void run_tile_of(Index rows, const Tile& tile) {
  if (rows == R) return run_tile<Words, R, V, false>(tile, rows);
  if constexpr (R > 1) run_tile_of<Words, V, R - 1>(rows, tile);
}

template <class Words>
void multiply_tile_of(Index rows, Index vectors, const Tile& tile) {
  if (vectors == 4) return run_tile_of<Words, 4>(rows, tile);
  if (vectors == 3) return run_tile_of<Words, 3>(rows, tile);
  if (vectors == 2) return run_tile_of<Words, 2>(rows, tile);
  run_tile_of<Words, 1>(rows, tile);
}

template <class Words>
void multiply_packed_tile_of(Index rows, Index vectors, const Tile& tile) {
  constexpr int kRows = static_cast<int>(tile_rows(kMaxVectors));
  if (vectors == 4) return run_tile<Words, kRows, 4, true>(tile, rows);
  if (vectors == 3) return run_tile<Words, kRows, 3, true>(tile, rows);
  if (vectors == 2) return run_tile<Words, kRows, 2, true>(tile, rows);
  run_tile<Words, kRows, 1, true>(tile, rows);
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
