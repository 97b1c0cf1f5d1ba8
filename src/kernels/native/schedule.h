// How the work of one call is divided over threads. Decided by shapes alone, never by the clock;
// and no division changes what an element adds up, so none changes a result.
#pragma once

#include <algorithm>

#include "rnn/view.h"

namespace rnn::native {

/// The time steps of a recurrent layer can be divided in two ways. By batch: each thread walks its
/// own sequences through all steps and meets nobody, but reads all weights. By units: all threads
/// do each step together, each for its own units, whose weights stay in its cache; they meet once
/// or twice a step, which costs most when another process holds one of them up.
///
/// Measured on two cores with 1 MB of second-level cache each, T 35: at H 256 and 8 rows or more a
/// thread, by batch is 1.1 to 1.3 times as fast; at H 512 they are equal; at H 1024 and B 20 by
/// units is 1.3 times as fast, since the weights no longer come from near.
inline bool divide_batch(Index batch, Index unit_vectors, Index weight_bytes, int members) {
  constexpr Index kRowsEnough = 8, kBytesNear = Index{4} << 20;
  if (members == 1) return false;
  const auto share = [members](Index n) { return (n + members - 1) / members; };
  const Index by_units = share(unit_vectors) * batch;
  const Index by_batch = unit_vectors * share(batch);
  if (batch < kRowsEnough * members || weight_bytes > kBytesNear)
    return 5 * by_batch < 4 * by_units;
  return 4 * by_batch < 5 * by_units;
}

}  // namespace rnn::native
