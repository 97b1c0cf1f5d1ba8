// The pass over a corpus: blocks of lines are worked on by several threads and handed over in
// order.
#pragma once

#include <exception>
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
/// each, in the order of the text, on this one. `work` must set all of its result, which is used
/// again, and have no other effect: a block with an error is gone through once more by itself, now
/// that the number of its first line is known.
template <class Result, class Work, class Consume>
void scan_corpus(std::span<const std::string> paths, const CorpusOptions& options,
                 const TextPolicy& policy, Work work, Consume consume) {
  check_corpus_options(paths, options);
  struct Slot {
    Block block{};
    Result result{};
    std::int64_t lines = 0;
    bool failed = false;
  };
  // Two for each thread even out blocks that take longer than others.
  std::vector<Slot> slots(options.threads > 1 ? 2 * static_cast<std::size_t>(options.threads) : 1);
  ThreadPool pool({.threads = options.threads});
  const std::int64_t total = total_size(paths);
  std::int64_t done_before = 0;
  for (const std::string& path : paths) {
    BlockReader reader(path);
    const std::string& name = reader.source().name();
    std::int64_t lines = 0;
    const auto go_through = [&](Slot& slot, std::int64_t lines_before) {
      LineCursor cursor(slot.block, name, lines_before, policy);
      work(cursor, slot.result);
      slot.lines = cursor.line_number() - lines_before;
    };
    for (std::size_t filled = slots.size(); filled == slots.size();) {
      filled = 0;
      while (filled < slots.size() && reader.next(slots[filled].block)) ++filled;
      pool.run(static_cast<int>(filled), [&](int part) {
        Slot& slot = slots[static_cast<std::size_t>(part)];
        try {
          slot.failed = false;
          go_through(slot, 0);
        } catch (...) {
          slot.failed = true;
        }
      });
      for (std::size_t i = 0; i < filled; ++i) {
        if (slots[i].failed) go_through(slots[i], lines);
        lines += slots[i].lines;
        consume(slots[i].result);
      }
      if (options.progress) options.progress(done_before + reader.source().done(), total);
    }
    done_before += reader.source().done();
  }
}

}  // namespace rnn
