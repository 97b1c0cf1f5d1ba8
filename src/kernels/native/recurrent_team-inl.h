// How the members of a team divide the steps of a recurrent window, and the units of a step into
// panels.
#include <type_traits>

#include "kernels/native/cells-inl.h"
#include "kernels/native/product-inl.h"
#include "kernels/native/schedule.h"
#include "rnn/thread_pool.h"

#if defined(RNN_KERNELS_NATIVE_RECURRENT_TEAM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_RECURRENT_TEAM_INL_H_
#undef RNN_KERNELS_NATIVE_RECURRENT_TEAM_INL_H_
#else
#define RNN_KERNELS_NATIVE_RECURRENT_TEAM_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

/// One thread's part in a call: with `by_batch` some sequences, all their units; else some units of
/// all sequences: whole panels where weights are read, and after a meeting `units`.
struct Team {
  int member, members;
  bool by_batch;
  int panel_parts;  // that panels_of makes panels for
  Range units;      // vectors of H
  SpinBarrier& barrier;

  /// Waits where units are divided: others' units are read next.
  void meet() const {
    if (!by_batch) barrier.wait(members);
  }
  /// Parts of the batch, and which is this member's.
  int parts() const { return by_batch ? members : 1; }
  int part() const { return by_batch ? member : 0; }
};

/// `panel_parts`: the threads of the pool where panels stay packed for teams of other sizes; 0: the
/// parts that this team makes of units.
HWY_INLINE Team team_of(bool by_batch, int panel_parts, Index H, int member, int members,
                        SpinBarrier& barrier) {
  const Index vectors = vectors_of(H);
  const int parts = by_batch ? 1 : members;
  return {member,
          members,
          by_batch,
          panel_parts > 0 ? panel_parts : parts,
          by_batch ? Range{0, vectors} : part_of(vectors, member, members),
          barrier};
}

/// work(first vector, how many) for the panels of `vectors` that this member reads, or work(first
/// vector, how many, next) with the vectors of the panel that is its next, none after its last.
/// `backwards`: the last first.
template <class Work>
void for_panels(const Team& team, Index vectors, Index most, const Work& work,
                bool backwards = false) {
  const Index panels = panels_of(vectors, most, team.panel_parts);
  const Range mine = team.by_batch ? Range{0, panels} : part_of(panels, team.member, team.members);
  const auto panel = [&](Index i) {
    return part_of(vectors, backwards ? mine.last - 1 - i : mine.first + i, panels);
  };
  for (Index i = 0; i < mine.size(); ++i) {
    const Range part = panel(i);
    if constexpr (std::is_invocable_v<const Work&, Index, Index, Range>) {
      work(part.first, part.size(), i + 1 < mine.size() ? panel(i + 1) : Range{});
    } else {
      work(part.first, part.size());
    }
  }
}

/// The same for the panels that this member packs: those that it reads or, where all members read
/// all of them, every members-th.
template <class Work>
void for_packed_panels(const Team& team, Index vectors, Index most, const Work& work) {
  if (!team.by_batch) return for_panels(team, vectors, most, work);
  const Index panels = panels_of(vectors, most, team.panel_parts);
  for (Index panel = team.member; panel < panels; panel += team.members) {
    const Range part = part_of(vectors, panel, panels);
    work(part.first, part.size());
  }
}

/// Panels of one phase hold the gates of a group of units side by side.
HWY_INLINE PanelColumns gate_columns(const Phase& phase, Index first, Index count, Index H) {
  PanelColumns columns{.vectors = count * phase.gates, .column = {}, .lanes = {}};
  for (Index v = 0; v < columns.vectors; ++v) {
    const Index u = (first + v / phase.gates) * kLanes;
    columns.column[v] = (phase.first_gate + v % phase.gates) * H + u;
    columns.lanes[v] = HWY_MIN(kLanes, H - u);
  }
  return columns;
}

/// work(unit, lanes) for the vectors of a range of units.
template <class Work>
HWY_INLINE void for_units(Range units, Index size, const Work& work) {
  for (Index v = units.first; v < units.last; ++v) {
    work(v * kLanes, HWY_MIN(kLanes, size - v * kLanes));
  }
}

/// work(std::integral_constant<Cell, cell>): what is made for each cell.
template <class Work>
void with_cell(Cell cell, const Work& work) {
  switch (cell) {
    case Cell::kLstm:
      return work(std::integral_constant<Cell, Cell::kLstm>());
    case Cell::kLstmCoupled:
      return work(std::integral_constant<Cell, Cell::kLstmCoupled>());
    case Cell::kGru:
      return work(std::integral_constant<Cell, Cell::kGru>());
    case Cell::kGruResetBefore:
      return work(std::integral_constant<Cell, Cell::kGruResetBefore>());
    case Cell::kRnnTanh:
      return work(std::integral_constant<Cell, Cell::kRnnTanh>());
    case Cell::kRnnRelu:
      return work(std::integral_constant<Cell, Cell::kRnnRelu>());
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
