// Pre-activations of a recurrent row as the tiles that its cell finishes: the order in which units
// and gates stand in inference, and in packed weights always.
#include "kernels/native/recurrent_team-inl.h"

#if defined(RNN_KERNELS_NATIVE_RECURRENT_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_RECURRENT_TILES_INL_H_
#undef RNN_KERNELS_NATIVE_RECURRENT_TILES_INL_H_
#else
#define RNN_KERNELS_NATIVE_RECURRENT_TILES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

/// Where the tile of a phase's gates for units from `unit_vector` on stands, in vectors.
HWY_INLINE Index place_of(const Phase& phase, Index unit_vector, Index H) {
  return phase.first_gate * vectors_of(H) + unit_vector * phase.gates;
}

/// work(columns, place) for the panels of all phases that this member reads.
template <class Work>
void for_all_panels(Cell cell, Index H, const Team& team, const Work& work) {
  for (int number = 0; number < phases_of(cell); ++number) {
    const Phase phase = phase_of(cell, number);
    for_panels(team, vectors_of(H), phase.units, [&](Index first, Index count) HWY_ATTR {
      work(gate_columns(phase, first, count, H), place_of(phase, first, H));
    });
  }
}

/// The biases of one panel in the order of tiles. GRU: r and z see the state's bias too; n keeps it
/// apart.
HWY_INLINE void place_bias(const RecurrentForward<float>& a, Index H, const PanelColumns& columns,
                           Index place, float* tiles) {
  const Index width = gates_of(a.cell) * H;
  for (Index v = 0; v < columns.vectors; ++v) {
    for (Index i = 0; i < kLanes; ++i) {
      const Index at = columns.column[v] + i;
      float bias = i < columns.lanes[v] && a.bias ? a.bias.data()[at] : 0.0f;
      if (i < columns.lanes[v] && a.cell == Cell::kGru && at < 2 * H && a.bias) {
        bias += a.bias.data()[width + at];
      }
      tiles[(place + v) * kLanes + i] = bias;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
