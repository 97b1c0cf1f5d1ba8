// The int8 tile by AVX-512's vpdpbusd, which Highway 1.0.3 does not have.
#include "kernels/native/int8.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define RNN_VNNI __attribute__((target("avx512f,avx512vnni")))
#define RNN_UNROLL _Pragma("GCC unroll 8")

namespace rnn::native {
namespace {

template <int R, int V>
RNN_VNNI void run_tile(const Int8Tile& t) {
  constexpr Index kLanes = 16;
  constexpr __mmask16 kAll = 0xffff;  // GCC 12 warns of the conversion without a mask (PR 105593)
  const auto* scales = reinterpret_cast<const float*>(t.panel);
  const auto* panel = reinterpret_cast<const std::int32_t*>(t.panel) + V * kLanes;
  __m512i acc[R][V];
  RNN_UNROLL
  for (int r = 0; r < R; ++r) {
    RNN_UNROLL
    for (int v = 0; v < V; ++v) acc[r][v] = _mm512_loadu_si512(panel + v * kLanes);
  }
  panel += V * kLanes;
  const std::int32_t* a[R];
  RNN_UNROLL
  for (int r = 0; r < R; ++r) a[r] = reinterpret_cast<const std::int32_t*>(t.a[r].values);
  for (Index k = 0; k < t.words; ++k, panel += V * kLanes) {
    __m512i b[V];
    RNN_UNROLL
    for (int v = 0; v < V; ++v) b[v] = _mm512_loadu_si512(panel + v * kLanes);
    RNN_UNROLL
    for (int r = 0; r < R; ++r) {
      const __m512i x = _mm512_set1_epi32(a[r][k]);
      RNN_UNROLL
      for (int v = 0; v < V; ++v) acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], x, b[v]);
    }
  }
  RNN_UNROLL
  for (int v = 0; v < V; ++v) {
    const auto mask = static_cast<__mmask16>(
        v == V - 1 && t.lanes < kLanes ? (1u << static_cast<unsigned>(t.lanes)) - 1u : 0xffffu);
    const __m512 scale = _mm512_loadu_ps(scales + v * kLanes);
    RNN_UNROLL
    for (int r = 0; r < R; ++r) {
      float* to = t.c[r] + t.first_column + v * kLanes;
      const float* from = t.bias ? t.bias + t.first_column + v * kLanes : to;
      const __m512 product = _mm512_mul_ps(_mm512_set1_ps(t.a[r].scale), scale);
      const __m512 sum = _mm512_fmadd_ps(_mm512_maskz_cvtepi32_ps(kAll, acc[r][v]), product,
                                         _mm512_maskz_loadu_ps(mask, from));
      _mm512_mask_storeu_ps(to, mask, sum);
    }
  }
}

template <int V, int R = kInt8TileRows>
void run_tile_of(Index rows, const Int8Tile& tile) {
  if (rows == R) return run_tile<R, V>(tile);
  if constexpr (R > 1) run_tile_of<V, R - 1>(rows, tile);
}

void multiply_tile(Index rows, Index vectors, const Int8Tile& tile) {
  if (vectors == 4) return run_tile_of<4>(rows, tile);
  if (vectors == 3) return run_tile_of<3>(rows, tile);
  if (vectors == 2) return run_tile_of<2>(rows, tile);
  run_tile_of<1>(rows, tile);
}

}  // namespace

Int8TileFunction vnni_int8_tile() {
  return __builtin_cpu_supports("avx512vnni") ? multiply_tile : nullptr;
}

}  // namespace rnn::native
#else
namespace rnn::native {
Int8TileFunction vnni_int8_tile() { return nullptr; }
}  // namespace rnn::native
#endif
