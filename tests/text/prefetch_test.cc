#include "rnn/text/prefetch.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/lane_dataset.h"
#include "text/text_files.h"

namespace rnn {
namespace {

std::vector<std::int32_t> ids() {
  std::vector<std::int32_t> numbers(3001);
  std::iota(numbers.begin(), numbers.end(), 5);
  return numbers;
}

std::unique_ptr<BatchSource> lanes(const std::vector<std::int32_t>& numbers) {
  return std::make_unique<LaneDataset>(
      numbers, 1, LaneDatasetOptions{.batch = 4, .bptt = 12, .random_window = true});
}

TEST(Prefetch, DeliversTheSameBatchesAndPositions) {
  const auto numbers = ids();
  for (const int ahead : {1, 2, 7}) {
    const auto plain = lanes(numbers);
    PrefetchSource fetched(lanes(numbers), ahead);
    EXPECT_EQ(fetched.batches_per_epoch(), plain->batches_per_epoch());
    EXPECT_EQ(fetched.targets_per_epoch(), plain->targets_per_epoch());
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      plain->seek({.epoch = epoch});
      fetched.seek({.epoch = epoch});
      Batch a, b;
      for (bool more = true; more;) {
        EXPECT_EQ(plain->position(), fetched.position());
        more = plain->next(a);
        ASSERT_EQ(fetched.next(b), more);
        if (!more) break;
        EXPECT_EQ(a.ids, b.ids);
        EXPECT_EQ(a.targets, b.targets);
        EXPECT_EQ(a.lengths, b.lengths);
      }
      EXPECT_FALSE(fetched.next(b));
      EXPECT_EQ(fetched.batches_per_epoch(), plain->batches_per_epoch());
    }
  }
}

TEST(Prefetch, SeeksFromAnyPlaceToAnyOther) {
  const auto numbers = ids();
  const auto plain = lanes(numbers);
  PrefetchSource fetched(lanes(numbers), 3);
  Batch a, b;
  for (std::int64_t i = 0; i < 200; ++i) {
    const BatchSource::Position position{.epoch = i % 3, .batch = i * 7 % 40};
    plain->seek(position);
    fetched.seek(position);
    EXPECT_EQ(fetched.position(), position);
    for (std::int64_t steps = 0; steps < i % 4; ++steps) {
      ASSERT_EQ(plain->next(a), fetched.next(b));
      EXPECT_EQ(a.ids, b.ids);
    }
  }
}

TEST(Prefetch, HoldsOutWhatTheSourceDoes) {
  const auto numbers = ids();
  const auto plain = lanes(numbers);
  PrefetchSource fetched(lanes(numbers), 3);
  Batch a, b;
  const auto expect_same = [&](BatchSource& one, BatchSource& other) {
    EXPECT_EQ(one.position(), other.position());
    EXPECT_EQ(one.targets_per_epoch(), other.targets_per_epoch());
    for (bool more = true; more;) {
      more = one.next(a);
      ASSERT_EQ(other.next(b), more);
      if (more) {
        EXPECT_EQ(a.ids, b.ids);
      }
    }
  };
  for (int again = 0; again < 2; ++again) {
    fetched.seek({});
    ASSERT_TRUE(fetched.next(b));  // something was read ahead
    const auto held = fetched.hold_out(0.25), expected = plain->hold_out(0.25);
    expect_same(*expected, *held);
    expect_same(*plain, fetched);
  }
  plain->seek({.epoch = 1});
  fetched.seek({.epoch = 1});
  ASSERT_TRUE(plain->next(a) && fetched.next(b));
  EXPECT_THROW(fetched.hold_out(0.0001), TextError);  // goes on where it was
  expect_same(*plain, fetched);
  EXPECT_EQ(fetched.hold_out(0), plain->hold_out(0));
  expect_same(*plain, fetched);
}

/// Counts its batches in `time` and leaves alone whatever else is in them.
class Counting final : public BatchSource {
 public:
  bool next(Batch& batch) override {
    batch.time = ++position_.batch;
    return true;
  }
  void seek(const Position& position) override { position_ = position; }
  Position position() const override { return position_; }

 private:
  Position position_{};
};

TEST(Prefetch, WhatWasAddedToABatchDoesNotComeBack) {
  PrefetchSource fetched(std::make_unique<Counting>(), 1);
  Batch batch;
  for (std::int64_t i = 1; i <= 10; ++i) {
    ASSERT_TRUE(fetched.next(batch));
    EXPECT_EQ(batch.time, i);
    EXPECT_TRUE(batch.weights.empty()) << i;
    EXPECT_TRUE(batch.examples.empty()) << i;
    batch.weights.assign(3, 2.0f);
    batch.examples.assign(3, 7);
  }
}

/// Fails at its third batch.
class Failing final : public BatchSource {
 public:
  bool next(Batch& batch) override {
    if (position_.batch == 2) throw TextError("line 3 is bad");
    batch.time = ++position_.batch;
    return true;
  }
  void seek(const Position& position) override {
    if (position.batch > 9) throw ConfigError("too far");
    position_ = position;
  }
  Position position() const override { return position_; }

 private:
  Position position_{};
};

TEST(Prefetch, ErrorsComeWhenTheirBatchIsAskedFor) {
  PrefetchSource source(std::make_unique<Failing>(), 5);
  Batch batch;
  ASSERT_TRUE(source.next(batch));
  ASSERT_TRUE(source.next(batch));
  EXPECT_EQ(batch.time, 2);
  expect_error<TextError>([&] { source.next(batch); }, "line 3");
  expect_error<TextError>([&] { source.next(batch); }, "line 3");
  expect_error<ConfigError>([&] { source.seek({.epoch = 0, .batch = 10}); }, "too far");
  source.seek({});
  ASSERT_TRUE(source.next(batch));
  EXPECT_EQ(batch.time, 1);
}

/// Goes nowhere, and numbers the times that it was asked to.
class Stuck final : public BatchSource {
 public:
  bool next(Batch&) override { return true; }
  void seek(const Position&) override {
    throw TextError("cannot go there, asked " + std::to_string(++asked_) + " times");
  }
  Position position() const override { return {}; }

 private:
  int asked_ = 0;
};

TEST(Prefetch, ASourceThatCannotGoBackIsAnErrorAndNoEndlessWait) {
  PrefetchSource source(std::make_unique<Stuck>(), 2);
  Batch batch;
  ASSERT_TRUE(source.next(batch));
  expect_error<TextError>([&] { source.seek({}); }, "asked 1 times");
  expect_error<TextError>([&] { source.next(batch); }, "asked 2 times");
}

TEST(Prefetch, WrongUseIsRefused) {
  expect_error<ConfigError>([] { PrefetchSource(nullptr); }, "source");
  expect_error<ConfigError>([] { PrefetchSource(std::make_unique<Failing>(), 0); }, "`ahead`", "0");
}

}  // namespace
}  // namespace rnn
