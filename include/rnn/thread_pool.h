// The library's own small thread pool.
#pragma once

#include <chrono>
#include <memory>
#include <type_traits>

#include "rnn/export.h"

namespace rnn {

struct ThreadPoolOptions {
  /// Threads that work at once, the calling one among them. 0: as many as the process may use.
  int threads = 0;
  /// How long a worker looks for more work before it sleeps. Short products follow each other
  /// within microseconds in a recurrent step; waking a sleeping thread costs more than that.
  std::chrono::microseconds spin{100};
};

/// Runs the parts of one piece of work on a fixed set of threads.
///
/// Part i always runs on thread i modulo the number of threads, so that a core finds its part of
/// the weights in its own cache again. Results must not depend on how work was divided: parts write
/// disjoint outputs. Any thread may call `run`; while one call is under way a second caller does
/// all its parts itself, so there are never more runnable threads than asked for.
class RNN_API ThreadPool {
 public:
  explicit ThreadPool(const ThreadPoolOptions& options = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept;

  /// Calls `work(part)` for part = 0 .. parts-1 and returns when all are done. `work` must not
  /// throw.
  template <class Work>
  void run(int parts, Work&& work) {
    using Callable = std::remove_reference_t<Work>;
    run_parts(
        parts, [](void* context, int part) { (*static_cast<Callable*>(context))(part); },
        const_cast<void*>(static_cast<const void*>(&work)));
  }

 private:
  using Function = void (*)(void* context, int part);
  void run_parts(int parts, Function function, void* context) noexcept;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
