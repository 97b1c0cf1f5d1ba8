#include "rnn/text/lane_dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "rnn/error.h"
#include "rnn/kernels.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Ids = std::vector<std::int32_t>;

Ids numbers(std::int32_t count) {
  Ids ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 100);
  return ids;
}

struct Lane {
  Ids inputs{}, targets{};
};

/// What each lane saw in the rest of the epoch.
std::vector<Lane> read_lanes(LaneDataset& data, std::int64_t batches = 1 << 30) {
  std::vector<Lane> lanes;
  Batch batch;
  for (std::int64_t i = 0; i < batches && data.next(batch); ++i) {
    lanes.resize(static_cast<std::size_t>(batch.batch));
    for (Index b = 0; b < batch.batch; ++b) {
      EXPECT_EQ(batch.examples[static_cast<std::size_t>(b)], static_cast<std::uint32_t>(b));
      for (Index t = 0; t < batch.time; ++t) {
        const auto cell = static_cast<std::size_t>(t * batch.batch + b);
        if (t < length_of(batch.lengths, b, batch.time)) {
          lanes[static_cast<std::size_t>(b)].inputs.push_back(batch.ids[cell]);
          lanes[static_cast<std::size_t>(b)].targets.push_back(batch.targets[cell]);
        } else {
          EXPECT_LT(batch.targets[cell], 0);
        }
      }
    }
  }
  return lanes;
}

TEST(LaneDataset, SmallExampleInFull) {
  const Ids ids = {10, 11, 12, 13, 14, 15, 16};
  LaneDataset data(ids, 1, {.batch = 2, .bptt = 3});
  EXPECT_EQ(data.batches_per_epoch(), 2);
  EXPECT_EQ(data.targets_per_epoch(), 7);
  Batch batch;
  ASSERT_TRUE(data.next(batch));
  EXPECT_EQ(batch.time, 3);
  EXPECT_EQ(batch.batch, 2);
  EXPECT_EQ(batch.ids, (Ids{1, 13, 10, 14, 11, 15}));
  EXPECT_EQ(batch.targets, (Ids{10, 14, 11, 15, 12, 16}));
  EXPECT_TRUE(batch.lengths.empty());
  ASSERT_TRUE(data.next(batch));
  EXPECT_EQ(batch.time, 1);
  EXPECT_EQ(batch.ids[0], 12);
  EXPECT_EQ(batch.targets, (Ids{13, -1}));
  EXPECT_EQ(batch.lengths, (std::vector<std::int32_t>{1, 0}));
  EXPECT_FALSE(data.next(batch));
}

TEST(LaneDataset, EveryTokenIsPredictedOnceFromTheOneBefore) {
  for (const std::int32_t count : {20, 21, 39, 97, 100}) {
    const Ids ids = numbers(count);
    for (const std::int64_t batch : {1, 3, 7, 20}) {
      for (const std::int64_t bptt : {1, 5, 8, 200}) {
        for (const bool random : {false, true}) {
          LaneDataset data(ids, 1, {.batch = batch, .bptt = bptt, .random_window = random});
          const std::vector<Lane> lanes = read_lanes(data);
          EXPECT_EQ(data.position().batch, data.batches_per_epoch());
          Ids inputs, targets;
          std::size_t longest = 0, shortest = ids.size();
          for (const Lane& lane : lanes) {
            inputs.insert(inputs.end(), lane.inputs.begin(), lane.inputs.end());
            targets.insert(targets.end(), lane.targets.begin(), lane.targets.end());
            longest = std::max(longest, lane.targets.size());
            shortest = std::min(shortest, lane.targets.size());
          }
          EXPECT_EQ(targets, ids);
          Ids expected = {1};
          expected.insert(expected.end(), ids.begin(), ids.end() - 1);
          EXPECT_EQ(inputs, expected);
          EXPECT_LE(longest - shortest, 1u);
        }
      }
    }
  }
}

TEST(LaneDataset, AnyPositionIsTakenUpExactly) {
  const Ids ids = numbers(5003);
  const LaneDatasetOptions options{.batch = 4, .bptt = 20, .random_window = true, .seed = 5};
  for (const std::int64_t epoch : {0, 3}) {
    LaneDataset first(ids, 1, options);
    first.seek({.epoch = epoch});
    const std::int64_t windows = *first.batches_per_epoch();
    for (std::int64_t i = 0; i <= windows; ++i) {
      LaneDataset second(ids, 1, options);
      second.seek(first.position());
      EXPECT_EQ(second.position(), first.position());
      EXPECT_EQ(second.batches_per_epoch(), windows);
      Batch a, b;
      const bool more = first.next(a);
      EXPECT_EQ(more, i < windows);
      EXPECT_EQ(second.next(b), more);
      if (!more) break;
      EXPECT_EQ(a.ids, b.ids);
      EXPECT_EQ(a.targets, b.targets);
      EXPECT_EQ(a.lengths, b.lengths);
      EXPECT_EQ(first.position(), second.position());
    }
  }
}

