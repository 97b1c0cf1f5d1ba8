// The pass over a corpus: blocks of lines are worked on by several threads and handed over in
// order.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/corpus.h"
#include "rnn/thread_pool.h"
#include "text/lines.h"

namespace rnn {

/// The error for files without a token.
[[noreturn]] void throw_empty_corpus(std::span<const std::string> paths, std::int64_t lines);
/// Their sizes together; -1 when one of them is no regular file.
std::int64_t total_size(std::span<const std::string> paths);
void check_corpus_options(std::span<const std::string> paths, const CorpusOptions& options);

/// The line as it is to be tokenized.
inline std::string_view prepared(std::string_view line, const CorpusOptions& options,
                                 std::string& memory) {
  if (options.normalizer == nullptr) return line;
  return memory = options.normalizer->normalize(line);
}

/// Calls work(); an error in the text of the line at hand is told with its place.
template <class Work>
void at_line(const LineCursor& lines, const Work& work) {
  try {
    work();
  } catch (const TextError& error) {
    throw TextError(at(lines.name(), lines.line_number(), error.what()));
  }
}

/// A block of lines on its way: read, worked on, handed over in its turn, used again.
template <class Result>
struct ScanTask {
  Block block{};
  std::string name{};  // of the file it is from
  Result result{};
  std::int64_t lines = 0;
  bool failed = false;              // it has to be gone through once more, when its turn has come
  std::exception_ptr unreadable{};  // instead of a block
};

/// Calls work(LineCursor&, Result&) for each block on some thread, then place(Result&) for each, in
/// the order of the text, one at a time, and then store(Result&), on any thread and at the same
/// time as for others. There are a few Results, which are used again. A block with an error is gone
/// through once more when its turn has come, since only then the number of its first line is known.
/// Each thread reads and works for itself; what is done too early is left for whoever hands over at
/// the moment, so that no thread waits for another's writing. When all went well, finish(Result&)
/// is shown each result on the calling thread: for sums, whose order does not matter.
template <class Result, class Work, class Place, class Store, class Finish>
class CorpusScan {
 public:
  using Task = ScanTask<Result>;

  CorpusScan(std::span<const std::string> paths, const CorpusOptions& options,
             const TextPolicy& policy, Work work, Place place, Store store, Finish finish)
      : paths_(paths),
        options_(options),
        policy_(policy),
        work_(work),
        place_(place),
        store_(store),
        finish_(finish),
        total_(total_size(paths)) {}

  void run() {
    // Two for each thread: one at hand, one that waits for its turn.
    tasks_.resize(options_.threads == 1 ? 1 : 2 * static_cast<std::size_t>(options_.threads));
    for (Task& task : tasks_) free_.push_back(&task);
    ThreadPool pool({.threads = options_.threads});
    pool.run(options_.threads, [&](int thread) { work_as(thread); });
    if (error_ != nullptr) std::rethrow_exception(error_);
    for (Task& task : tasks_) finish_(task.result);
    if (options_.progress) options_.progress(done_before_, total_);
  }

 private:
  void work_as(int thread) {
    while (Task* const task = take()) {
      std::int64_t number = 0;
      if (!read(*task, number)) {
        const std::unique_lock lock(handing_);
        ended_ = true;
        free_.push_back(task);
        changed_.notify_all();
        continue;
      }
      if (task->unreadable == nullptr) {
        try {
          go_through(*task, 0);
          task->failed = false;
        } catch (...) {
          task->failed = true;
        }
      }
      hand_over(*task, number);
      if (thread == 0 && options_.progress) {
        try {
          options_.progress(done_, total_);
        } catch (...) {
          const std::unique_lock lock(handing_);
          fail(std::current_exception());
        }
      }
    }
  }

