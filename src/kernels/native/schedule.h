// How the work of one call is divided over threads. Decided by shapes and the size of a cache,
// never by the clock; and no division changes what an element adds up, so none changes a result.
#pragma once

#include <unistd.h>

#include <algorithm>

#include "rnn/view.h"

namespace rnn::native {

/// A core's second-level cache.
inline Index second_level_cache() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  static const Index bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return Index{1} << 20;
}

/// The time steps of a recurrent layer can be divided in two ways. By batch: each thread walks its
/// own sequences through all steps and meets nobody, but reads all weights. By units: all threads
/// do each step together, each for its own units, whose weights stay in its cache; they meet once
/// or twice a step, which costs most when another process holds one of them up.
///
/// By batch wins where the weights come from near enough for the rows they are read for: a few rows
/// need them in caches of a thread's own, more rows hide that they come from the third level.
/// Beyond that by units does, and below very many rows where a thread's share of the weights stays
/// in its own cache but all of them would not; unless it divides much worse. (`rnn_bench_kernels`
/// at H 650 and 1024, B 20 against 32, has the two sides, and at H 512 where a cache of 2 MB holds
/// half of the weights, B 32 against 64.)
inline bool divide_batch(Index batch, Index unit_vectors, Index weights, Index bytes_of_each,
                         int members) {
  constexpr Index kRowsEnough = 8, kBytesNear = Index{4} << 20;  // rows of a thread
  constexpr Index kRowsMany = 16, kBytesFar = Index{20} << 20;
  if (members == 1) return false;
  const auto share = [members](Index n) { return (n + members - 1) / members; };
  const Index by_units = share(unit_vectors) * batch;
  const Index by_batch = unit_vectors * share(batch);
  const Index bytes = batch < kRowsMany * members ? kBytesNear : kBytesFar;
  const Index cache = second_level_cache();
  const Index held = weights * bytes_of_each;
  const bool share_is_near =
      batch < 2 * kRowsMany * members && held > cache && share(held) <= cache;
  if (batch < kRowsEnough * members || 4 * weights > bytes || share_is_near) {
    return 5 * by_batch < 4 * by_units;
  }
  return 4 * by_batch < 5 * by_units;
}

}  // namespace rnn::native
