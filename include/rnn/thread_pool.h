// The library's own small thread pool.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>

#include "rnn/export.h"

namespace rnn {

struct ThreadPoolOptions {
  /// Threads that work at once, the calling one among them. 0: as many as the process may use.
  int threads = 0;
  /// How long a worker looks for more work before it sleeps. Short products follow each other
  /// within microseconds in a recurrent step; waking a sleeping thread costs more than that.
  std::chrono::microseconds spin{100};
  /// Multiply-adds of one call below which it is left to one thread: an estimate, that a team
  /// starts in about two microseconds, in which a core does some hundred thousand. 0: all threads
  /// take part in everything.
  std::int64_t least_work = 400'000;
};

/// Runs the parts of one piece of work on a fixed set of threads. Part i runs on thread i modulo
/// the number of threads, so that a core finds its part of the weights in its own cache again; the
/// caller does what a thread has not begun when its own parts are done, instead of waiting. Results
/// must not depend on how work was divided: parts write disjoint outputs. Any thread may call
/// `run`; while one call is under way a second caller does all its parts itself, so there are never
/// more runnable threads than asked for.
class RNN_API ThreadPool {
 public:
  /// Throws ConfigError when the system does not give so many threads.
  explicit ThreadPool(const ThreadPoolOptions& options = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept;
  /// How many of them a call of so many multiply-adds is worth: 1 or all.
  int threads_for(std::int64_t multiply_adds) const noexcept;

  /// Calls `work(part)` for part = 0 .. parts-1 and returns when all are done. `work` must not
  /// throw.
  template <class Work>
  void run(int parts, Work&& work) {
    using Callable = std::remove_reference_t<Work>;
    run_parts(
        parts, [](void* context, int part) { (*static_cast<Callable*>(context))(part); },
        const_cast<void*>(static_cast<const void*>(&work)));
  }

  /// Calls `work(member, members)` for every member of a team, whose members may wait for each
  /// other, all of them each time, at a SpinBarrier: then they run at the same time. There are as
  /// many members as threads, at most `limit`, or one when the pool is at work already. `work` must
  /// not throw, and its results must not depend on `members`.
  template <class Work>
  void run_team(int limit, Work&& work) {
    using Callable = std::remove_reference_t<Work>;
    run_members(
        limit,
        [](void* context, int member, int members) {
          (*static_cast<Callable*>(context))(member, members);
        },
        const_cast<void*>(static_cast<const void*>(&work)));
  }

 private:
  using Function = void (*)(void* context, int part);
  using TeamFunction = void (*)(void* context, int member, int members);
  void run_parts(int parts, Function function, void* context) noexcept;
  void run_members(int limit, TeamFunction function, void* context) noexcept;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Where the members of a team wait for each other, many times within one piece of work: a step of
/// a recurrent layer lasts some ten microseconds, so a member spins, and yields its core only when
/// the others are clearly not running.
class SpinBarrier {
 public:
  /// Returns when all members have arrived; what they wrote before is visible after.
  void wait(int members) noexcept {
    if (members == 1) return;
    const std::uint32_t round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == members - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int tries = 0; round_.load(std::memory_order_acquire) == round; ++tries) {
      if (tries >= kTriesBeforeYield) std::this_thread::yield();
    }
  }

 private:
  static constexpr int kTriesBeforeYield = 1 << 14;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> round_{0};
};

}  // namespace rnn
