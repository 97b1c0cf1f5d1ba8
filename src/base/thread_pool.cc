#include "rnn/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

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
  // Set by the caller whose work is under way. Not a mutex: a part may itself call `run`.
  std::atomic<bool> busy{false};
  std::atomic<std::uint32_t> round{0};  // a new value: there is work, or it is time to stop
  std::atomic<int> unfinished{0};       // workers still in this round
  bool stop = false;
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

  void serve(int thread) {
    for (std::uint32_t seen = 0;; ++seen) {
      await(round, seen, spin);
      if (stop) return;
      work_as(thread);
      if (unfinished.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished.notify_one();
    }
  }
};

ThreadPool::ThreadPool(const ThreadPoolOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->spin = options.spin;
  const int threads = options.threads > 0 ? options.threads : usable_cores();
  impl_->workers.reserve(static_cast<std::size_t>(threads - 1));
  // `workers` is read by the workers only after `round` has moved, when all of them stand.
  for (int thread = 1; thread < threads; ++thread) {
    impl_->workers.emplace_back([impl = impl_.get(), thread] { impl->serve(thread); });
  }
}

ThreadPool::~ThreadPool() {
  impl_->stop = true;
  impl_->round.fetch_add(1, std::memory_order_release);
  impl_->round.notify_all();
}

int ThreadPool::threads() const noexcept { return static_cast<int>(impl_->workers.size()) + 1; }

void ThreadPool::run_parts(int parts, Function function, void* context) noexcept {
  const bool alone =
      parts <= 1 || impl_->workers.empty() || impl_->busy.exchange(true, std::memory_order_acquire);
  if (alone) {
    for (int part = 0; part < parts; ++part) function(context, part);
    return;
  }
  impl_->parts = parts;
  impl_->function = function;
  impl_->context = context;
  impl_->unfinished.store(static_cast<int>(impl_->workers.size()), std::memory_order_relaxed);
  impl_->round.fetch_add(1, std::memory_order_release);
  impl_->round.notify_all();
  impl_->work_as(0);
  for (int left = impl_->unfinished.load(std::memory_order_acquire); left > 0;
       left = impl_->unfinished.load(std::memory_order_acquire)) {
    Impl::await(impl_->unfinished, left, impl_->spin);
  }
  impl_->busy.store(false, std::memory_order_release);
}

}  // namespace rnn