std::vector<Index> windows(std::uint64_t seed, std::int64_t epoch, std::size_t tokens = 400'000) {
  const Ids ids(tokens, 7);
  LaneDataset data(ids, 1, {.batch = 1, .bptt = 70, .random_window = true, .seed = seed});
  data.seek({.epoch = epoch});
  std::vector<Index> lengths;
  Batch batch;
  while (data.next(batch)) lengths.push_back(batch.time);
  return lengths;
}

TEST(LaneDataset, RandomWindowsHaveTheirDistribution) {
  std::vector<Index> lengths = windows(1, 0);
  lengths.pop_back();  // what was left
  double sum = 0, squares = 0, count = 0, small = 0;
  for (const Index length : lengths) {
    EXPECT_GE(length, 5);
    if (length < 52) {  // more than 3.5 deviations from either mean
      ++small;
    } else {
      sum += static_cast<double>(length);
      squares += static_cast<double>(length * length);
      ++count;
    }
  }
  const double mean = sum / count;
  EXPECT_NEAR(mean, 70, 0.3);
  EXPECT_NEAR(std::sqrt(squares / count - mean * mean), 5.0, 0.3);
  EXPECT_NEAR(small / static_cast<double>(lengths.size()), 0.05, 0.01);
}

TEST(LaneDataset, RandomWindowsDependOnSeedAndEpochAlone) {
  EXPECT_EQ(windows(1, 0, 9000), windows(1, 0, 9000));
  EXPECT_NE(windows(1, 0, 9000), windows(1, 1, 9000));
  EXPECT_NE(windows(1, 0, 9000), windows(2, 0, 9000));
  std::vector<Index> shorter = windows(1, 0, 5000);
  shorter.pop_back();
  const std::vector<Index> longer = windows(1, 0, 9000);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
}

TEST(LaneDataset, ErrorsSayWhatIsWanted) {
  const Ids ids = numbers(10);
  expect_error<TextError>([&] { LaneDataset(ids, 1, {.batch = 11}); }, "10 tokens", "11 lanes",
                          "--batch");
  expect_error<TextError>([&] { LaneDataset(ids, 1, {.batch = 3, .minimum_steps = 4}); }, "3 lanes",
                          "at least 4 steps");
  expect_error<ConfigError>([&] { LaneDataset(ids, 1, {.batch = 0}); }, "`batch`", "0");
  expect_error<ConfigError>([&] { LaneDataset(ids, 1, {.bptt = -3}); }, "`bptt`", "-3");
  LaneDataset data(ids, 1, {.batch = 2, .bptt = 5});
  expect_error<ConfigError>([&] { data.seek({.epoch = 0, .batch = 2}); }, "position 2",
                            "1 batches");
}

TEST(LaneDataset, HoldsOutTheLastTokens) {
  std::vector<std::int32_t> ids(100);
  std::iota(ids.begin(), ids.end(), 0);
  LaneDataset data(ids, -7, {.batch = 2, .bptt = 8});
  const auto tokens = [](BatchSource& source) {
    std::vector<std::int32_t> seen;
    Batch batch;
    while (source.next(batch)) {
      for (std::int32_t target : batch.targets) {
        if (target >= 0) seen.push_back(target);
      }
    }
    std::sort(seen.begin(), seen.end());
    return seen;
  };
  for (int again = 0; again < 2; ++again) {
    const auto held = data.hold_out(0.25);
    EXPECT_EQ(data.targets_per_epoch(), 75);
    EXPECT_EQ(tokens(data), std::vector<std::int32_t>(ids.begin(), ids.begin() + 75));
    EXPECT_EQ(tokens(*held), std::vector<std::int32_t>(ids.begin() + 75, ids.end()));
  }
  EXPECT_EQ(data.hold_out(0), nullptr);
  EXPECT_EQ(tokens(data), ids);
  EXPECT_THROW(data.hold_out(0.001), TextError);
}

}  // namespace
}  // namespace rnn
