#include "tasks/side_by_side.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace rnn {
namespace {

TEST(SideBySide, EveryItemIsDoneOnceByAWorkerThatThereIs) {
  for (const int threads : {1, 2, 3, 5}) {
    for (const std::int64_t count : {0, 1, 2, 3, 4, 7, 1000}) {
      const auto backend = make_backend({.name = "native", .threads = {.threads = threads}});
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(count));
      side_by_side(*backend, count, [&](int worker, std::int64_t item) {
        ++done[static_cast<std::size_t>(item)];
        if (worker < 0 || worker >= backend->threads()) throw std::logic_error("no such worker");
      });
      for (const auto& times : done) EXPECT_EQ(times, 1);
    }
  }
}

TEST(SideBySide, ThrowsWhatTheFirstItemToFailThrew) {
  for (const int threads : {1, 3}) {
    const auto backend = make_backend({.name = "native", .threads = {.threads = threads}});
    for (int attempt = 0; attempt < 20; ++attempt) {
      try {
        side_by_side(*backend, 100, [&](int, std::int64_t item) {
          if (item % 30 == 17) throw std::runtime_error(std::to_string(item));
        });
        FAIL() << "no error";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "17");
      }
    }
  }
}

TEST(SideBySide, KernelsMayBeCalledWithin) {
  const auto backend = make_backend({.name = "native", .threads = {.threads = 3, .least_work = 0}});
  const std::vector<float> ones(100'000, 1);
  std::atomic<int> right{0};
  side_by_side(*backend, 50, [&](int, std::int64_t) {
    right += backend->sum_of_squares({ones.data(), {100'000}}) == 100'000;
  });
  EXPECT_EQ(right, 50);
}

}  // namespace
}  // namespace rnn
