// bf16 by the processor's matrix registers, AMX_BF16 (Intel Sapphire Rapids and later), which
// multiply fourteen times as fast as vectors of fp32 do there. Only called where the processor has
// them and the system lets us.
//
// A register holds 16 rows of 16 words. An instruction adds to C [16 rows][16 columns] the product
// of A [16 rows][16 words] and B [16 words][16 columns], which is how panels hold B already. Each
// element sums the even and the odd halves of the 16 words apart, from zero, adds the two sums, and
// adds that to what it had: so depth must be divided at multiples of 16 words, counted from its
// start, for the division not to show in the result. Rows that a tile lacks are zeros, and so are
// words.
#include "kernels/native/bf16.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#define RNN_AMX __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,amx-tile,amx-bf16")))

namespace rnn::native {
namespace {

constexpr Index kLanes = 16, kRows = kMatrixRows, kWords = kMatrixWords;
constexpr int kRowBytes = 64;

/// What LDTILECFG reads: of each register the bytes of a row, and the rows.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
constexpr TileConfiguration whole_registers() {
  TileConfiguration whole;
  for (int i = 0; i < 8; ++i) {
    whole.row_bytes[i] = kRowBytes;
    whole.rows[i] = kRows;
  }
  return whole;
}
constexpr TileConfiguration kWhole = whole_registers();

/// The instructions that read and write registers are not known to the compiler as accesses to
/// memory, or not to all of it.
inline void order_memory() { std::atomic_signal_fence(std::memory_order_seq_cst); }

/// A thread's registers stay as we want them from one tile to the next: to set them up costs up to
/// a fifth of a tile, to see that nobody else has changed them next to nothing.
RNN_AMX void set_up_registers() {
  TileConfiguration now;
  _tile_storeconfig(&now);
  order_memory();
  const __m512i difference = _mm512_xor_si512(_mm512_load_si512(&now), _mm512_load_si512(&kWhole));
  if (_mm512_test_epi32_mask(difference, difference) != 0) _tile_loadconfig(&kWhole);
}

RNN_AMX inline __mmask16 first(Index n) {
  return static_cast<__mmask16>(n >= kLanes ? 0xFFFF : (1 << n) - 1);
}

// Registers have names, no numbers: 0 to 3 are C, 4 is A, 5 and 6 take turns as B.
template <int V>
RNN_AMX inline void zero_c() {
  _tile_zero(0);
  if constexpr (V > 1) _tile_zero(1);
  if constexpr (V > 2) _tile_zero(2);
  if constexpr (V > 3) _tile_zero(3);
}
template <int V>
RNN_AMX inline void load_c(const float (*c)[kRows * kLanes]) {
  order_memory();
  _tile_loadd(0, c[0], kRowBytes);
  if constexpr (V > 1) _tile_loadd(1, c[1], kRowBytes);
  if constexpr (V > 2) _tile_loadd(2, c[2], kRowBytes);
  if constexpr (V > 3) _tile_loadd(3, c[3], kRowBytes);
  order_memory();
}
template <int V>
RNN_AMX inline void store_c(float (*c)[kRows * kLanes]) {
  order_memory();
  _tile_stored(0, c[0], kRowBytes);
  if constexpr (V > 1) _tile_stored(1, c[1], kRowBytes);
  if constexpr (V > 2) _tile_stored(2, c[2], kRowBytes);
  if constexpr (V > 3) _tile_stored(3, c[3], kRowBytes);
  order_memory();
}
/// C += A B for 16 words; vector v of a panel's row stands `kLanes` after the one before.
template <int V>
RNN_AMX inline void add_product(const float* a, const float* panel) {
  constexpr long kStride = V * kRowBytes;
  order_memory();
  _tile_loadd(4, a, kRowBytes);
  _tile_loadd(5, panel, kStride);
  _tile_dpbf16ps(0, 4, 5);
  if constexpr (V > 1) {
    _tile_loadd(6, panel + kLanes, kStride);
    _tile_dpbf16ps(1, 4, 6);
  }
  if constexpr (V > 2) {
    _tile_loadd(5, panel + 2 * kLanes, kStride);
    _tile_dpbf16ps(2, 4, 5);
  }
  if constexpr (V > 3) {
    _tile_loadd(6, panel + 3 * kLanes, kStride);
    _tile_dpbf16ps(3, 4, 6);
  }
  order_memory();
}

/// Row r of A begins at a[0] + r * depth where packed, at a[r] + first_k else.
template <int V, bool kPacked>
RNN_AMX void run_tile(const Tile& t, Index rows) {
  alignas(64) float c[V][kRows * kLanes];
  // A register that is loaded from what has just been stored waits until the caches have it, as
  // long as two registers take to multiply: A is put together one block ahead.
  alignas(64) float a[2][kRows * kWords], last_a[kRows * kWords], last_b[kWords * V * kLanes];
  const __mmask16 last = first(t.lanes);
  for (Index r = rows; r < kRows; ++r) {
    for (float* block : {a[0], a[1], last_a}) {
      _mm512_store_ps(block + r * kWords, _mm512_setzero_ps());
    }
  }
  const float* row[kRows];
  for (Index r = 0; r < rows; ++r) row[r] = kPacked ? t.a[0] + r * t.depth : t.a[r] + t.first_k;
  const Index blocks = t.depth / kWords, words = t.depth % kWords;
  const float* const tail = t.panel + blocks * kWords * V * kLanes;
  for (Index r = 0; words > 0 && r < rows; ++r) {
    _mm512_store_ps(last_a + r * kWords,
                    _mm512_maskz_loadu_ps(first(words), row[r] + blocks * kWords));
  }
  for (Index i = 0; words > 0 && i < kWords * V; ++i) {
    _mm512_store_ps(last_b + i * kLanes,
                    i < words * V ? _mm512_loadu_ps(tail + i * kLanes) : _mm512_setzero_ps());
  }
  const auto gather = [&](Index block) RNN_AMX {
    for (Index r = 0; r < rows; ++r) {
      _mm512_store_ps(a[block % 2] + r * kWords, _mm512_loadu_ps(row[r] + block * kWords));
    }
  };
  if (blocks > 0) gather(0);
  if (t.start != Start::kZero) {
    for (Index r = 0; r < rows; ++r) {
      const float* from = (t.start == Start::kBias ? t.bias : t.c[r]) + t.first_column;
      for (int v = 0; v < V - 1; ++v) {
        _mm512_store_ps(c[v] + r * kLanes, _mm512_loadu_ps(from + v * kLanes));
      }
      _mm512_store_ps(c[V - 1] + r * kLanes, _mm512_maskz_loadu_ps(last, from + (V - 1) * kLanes));
    }
    for (Index r = rows; r < kRows; ++r) {
      for (int v = 0; v < V; ++v) _mm512_store_ps(c[v] + r * kLanes, _mm512_setzero_ps());
    }
  }
  // From here to the end no other function is called, which might use the registers.
  set_up_registers();
  if (t.start == Start::kZero) {
    zero_c<V>();
  } else {
    load_c<V>(c);
  }

  for (Index block = 0; block < blocks; ++block) {
    if (block + 1 < blocks) gather(block + 1);
    if (!kPacked && t.ahead) {
      const float* line = t.ahead + block * kWords * kLineFloats;
      for (Index i = 0; i < kWords; ++i) fetch(line + i * kLineFloats);
    }
    add_product<V>(a[block % 2], t.panel + block * kWords * V * kLanes);
  }
  if (words > 0) add_product<V>(last_a, last_b);

  store_c<V>(c);
  for (Index r = 0; r < rows; ++r) {
    float* to = t.c[r] + t.first_column;
    for (int v = 0; v < V - 1; ++v) {
      _mm512_storeu_ps(to + v * kLanes, _mm512_load_ps(c[v] + r * kLanes));
    }
    _mm512_mask_storeu_ps(to + (V - 1) * kLanes, last, _mm512_load_ps(c[V - 1] + r * kLanes));
  }
}

template <bool kPacked>
void multiply(Index rows, Index vectors, const Tile& tile) {
  if (vectors == 4) return run_tile<4, kPacked>(tile, rows);
  if (vectors == 3) return run_tile<3, kPacked>(tile, rows);
  if (vectors == 2) return run_tile<2, kPacked>(tile, rows);
  run_tile<1, kPacked>(tile, rows);
}

/// Whether the processor has the registers, and the system gives them to this process: it must be
/// asked, since they make what it keeps of a thread larger.
bool has_registers() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kBf16 = 1u << 22, kTiles = 1u << 24;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kBf16) == 0 || (d & kTiles) == 0) return false;
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

}  // namespace

const Bf16Arithmetic* amx_bf16() {
  static const Bf16Arithmetic arithmetic = [] {
    const Bf16Arithmetic* vectors = avx512_bf16();
    if (!vectors || !has_registers()) return Bf16Arithmetic{};
    return Bf16Arithmetic{.tile = multiply<false>,
                          .packed_tile = multiply<true>,
                          .round = vectors->round,
                          .interleave = vectors->interleave,
                          .matrices = true};
  }();
  return arithmetic.matrices ? &arithmetic : nullptr;
}

}  // namespace rnn::native

#else

namespace rnn::native {
const Bf16Arithmetic* amx_bf16() { return nullptr; }
}  // namespace rnn::native

#endif
