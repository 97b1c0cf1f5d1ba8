// bf16 by the processor's own dot product, AVX512_BF16 (Intel Cooper Lake and later, AMD Zen 4),
// with intrinsics: Highway 1.0.3 has none for it. Only called where the processor has it.
#include "kernels/native/bf16.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define RNN_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

namespace rnn::native {
namespace {

// As on the target AVX3, whose panels these tiles read.
constexpr Index kLanes = 16;
constexpr int kPackedRows = 6;
constexpr int rows_of(int vectors) { return 24 / vectors < 8 ? 24 / vectors : 8; }

RNN_BF16 inline __mmask16 first(Index n) {
  return static_cast<__mmask16>(n >= kLanes ? 0xFFFF : (1 << n) - 1);
}
RNN_BF16 inline __m512bh words_at(const float* p) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_ps(p));
}

template <int R, int V, bool kPacked>
RNN_BF16 void run_tile(const Tile& t, Index rows) {
  __m512 acc[R][V];
  const __mmask16 last = first(t.lanes);
  RNN_UNROLL
  for (int r = 0; r < R; ++r) {
    RNN_UNROLL
    for (int v = 0; v < V; ++v) acc[r][v] = _mm512_setzero_ps();
  }
  if (t.start != Start::kZero) {
    RNN_UNROLL
    for (int r = 0; r < R; ++r) {
      if (kPacked && r >= rows) break;
      const float* from = (t.start == Start::kBias ? t.bias : t.c[r]) + t.first_column;
      RNN_UNROLL
      for (int v = 0; v < V - 1; ++v) acc[r][v] = _mm512_loadu_ps(from + v * kLanes);
      acc[r][V - 1] = _mm512_maskz_loadu_ps(last, from + (V - 1) * kLanes);
    }
  }

  const float* panel = t.panel;
  const float* a[R];
  RNN_UNROLL
  for (int r = 0; r < R; ++r) a[r] = kPacked ? t.a[0] + r : t.a[r] + t.first_k;
  constexpr Index kStep = kPacked ? R : 1;  // NOLINT(bugprone-branch-clone): where R is 1
  for (Index k = 0; k < t.depth; ++k, panel += V * kLanes) {
    if (!kPacked && t.ahead) fetch(t.ahead + k * kLineFloats);
    __m512bh b[V];
    RNN_UNROLL
    for (int v = 0; v < V; ++v) b[v] = words_at(panel + v * kLanes);
    RNN_UNROLL
    for (int r = 0; r < R; ++r) {
      const __m512bh x = reinterpret_cast<__m512bh>(_mm512_set1_ps(a[r][k * kStep]));
      RNN_UNROLL
      for (int v = 0; v < V; ++v) acc[r][v] = _mm512_dpbf16_ps(acc[r][v], x, b[v]);
    }
  }

  RNN_UNROLL
  for (int r = 0; r < R; ++r) {
    if (kPacked && r >= rows) break;
    float* to = t.c[r] + t.first_column;
    RNN_UNROLL
    for (int v = 0; v < V - 1; ++v) _mm512_storeu_ps(to + v * kLanes, acc[r][v]);
    _mm512_mask_storeu_ps(to + (V - 1) * kLanes, last, acc[r][V - 1]);
  }
}

template <int V, int R = rows_of(V)>
void run_tile_of(Index rows, const Tile& tile) {
  if (rows == R) return run_tile<R, V, false>(tile, rows);
  if constexpr (R > 1) run_tile_of<V, R - 1>(rows, tile);
}

void multiply_words(Index rows, Index vectors, const Tile& tile) {
  if (vectors == 4) return run_tile_of<4>(rows, tile);
  if (vectors == 3) return run_tile_of<3>(rows, tile);
  if (vectors == 2) return run_tile_of<2>(rows, tile);
  run_tile_of<1>(rows, tile);
}

void multiply_packed_words(Index rows, Index vectors, const Tile& tile) {
  if (vectors == 4) return run_tile<kPackedRows, 4, true>(tile, rows);
  if (vectors == 3) return run_tile<kPackedRows, 3, true>(tile, rows);
  if (vectors == 2) return run_tile<kPackedRows, 2, true>(tile, rows);
  run_tile<kPackedRows, 1, true>(tile, rows);
}

RNN_BF16 void round_row(const float* from, Index n, float* words) {
  for (Index i = 0; i < n; i += 2 * kLanes) {
    const Index left = n - i;
    const __m512 low = _mm512_maskz_loadu_ps(first(left), from + i);
    const __m512 high = _mm512_maskz_loadu_ps(left > kLanes ? first(left - kLanes) : 0,
                                              from + i + (left > kLanes ? kLanes : 0));
    const __m512 both = reinterpret_cast<__m512>(_mm512_cvtne2ps_pbh(high, low));
    _mm512_mask_storeu_ps(words + i / 2, first((left + 1) / 2), both);
  }
}

RNN_BF16 void interleave_rows(const float* even, const float* odd, Index n, float* words) {
  // Halves of the result in the order of the two rows, lane by lane.
  alignas(64) static constexpr unsigned short kOrder[32] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i order = _mm512_load_si512(kOrder);
  for (Index i = 0; i < n; i += kLanes) {
    const __mmask16 mask = first(n - i);
    const __m512 low = _mm512_maskz_loadu_ps(mask, even + i);
    const __m512 high = odd ? _mm512_maskz_loadu_ps(mask, odd + i) : _mm512_setzero_ps();
    const auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
    _mm512_storeu_si512(words + i, _mm512_permutexvar_epi16(order, both));
  }
}

constexpr Bf16Arithmetic kArithmetic{multiply_words, multiply_packed_words, round_row,
                                     interleave_rows};

}  // namespace

const Bf16Arithmetic* avx512_bf16() {
  return __builtin_cpu_supports("avx512bf16") ? &kArithmetic : nullptr;
}

}  // namespace rnn::native

#else

namespace rnn::native {
const Bf16Arithmetic* avx512_bf16() { return nullptr; }
}  // namespace rnn::native

#endif
