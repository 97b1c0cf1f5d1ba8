#include "rnn/text/prefetch.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "rnn/error.h"

namespace rnn {

struct PrefetchSource::Impl {
  struct Item {
    Batch batch{};
    bool more = false;
    std::exception_ptr error{};
    Position after{};
  };

  std::unique_ptr<BatchSource> source;
  std::size_t ahead;
  mutable std::mutex mutex{};
  std::condition_variable changed{};
  std::deque<Item> ready{};
  std::deque<Batch> spare{};  // used again, so that their memory stays
  bool paused = false;        // the caller wants the source for itself
  bool reading = false;       // the thread has it
  bool ended = false;         // nothing more to read until seek()
  bool stop = false;
  Position delivered{};
  std::optional<std::int64_t> batches{}, targets{};
  std::thread thread{};

  void describe() {
    delivered = source->position();
    batches = source->batches_per_epoch();
    targets = source->targets_per_epoch();
  }

  /// Drops what was read ahead and calls `work` with the source; when that fails, reading goes on
  /// after the batch delivered last, or next() tells why it cannot.
  template <class Work>
  void with_source(Work work) {
    std::unique_lock lock(mutex);
    paused = true;
    changed.wait(lock, [&] { return !reading; });
    for (Item& item : ready) keep(std::move(item.batch));
    ready.clear();
    paused = false;
    ended = false;
    try {
      work(*source);
    } catch (...) {
      try {
        source->seek(delivered);
      } catch (...) {  // nobody knows where the source stands: next() must not read from there
        ended = true;
        ready.emplace_back().error = std::current_exception();
      }
      changed.notify_all();
      throw;
    }
    describe();
    changed.notify_all();
  }

  void keep(Batch batch) {
    batch.clear();  // whoever had the batch may have added to it
    spare.push_back(std::move(batch));
  }

  void read_on() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return stop || (!paused && !ended && ready.size() < ahead); });
      if (stop) return;
      Item item;
      if (!spare.empty()) {
        item.batch = std::move(spare.front());
        spare.pop_front();
      }
      reading = true;
      lock.unlock();
      try {
        item.more = source->next(item.batch);
        item.after = source->position();
      } catch (...) {
        item.error = std::current_exception();
      }
      lock.lock();
      reading = false;
      ended = !item.more;
      ready.push_back(std::move(item));
      changed.notify_all();
    }
  }
};

PrefetchSource::PrefetchSource(std::unique_ptr<BatchSource> source, int ahead) {
  if (source == nullptr) throw ConfigError("prefetching needs a source, given none");
  if (ahead < 1) {
    throw ConfigError("option `ahead`: expected 1 or more, given " + std::to_string(ahead));
  }
  impl_.reset(new Impl{std::move(source), static_cast<std::size_t>(ahead)});
  impl_->describe();
  impl_->thread = std::thread([impl = impl_.get()] { impl->read_on(); });
}

PrefetchSource::~PrefetchSource() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
}

bool PrefetchSource::next(Batch& batch) {
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait(lock, [&] { return !impl_->ready.empty(); });
  Impl::Item& item = impl_->ready.front();
  // The end stays there: whoever asks again is told again.
  if (item.error) std::rethrow_exception(item.error);
  if (!item.more) return false;
  std::swap(batch, item.batch);
  impl_->keep(std::move(item.batch));
  impl_->delivered = item.after;
  impl_->ready.pop_front();
  impl_->changed.notify_all();
  return true;
}

void PrefetchSource::seek(const Position& position) {
  impl_->with_source([&](BatchSource& source) { source.seek(position); });
}

std::unique_ptr<BatchSource> PrefetchSource::hold_out(double share) {
  std::unique_ptr<BatchSource> held;
  impl_->with_source([&](BatchSource& source) { held = source.hold_out(share); });
  return held;
}

BatchSource::Position PrefetchSource::position() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->delivered;
}

std::optional<std::int64_t> PrefetchSource::batches_per_epoch() const { return impl_->batches; }
std::optional<std::int64_t> PrefetchSource::targets_per_epoch() const { return impl_->targets; }

}  // namespace rnn
