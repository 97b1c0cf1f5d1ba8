#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/int8_product.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/int8_weights.h"
#include "kernels/native/int8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

#define RNN_UNROLL _Pragma("GCC unroll 16")

using Ints = hn::RebindToSigned<Floats>;
using IntVec = hn::Vec<Ints>;

#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
/// The even and the odd bytes of words, as pairs of 16 bits: what pmaddwd multiplies and adds.
struct Widened {
  using Shorts = hn::Repartition<int16_t, Ints>;
  hn::Vec<Shorts> even, odd;
};
HWY_INLINE Widened widen(IntVec words) {
  const auto pairs = hn::BitCast(Widened::Shorts(), words);
  return {hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs)), hn::ShiftRight<8>(pairs)};
}
HWY_INLINE Widened widen(const std::uint8_t* values) {
  const auto pair = [](int low, int high) HWY_ATTR {
    const auto word =
        static_cast<std::uint32_t>(low & 0xffff) | static_cast<std::uint32_t>(high & 0xffff) << 16;
    return hn::BitCast(Widened::Shorts(), hn::Set(Ints(), static_cast<std::int32_t>(word)));
  };
  return {pair(values[0] - 128, values[2] - 128), pair(values[1] - 128, values[3] - 128)};
}
HWY_INLINE IntVec multiply_add(const Widened& x, const Widened& b, IntVec sum) {
  IntVec none = hn::Zero(Ints());
  sum = hn::ReorderWidenMulAccumulate(Ints(), x.even, b.even, sum, none);
  return hn::ReorderWidenMulAccumulate(Ints(), x.odd, b.odd, sum, none);
}
#else
struct Widened {
  IntVec bytes[4];
};
HWY_INLINE Widened widen(IntVec words) {
  return {{hn::ShiftRight<24>(hn::ShiftLeft<24>(words)),
           hn::ShiftRight<24>(hn::ShiftLeft<16>(words)),
           hn::ShiftRight<24>(hn::ShiftLeft<8>(words)), hn::ShiftRight<24>(words)}};
}
HWY_INLINE Widened widen(const std::uint8_t* values) {
  return {{hn::Set(Ints(), values[0] - 128), hn::Set(Ints(), values[1] - 128),
           hn::Set(Ints(), values[2] - 128), hn::Set(Ints(), values[3] - 128)}};
}
HWY_INLINE IntVec multiply_add(const Widened& x, const Widened& b, IntVec sum) {
  for (int i = 0; i < 4; ++i) sum = hn::Add(sum, hn::Mul(x.bytes[i], b.bytes[i]));
  return sum;
}
#endif

