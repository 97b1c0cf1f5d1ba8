// Many small pieces of work, each on one thread of a backend.
#pragma once

#include <cstdint>
#include <functional>

#include "rnn/backend.h"

namespace rnn {

/// Calls `work(worker, item)` for items 0 .. count-1, whichever worker is free taking the next;
/// workers are numbered below the backend's threads, and kernels that one calls run on its thread
/// alone. A thread does more with a short text or a batch of its own than with a share of each
/// kernel; the bits are the same. Fewer items than threads are done one after the other, by worker
/// 0, each on all threads. Throws what the first item to fail threw.
void side_by_side(const Backend& backend, std::int64_t count,
                  const std::function<void(int worker, std::int64_t item)>& work);

}  // namespace rnn
