#include "tasks/side_by_side.h"

#include <atomic>
#include <exception>
#include <mutex>

namespace rnn {

void side_by_side(const Backend& backend, std::int64_t count,
                  const std::function<void(int worker, std::int64_t item)>& work) {
  const int workers = backend.threads();
  if (count < workers || workers == 1) {
    for (std::int64_t item = 0; item < count; ++item) work(0, item);
    return;
  }
  std::atomic<std::int64_t> next{0};
  std::mutex mutex;
  std::int64_t failed = count;  // items before it have been taken when it fails, and will be done
  std::exception_ptr failure;
  backend.run_parts(workers, [&](int worker) {
    for (std::int64_t item = next++; item < count; item = next++) {
      try {
        work(worker, item);
      } catch (...) {
        next = count;
        const std::lock_guard lock(mutex);
        if (item >= failed) continue;
        failed = item;
        failure = std::current_exception();
      }
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace rnn