  /// One that is free, after storing what has its place; null when there is nothing more to do.
  Task* take() {
    std::unique_lock lock(handing_);
    while (true) {
      changed_.wait(lock, [&] { return !placed_.empty() || !free_.empty() || error_ != nullptr; });
      if (error_ != nullptr) return nullptr;
      if (!placed_.empty()) {
        Task* const task = placed_.back();
        placed_.pop_back();
        lock.unlock();
        std::exception_ptr error;
        try {
          store_(task->result);
        } catch (...) {
          error = std::current_exception();
        }
        lock.lock();
        if (error != nullptr) fail(error);
        free_.push_back(task);
        changed_.notify_one();
        continue;
      }
      if (ended_) return nullptr;
      Task* const task = free_.back();
      free_.pop_back();
      return task;
    }
  }

  /// The next block; false at the end of the text.
  bool read(Task& task, std::int64_t& number) {
    const std::unique_lock lock(reading_);
    number = next_block_;
    try {
      while (!stop_) {
        if (reader_ == nullptr) {
          if (next_path_ == paths_.size()) return false;
          reader_ =
              std::make_unique<BlockReader>(ByteSource(paths_[next_path_++], policy_.never_packed));
        }
        if (reader_->next(task.block)) break;
        done_before_ += reader_->source().done();
        reader_.reset();
      }
      if (stop_) return false;
      task.name = reader_->source().name();
      done_ = done_before_ + reader_->source().done();
    } catch (...) {
      // The blocks before may hold an error of their own, which then comes first.
      task.unreadable = std::current_exception();
      stop_ = true;
    }
    ++next_block_;
    return true;
  }

  void go_through(Task& task, std::int64_t lines_before) {
    LineCursor cursor(task.block, task.name, lines_before, policy_);
    work_(cursor, task.result);
    task.lines = cursor.line_number() - lines_before;
  }

  /// Hands over all that are in turn, unless somebody does so already and will find this one.
  void hand_over(Task& done, std::int64_t number) {
    std::unique_lock lock(handing_);
    ready_.emplace(number, &done);
    if (handing_over_) return;
    handing_over_ = true;
    while (error_ == nullptr && !ready_.empty() && ready_.begin()->first == turn_) {
      Task* const task = ready_.begin()->second;
      ready_.erase(ready_.begin());
      lock.unlock();
      std::exception_ptr error;
      try {
        place(*task);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error != nullptr) fail(error);
      ++turn_;
      placed_.push_back(task);
      changed_.notify_one();
    }
    handing_over_ = false;
  }

  void place(Task& task) {
    if (task.block.starts_file) lines_ = 0;
    if (task.unreadable != nullptr) {
      try {
        std::rethrow_exception(task.unreadable);
      } catch (...) {
        rethrow_in_line(lines_ + 1);
      }
    }
    if (task.failed) go_through(task, lines_);
    lines_ += task.lines;
    place_(task.result);
  }

  /// Under `handing_`.
  void fail(std::exception_ptr error) {
    if (error_ == nullptr) error_ = std::move(error);
    stop_ = true;
    changed_.notify_all();
  }

  std::span<const std::string> paths_;
  const CorpusOptions& options_;
  TextPolicy policy_;
  Work work_;
  Place place_;
  Store store_;
  Finish finish_;
  std::int64_t total_;
  std::vector<Task> tasks_{};
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> done_{0};

  // Where the text is read. A block is known by its number.
  std::mutex reading_{};
  std::unique_ptr<BlockReader> reader_{};
  std::size_t next_path_ = 0;
  std::int64_t next_block_ = 0, done_before_ = 0;

  // Whose turn it is, and who waits for it. The lines of the file so far belong to the one who
  // hands over.
  std::mutex handing_{};
  std::condition_variable changed_{};
  std::vector<Task*> free_{}, placed_{};
  std::map<std::int64_t, Task*> ready_{};
  bool handing_over_ = false, ended_ = false;
  std::int64_t turn_ = 0, lines_ = 0;
  std::exception_ptr error_{};
};

template <class Result, class Work, class Place, class Store, class Finish>
void scan_corpus(std::span<const std::string> paths, const CorpusOptions& options,
                 const TextPolicy& policy, Work work, Place place, Store store, Finish finish) {
  check_corpus_options(paths, options);
  CorpusScan<Result, Work, Place, Store, Finish>(paths, options, policy, work, place, store, finish)
      .run();
}

}  // namespace rnn
