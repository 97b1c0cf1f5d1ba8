#include "rnn/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <system_error>
#include <thread>
#include <vector>

#include "rnn/error.h"

namespace rnn {
namespace {

int usable_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

struct ThreadPool::Impl {
  std::chrono::microseconds spin;
  std::int64_t least_work;
  // Set by the caller whose work is under way. Not a mutex: a part may itself call `run`.
  std::atomic<bool> busy{false};
  std::atomic<std::uint32_t> round{0};  // a new value: there is work, or it is time to stop
  std::atomic<int> unfinished{0};       // workers' shares of this round not done yet
  std::atomic<bool> stop{false};
  // The last round in which a worker's share was taken: by itself or, where it comes late, by the
  // caller, who would wait for as long as another process has the worker's core. A share that is
  // taken keeps its round from ending, so whoever takes one reads what that round set here:
  struct alignas(64) Share {
    std::atomic<std::uint32_t> taken{0};
  };
  std::deque<Share> shares;
  int parts = 0;
  Function function = nullptr;
  void* context = nullptr;
  std::vector<std::jthread> workers;

  void work_as(int thread) const {
    const int stride = static_cast<int>(workers.size()) + 1;
    for (int part = thread; part < parts; part += stride) function(context, part);
  }

  /// Looks at `value` until it differs from `old`, for `spin`; then sleeps.
  template <class Value>
  static void await(const std::atomic<Value>& value, Value old, std::chrono::microseconds spin) {
    const auto start = std::chrono::steady_clock::now();
    while (value.load(std::memory_order_acquire) == old) {
      for (int i = 0; i < 32 && value.load(std::memory_order_acquire) == old; ++i) relax();
      if (std::chrono::steady_clock::now() - start > spin) value.wait(old);
    }
  }

  /// Whether the share of `thread` in round `now` was still to be had.
  bool take_share(int thread, std::uint32_t now) {
    std::atomic<std::uint32_t>& taken = shares[static_cast<std::size_t>(thread - 1)].taken;
    std::uint32_t last = taken.load(std::memory_order_relaxed);
    // A worker may see a round that is over by now: then its share was taken, in it or later.
    return static_cast<std::int32_t>(now - last) > 0 &&
           taken.compare_exchange_strong(last, now, std::memory_order_acq_rel);
  }

  void serve(int thread) {
    for (std::uint32_t seen = 0;;) {
      await(round, seen, spin);
      seen = round.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_relaxed)) return;
      if (!take_share(thread, seen)) continue;
      work_as(thread);
      if (unfinished.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished.notify_one();
    }
  }

  /// Tells the workers to end; they are joined when they are destroyed.
  void dismiss() {
    stop.store(true, std::memory_order_relaxed);
    round.fetch_add(1, std::memory_order_release);
    round.notify_all();
  }

  /// Whether the caller has the workers to itself now; `run` gives them back.
  bool take() { return !workers.empty() && !busy.exchange(true, std::memory_order_acquire); }

  void run(int all_parts, Function all_function, void* all_context) {
    parts = all_parts;
    function = all_function;
    context = all_context;
    unfinished.store(static_cast<int>(workers.size()), std::memory_order_relaxed);
    const std::uint32_t now = round.fetch_add(1, std::memory_order_release) + 1;
    round.notify_all();
    work_as(0);
    // Members of a team who met each other have all taken their shares.
    for (int thread = 1; thread <= static_cast<int>(workers.size()); ++thread) {
      if (!take_share(thread, now)) continue;
      work_as(thread);
      unfinished.fetch_sub(1, std::memory_order_acq_rel);
    }
    for (int left = unfinished.load(std::memory_order_acquire); left > 0;
         left = unfinished.load(std::memory_order_acquire)) {
      await(unfinished, left, spin);
    }
    busy.store(false, std::memory_order_release);
  }
};

ThreadPool::ThreadPool(const ThreadPoolOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->spin = options.spin;
  impl_->least_work = options.least_work;
  const int threads = options.threads > 0 ? options.threads : usable_cores();
  impl_->workers.reserve(static_cast<std::size_t>(threads - 1));
  impl_->shares.resize(static_cast<std::size_t>(threads - 1));
  // `workers` is read by the workers only after `round` has moved, when all of them stand.
  try {
    for (int thread = 1; thread < threads; ++thread) {
      impl_->workers.emplace_back([impl = impl_.get(), thread] { impl->serve(thread); });
    }
  } catch (const std::system_error& error) {
    const std::size_t made = impl_->workers.size() + 1;
    impl_->dismiss();
    throw ConfigError("threads: the system gave " + std::to_string(made) + " of " +
                      std::to_string(threads) + " (" + error.what() + "); ask for fewer");
  }
}

ThreadPool::~ThreadPool() { impl_->dismiss(); }

int ThreadPool::threads() const noexcept { return static_cast<int>(impl_->workers.size()) + 1; }

int ThreadPool::threads_for(std::int64_t multiply_adds) const noexcept {
  return multiply_adds < impl_->least_work ? 1 : threads();
}

void ThreadPool::run_parts(int parts, Function function, void* context) noexcept {
  if (parts <= 1 || !impl_->take()) {
    for (int part = 0; part < parts; ++part) function(context, part);
    return;
  }
  impl_->run(parts, function, context);
}

void ThreadPool::run_members(int limit, TeamFunction function, void* context) noexcept {
  if (limit <= 1 || !impl_->take()) {
    function(context, 0, 1);
    return;
  }
  struct Team {
    TeamFunction function;
    void* context;
    int members;
  } team{function, context, std::min(limit, threads())};
  impl_->run(
      team.members,
      [](void* t, int member) {
        const Team& all = *static_cast<const Team*>(t);
        all.function(all.context, member, all.members);
      },
      &team);
}

}  // namespace rnn