/// The tile where there is no instruction for it: signed inputs, so corrections are not needed.
template <int R, int V>
void run_tile(const Int8Tile& t) {
  const auto* scales = reinterpret_cast<const float*>(t.panel);
  const auto* panel = reinterpret_cast<const std::int32_t*>(t.panel) + 2 * V * kLanes;
  IntVec acc[R][V];
  RNN_UNROLL
  for (int r = 0; r < R; ++r) {
    RNN_UNROLL
    for (int v = 0; v < V; ++v) acc[r][v] = hn::Zero(Ints());
  }
  for (Index k = 0; k < t.words; ++k, panel += V * kLanes) {
    RNN_UNROLL
    for (int v = 0; v < V; ++v) {
      const Widened b = widen(hn::LoadU(Ints(), panel + v * kLanes));
      RNN_UNROLL
      for (int r = 0; r < R; ++r) {
        acc[r][v] = multiply_add(widen(t.a[r].values + 4 * k), b, acc[r][v]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      const Index lanes = v == V - 1 ? t.lanes : kLanes;
      float* to = t.c[r] + t.first_column + v * kLanes;
      const float* from = t.bias ? t.bias + t.first_column + v * kLanes : to;
      const FloatVec scale = hn::Mul(splat(t.a[r].scale), load(scales + v * kLanes));
      const FloatVec sum = hn::ConvertTo(Floats(), acc[r][v]);
      store_n(hn::MulAdd(sum, scale, load_n(from, lanes)), to, lanes);
    }
  }
}

template <int V, int R = tile_rows(V) < kInt8TileRows ? static_cast<int>(tile_rows(V))
                                                      : static_cast<int>(kInt8TileRows)>
void run_tile_of(Index rows, const Int8Tile& tile) {
  if (rows == R) return run_tile<R, V>(tile);
  if constexpr (R > 1) run_tile_of<V, R - 1>(rows, tile);
}

void widening_tile(Index rows, Index vectors, const Int8Tile& tile) {
  if (vectors == 4) return run_tile_of<4>(rows, tile);
  if (vectors == 3) return run_tile_of<3>(rows, tile);
  if (vectors == 2) return run_tile_of<2>(rows, tile);
  run_tile_of<1>(rows, tile);
}

}  // namespace

Int8Row quantize_row(const float* x, Index size, std::uint8_t* values) {
  FloatVec top = hn::Zero(Floats()), rest = hn::Zero(Floats());
  for_vectors(size, [&](Index i, Index n) HWY_ATTR {
    const FloatVec v = load_n(x + i, n);
    top = hn::Max(top, hn::Abs(v));
    rest = hn::Add(rest, hn::Sub(v, v));  // NaN where one is not finite
  });
  const float largest = hn::GetLane(hn::MaxOfLanes(Floats(), top));
  const bool finite = hn::GetLane(hn::SumOfLanes(Floats(), rest)) == 0;
  const bool counts = finite && largest > 1e-30f;
  const FloatVec inverse = splat(counts ? kInt8Largest / largest : 0.0f);
  const hn::Rebind<std::uint8_t, Floats> bytes;
  for_vectors(size, [&](Index i, Index n) HWY_ATTR {
    const FloatVec v = finite ? hn::Mul(load_n(x + i, n), inverse) : hn::Zero(Floats());
    const IntVec q = hn::Add(hn::NearestInt(v), hn::Set(Ints(), 128));
    hn::StoreU(hn::DemoteTo(bytes, q), bytes, values + i);
  });
  for (Index i = size; i % 4 != 0; ++i) values[i] = 128;
  return {values, !finite ? NAN : counts ? largest / kInt8Largest : 0.0f};
}

void pack_int8_panel(const float* b, Index stride, bool transposed, Index depth,
                     const PanelColumns& columns, std::byte* panel) {
  constexpr Index kMost = kMaxVectors * kLanes;
  const Index width = columns.vectors * kLanes;
  auto* scales = reinterpret_cast<float*>(panel);
  auto* corrections = reinterpret_cast<std::int32_t*>(panel) + width;
  auto* values = reinterpret_cast<std::int8_t*>(panel) + 8 * width;
  const auto for_each = [&](const auto& work) {
    if (transposed) {
      for (Index v = 0; v < columns.vectors; ++v) {
        for (Index i = 0; i < columns.lanes[v] && i < kLanes; ++i) {
          const float* row = b + (columns.column[v] + i) * stride;
          for (Index k = 0; k < depth; ++k) work(k, v * kLanes + i, row[k]);
        }
      }
      return;
    }
    for (Index k = 0; k < depth; ++k) {
      for (Index v = 0; v < columns.vectors; ++v) {
        const float* row = b + k * stride + columns.column[v];
        for (Index i = 0; i < columns.lanes[v] && i < kLanes; ++i) work(k, v * kLanes + i, row[i]);
      }
    }
  };
  float largest[kMost] = {};
  for_each([&](Index, Index n, float w) { largest[n] = int8_larger(largest[n], w); });
  for (Index n = 0; n < width; ++n) {
    scales[n] = int8_scale(largest[n]);
    corrections[n] = 0;
  }
  std::fill_n(values, 4 * int8_words(depth) * width, std::int8_t{0});
  for_each([&](Index k, Index n, float w) {
    const std::int8_t q = int8_value(w, scales[n]);
    corrections[n] -= 128 * q;
    values[(k / 4 * width + n) * 4 + k % 4] = q;
  });
}

void multiply_int8(const Int8Product& p) {
  const Index most = p.tile ? kInt8TileRows : HWY_MIN(kInt8TileRows, tile_rows(p.vectors));
  const Int8TileFunction tile = p.tile ? p.tile : widening_tile;
  const auto rows = static_cast<Index>(p.a.size());
  const Index tiles = parts_of(rows, most);
  for (Index i = 0; i < tiles; ++i) {
    const Range part = part_of(rows, i, tiles);
    tile(part.size(), p.vectors,
         {.a = p.a.data() + part.first,
          .words = int8_words(p.depth),
          .panel = p.panel,
          .c = p.c + part.first,
          .first_column = p.first_column,
          .lanes = p.lanes,
          .bias = p.bias});
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();
