#include "rnn/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace rnn {
namespace {

TEST(ThreadPool, RunsEveryPartOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool({.threads = threads});
    EXPECT_EQ(pool.threads(), threads);
    for (int parts : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(parts));
      for (int round = 0; round < 50; ++round) {
        pool.run(parts, [&](int part) { ++seen[static_cast<std::size_t>(part)]; });
      }
      for (const auto& count : seen) EXPECT_EQ(count, 50);
    }
  }
}

TEST(ThreadPool, SleepsAndWakes) {
  ThreadPool pool({.threads = 2, .spin = std::chrono::microseconds(0)});
  std::atomic<int> sum = 0;
  for (int round = 0; round < 200; ++round) pool.run(2, [&](int part) { sum += part + 1; });
  EXPECT_EQ(sum, 600);
}

TEST(ThreadPool, LateWorkersHaveEachPartDoneOnceInItsOwnRound) {
  // More threads than cores, all asleep between rounds: the caller does what they have not begun.
  ThreadPool pool({.threads = 8, .spin = std::chrono::microseconds(0)});
  for (int round = 0; round < 500; ++round) {
    std::vector<int> seen(8, 0);
    pool.run(8, [&seen, round](int part) { seen[static_cast<std::size_t>(part)] += round + 1; });
    EXPECT_EQ(seen, std::vector<int>(8, round + 1));
  }
}

TEST(ThreadPool, SecondCallerDoesItsOwnWork) {
  ThreadPool pool({.threads = 2});
  std::atomic<int> sum = 0;
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) pool.run(3, [&](int) { ++sum; });
    });
  }
  callers.clear();
  EXPECT_EQ(sum, 4 * 500 * 3);
}

TEST(ThreadPool, PartsMayRunPartsOfTheirOwn) {
  ThreadPool pool({.threads = 2});
  std::atomic<int> sum = 0;
  pool.run(4, [&](int) { pool.run(5, [&](int) { ++sum; }); });
  EXPECT_EQ(sum, 20);
}

TEST(ThreadPool, TeamMembersMeetAtABarrier) {
  for (int threads : {1, 2, 3}) {
    ThreadPool pool({.threads = threads});
    for (int limit : {1, 2, 8}) {
      SpinBarrier barrier;
      std::vector<int> turns(8, 0);  // each written by one member, read by all
      std::atomic<int> wrong = 0, size = 0;
      pool.run_team(limit, [&](int member, int members) {
        size = members;
        for (int turn = 1; turn <= 100; ++turn) {
          turns[static_cast<std::size_t>(member)] = turn;
          barrier.wait(members);
          for (int other = 0; other < members; ++other) {
            if (turns[static_cast<std::size_t>(other)] != turn) ++wrong;
          }
          barrier.wait(members);
        }
      });
      EXPECT_EQ(size, std::min(limit, threads));
      EXPECT_EQ(wrong, 0);
    }
  }
}

TEST(ThreadPool, ATeamInsideWorkHasOneMember) {
  ThreadPool pool({.threads = 2});
  std::atomic<int> sum = 0;
  pool.run(2, [&](int) { pool.run_team(2, [&](int, int members) { sum += members; }); });
  EXPECT_EQ(sum, 2);
}

}  // namespace
}  // namespace rnn
