// How the work of one call is divided over threads. Decided by shapes alone, never by the clock;
// and no division changes what an element adds up, so none changes a result.
#pragma once

#include <algorithm>

#include "rnn/view.h"

namespace rnn::native {

/// Multiply-adds below which waking another thread costs more than it saves (measured: a team
/// starts in about two microseconds, in which a core does some hundred thousand).
constexpr Index kWorthATeam = 400'000;

inline int team_limit(Index multiply_adds, int threads) {
  return multiply_adds < kWorthATeam ? 1 : threads;
}

/// The time steps of a recurrent layer can be divided in two ways. By units: all threads do each
/// step together, each for its own units, whose weights stay in its cache; they meet once or twice
/// a step. By batch: each thread walks its own sequences through all steps and meets nobody, but
/// reads all weights. The better one is that whose slowest thread does less, since neither units
/// (in vectors) nor sequences need divide evenly.
inline bool divide_batch(Index batch, Index unit_vectors, int members) {
  if (members == 1) return false;
  const auto share = [members](Index n) { return (n + members - 1) / members; };
  // A row costs its multiply-adds, a tile of rows about one row more: it reads the weights anew.
  const auto rows_cost = [](Index rows) { return 6 * rows + (rows + 5) / 6 * 6; };
  const Index by_units = share(unit_vectors) * rows_cost(batch);
  const Index by_batch = unit_vectors * rows_cost(share(batch));
  return by_batch < by_units;
}

}  // namespace rnn::native
