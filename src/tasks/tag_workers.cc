#include "tasks/tag_workers.h"

#include <algorithm>
#include <exception>

namespace rnn {
namespace {

/// Threads that the options ask for, at most `limit` and at least one.
ThreadPoolOptions at_most(const ThreadPoolOptions& options, std::int64_t limit) {
  const int asked = options.threads > 0 ? options.threads : ThreadPool(options).threads();
  ThreadPoolOptions result = options;
  result.threads = static_cast<int>(std::clamp<std::int64_t>(limit, 1, asked));
  return result;
}

}  // namespace

TagWorkers::TagWorkers(const Network& network, const Parameters& parameters,
                       const BackendOptions& options, const std::vector<std::uint8_t>& allowed,
                       std::int64_t limit)
    : pool_(limit > 1 ? at_most(options.threads, limit) : ThreadPoolOptions{.threads = 1}) {
  BackendOptions alone = options;
  alone.threads.threads = 1;
  for (int i = 0; i < pool_.threads(); ++i) {
    decoders_.push_back(
        std::make_unique<TagDecoder>(network, parameters, make_backend(alone), allowed));
  }
}

void TagWorkers::run(const std::function<TaggerDataset()>& open,
                     const std::function<void(TagDecoder&, const Batch&, std::int64_t)>& work) {
  std::vector<std::exception_ptr> failures(decoders_.size());
  pool_.run(pool_.threads(), [&](int worker) {
    const auto w = static_cast<std::size_t>(worker);
    try {
      TaggerDataset data = open();
      Batch batch;
      for (std::int64_t number = worker; number < *data.batches_per_epoch();
           number += pool_.threads()) {
        data.seek({0, number});
        data.next(batch);
        decoders_[w]->run(batch);
        work(*decoders_[w], batch, number);
      }
    } catch (...) {
      failures[w] = std::current_exception();
    }
  });
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace rnn
