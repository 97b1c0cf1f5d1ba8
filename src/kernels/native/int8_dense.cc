// Dense layers in int8: inference only.
#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/int8_dense.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/int8-inl.h"
#include "kernels/native/kernel_table.h"
#include "kernels/native/rows.h"
#include "kernels/native/schedule.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {
namespace {

struct Plan {
  Index F, U;
  PackedKey* key;
  std::byte* packed;
  float* zeros;
  const float** x;
  float** y;
  std::uint8_t* values;
  Int8Row* rows;
};

Plan lay_out(const DenseForward<float>& a, Scratch& scratch) {
  const Index rows = a.x.extent(0) * a.x.extent(1);
  Plan p{};
  p.F = a.x.extent(2);
  p.U = a.y.extent(2);
  p.key = scratch.take<PackedKey>(1);
  p.packed = scratch.take<std::byte>(int8_packed_bytes(p.F, p.U));
  p.zeros = scratch.take<float>(p.U);
  p.x = scratch.take<const float*>(rows);
  p.y = scratch.take<float*>(rows);
  p.values = scratch.take<std::uint8_t>(rows * int8_row_bytes(p.F));
  p.rows = scratch.take<Int8Row>(rows);
  return p;
}

}  // namespace

std::size_t dense_forward_int8_scratch(const DenseForward<float>& a, int) {
  Scratch scratch;
  lay_out(a, scratch);
  return scratch.bytes();
}

void dense_forward_int8(const DenseForward<float>& a, Int8TileFunction tile, ThreadPool& pool) {
  Scratch scratch(a.scratch.data());
  const Plan p = lay_out(a, scratch);
  const Index time = a.x.extent(0), batch = a.x.extent(1);
  Index rows = 0;
  for (Index row = 0; row < time * batch; ++row) {
    float* y = a.y.data() + row * p.U;
    if (row / batch < length_of(a.lengths, row % batch, time)) {
      p.x[rows] = a.x.data() + row * p.F;
      p.y[rows++] = y;
    } else {
      std::fill_n(y, p.U, 0.0f);
    }
  }
  std::fill_n(p.zeros, p.U, 0.0f);
  const PackedKey key{.magic = PackedKey::kMagic,
                      .version = a.weights_version,
                      .first = a.kernel.data(),
                      .second = nullptr,
                      .extents = {p.F, p.U},
                      .kind = a.transposed ? 201 : 200,
                      .layout = 0,
                      .arithmetic = nullptr};
  const bool valid = a.weights_version != 0 && *p.key == key;
  const Index panels = parts_of(vectors_of(p.U), kMaxVectors);
  SpinBarrier barrier;
  const Index work = valid ? rows * p.F * p.U / 4 : p.F * p.U;
  pool.run_team(pool.threads_for(work), [&](int member, int members) HWY_ATTR {
    const Range mine = part_of(panels, member, members);
    const auto for_panels = [&](const auto& work_on) HWY_ATTR {
      for (Index i = mine.first; i < mine.last; ++i) {
        const Range part = part_of(vectors_of(p.U), i, panels);
        const PanelColumns columns = plain_columns(part.first, part.size(), p.U);
        work_on(columns, p.packed + part.first * int8_vector_bytes(p.F));
      }
    };
    if (!valid) {
      for_panels([&](const PanelColumns& columns, std::byte* panel) {
        pack_int8_panel(a.kernel.data(), a.transposed ? p.F : p.U, a.transposed, p.F, columns,
                        panel);
      });
    }
    const Range my_rows = part_of(rows, member, members);
    for (Index r = my_rows.first; r < my_rows.last; ++r) {
      p.rows[r] = quantize_row(p.x[r], p.F, p.values + r * int8_row_bytes(p.F));
    }
    barrier.wait(members);
    for_panels([&](const PanelColumns& columns, const std::byte* panel) HWY_ATTR {
      multiply_int8({.tile = tile,
                     .a = {p.rows, static_cast<std::size_t>(rows)},
                     .depth = p.F,
                     .panel = panel,
                     .vectors = columns.vectors,
                     .c = p.y,
                     .first_column = columns.column[0],
                     .lanes = columns.lanes[columns.vectors - 1],
                     .bias = a.bias ? a.bias.data() : p.zeros});
    });
  });
  *p.key = key;
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(dense_forward_int8);
HWY_EXPORT(dense_forward_int8_scratch);

void fill_int8_dense(KernelTable& table, int target) {
  table.dense_forward_int8 = HWY_DISPATCH_TABLE(dense_forward_int8)[target];
  table.dense_forward_int8_scratch = HWY_DISPATCH_TABLE(dense_forward_int8_scratch)[target];
}
}  // namespace rnn::native
#endif
