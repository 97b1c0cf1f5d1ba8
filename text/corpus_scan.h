// The pass over a corpus: blocks of lines are worked on by several threads and handed over in
// order.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <string>
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

/// Calls work(LineCursor&, Result&) for each block on some thread and then consume(Result&) for
/// each, in the order of the text, one at a time. Each thread has one Result, which it uses again.
/// A block with an error is gone through once more when its turn has come, since only then the
/// number of its first line is known. Each thread reads, works and hands over for itself, so that
/// files are read and written while others work. When all went well, finish(Result&) is shown each
/// thread's result on the calling thread: for sums, whose order does not matter.
template <class Result, class Work, class Consume, class Finish>
void scan_corpus(std::span<const std::string> paths, const CorpusOptions& options,
                 const TextPolicy& policy, Work work, Consume consume, Finish finish) {
  check_corpus_options(paths, options);
  const std::int64_t total = total_size(paths);
  ThreadPool pool({.threads = options.threads});
  std::mutex reading, handing;
  std::condition_variable turned;
  // Under `reading`: where the text is read. A block is known by its number.
  std::unique_ptr<BlockReader> reader;
  std::size_t next_path = 0;
  std::int64_t next_block = 0, done_before = 0;
  // Under `handing`: whose turn it is, and the lines of its file so far.
  std::int64_t turn = 0, lines = 0;
  std::exception_ptr error;
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> done{0};

  std::vector<Result> results(static_cast<std::size_t>(options.threads));
  const auto work_as = [&](int thread) {
    Block block;
    Result& result = results[static_cast<std::size_t>(thread)];
    while (true) {
      std::string name;
      std::int64_t number = 0;
      std::unique_lock read_lock(reading);
      number = next_block;
      try {
        while (!stop) {
          if (reader == nullptr) {
            if (next_path == paths.size()) return;
            reader = std::make_unique<BlockReader>(paths[next_path++]);
          }
          if (reader->next(block)) break;
          done_before += reader->source().done();
          reader.reset();
        }
        if (stop) return;
        ++next_block;
        name = reader->source().name();
        done = done_before + reader->source().done();
      } catch (...) {
        stop = true;
        read_lock.unlock();
        // The blocks before may hold an error of their own, which then comes first.
        std::unique_lock lock(handing);
        turned.wait(lock, [&] { return turn == number || error != nullptr; });
        if (error == nullptr) error = std::current_exception();
        turned.notify_all();
        return;
      }
      read_lock.unlock();
      bool failed = false;
      std::int64_t count = 0;
      const auto go_through = [&](std::int64_t lines_before) {
        LineCursor cursor(block, name, lines_before, policy);
        work(cursor, result);
        count = cursor.line_number() - lines_before;
      };
      try {
        go_through(0);
      } catch (...) {
        failed = true;
      }
      std::unique_lock lock(handing);
      turned.wait(lock, [&] { return turn == number || error != nullptr; });
      if (error != nullptr) return;
      try {
        if (block.starts_file) lines = 0;
        if (failed) go_through(lines);
        lines += count;
        consume(result);
        if (thread == 0 && options.progress) options.progress(done, total);
      } catch (...) {
        error = std::current_exception();
        stop = true;
      }
      ++turn;
      turned.notify_all();
    }
  };
  pool.run(options.threads, work_as);
  if (error != nullptr) std::rethrow_exception(error);
  for (Result& result : results) finish(result);
  if (options.progress) options.progress(done_before, total);
}

}  // namespace rnn
