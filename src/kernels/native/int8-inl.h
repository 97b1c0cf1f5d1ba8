// int8 products, declared for every SIMD target; int8_product.cc defines them.
#include <span>

#include "kernels/native/int8.h"
#include "kernels/native/product-inl.h"

#if defined(RNN_KERNELS_NATIVE_INT8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_INT8_INL_H_
#undef RNN_KERNELS_NATIVE_INT8_INL_H_
#else
#define RNN_KERNELS_NATIVE_INT8_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

/// Bytes of a quantized row: whole words, whole vectors, whole cache lines.
constexpr Index int8_row_bytes(Index size) { return (size + 63) / 64 * 64; }

/// values = round(x * (127 / max |x|)) + 128, up to whole words (the rest is 128, a zero), with the
/// scale max |x| / 127. A row with a number that is not finite has the scale NaN, so that it shows;
/// one that has nothing above 1e-30 counts as zeros and has the scale 0, since 127 / max |x| might
/// not be finite.
Int8Row quantize_row(const float* x, Index size, std::uint8_t* values);

/// Bytes of a panel for each vector of columns.
constexpr Index int8_vector_bytes(Index depth) { return kLanes * 4 * (2 + int8_words(depth)); }
/// Bytes of all panels of a matrix.
constexpr Index int8_packed_bytes(Index depth, Index columns) {
  return vectors_of(columns) * int8_vector_bytes(depth);
}

/// Quantizes columns of B, as pack_panel takes them.
void pack_int8_panel(const float* b, Index stride, bool transposed, Index depth,
                     const PanelColumns& columns, std::byte* panel);

/// C += A B, or bias + A B, for one packed panel and any number of rows.
struct Int8Product {
  Int8TileFunction tile;  // null: by widening
  std::span<const Int8Row> a;
  Index depth;
  const std::byte* panel;
  Index vectors;
  float* const* c;
  Index first_column;
  Index lanes;        // of the last vector that are real
  const float* bias;  // or null: add to C
};
void multiply_int8(const Int8Product& product);

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
