#include "rnn/text/bucket_dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/kernels.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Ids = std::vector<std::int32_t>;

/// Sequence i has ids 1000 i, 1000 i + 1, ...; targets are the ids plus 1, or i.
Sequences made(int count, bool one_target) {
  Sequences sequences;
  Draws draws(1);
  for (int i = 0; i < count; ++i) {
    Ids ids(draws.below(40)), targets;
    std::iota(ids.begin(), ids.end(), 1000 * i);
    for (const std::int32_t id : ids) targets.push_back(id + 1);
    if (one_target) {
      sequences.add(ids, i);
    } else {
      sequences.add(ids, targets);
    }
  }
  return sequences;
}

/// The numbers of the sequences, batch by batch, after checking what the batches hold.
std::vector<std::vector<std::uint32_t>> read(BucketDataset& data, const Sequences& sequences) {
  std::vector<std::vector<std::uint32_t>> result;
  Batch batch;
  while (data.next(batch)) {
    Index longest = 0;
    for (Index b = 0; b < batch.batch; ++b) {
      const auto number = static_cast<std::int64_t>(batch.examples[static_cast<std::size_t>(b)]);
      const Index length = length_of(batch.lengths, b, batch.time);
      longest = std::max(longest, length);
      EXPECT_EQ(length, sequences.length(number));
      if (sequences.one_target()) {
        EXPECT_EQ(batch.targets[static_cast<std::size_t>(b)], number);
      }
      for (Index t = 0; t < batch.time; ++t) {
        const auto cell = static_cast<std::size_t>(t * batch.batch + b);
        if (t < length) {
          EXPECT_EQ(batch.ids[cell], 1000 * number + t);
        }
        if (!sequences.one_target()) {
          EXPECT_EQ(batch.targets[cell], t < length ? 1000 * number + t + 1 : -1);
        }
      }
    }
    EXPECT_EQ(batch.time, longest);
    result.push_back(batch.examples);
  }
  return result;
}

Ids flat(const std::vector<std::vector<std::uint32_t>>& batches) {
  Ids all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

TEST(BucketDataset, EverySequenceComesOncePerEpoch) {
  for (const bool one_target : {true, false}) {
    const Sequences sequences = made(237, one_target);
    Ids expected(237);
    std::iota(expected.begin(), expected.end(), 0);
    for (const std::int64_t bucket : {1, 4, 1000}) {
      BucketDataset data(sequences, {.batch = 10, .shuffle = true, .bucket_batches = bucket});
      EXPECT_EQ(data.targets_per_epoch(), sequences.targets());
      for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
        data.seek({.epoch = epoch});
        const auto batches = read(data, sequences);
        EXPECT_EQ(static_cast<std::int64_t>(batches.size()), data.batches_per_epoch());
        EXPECT_EQ(batches.size(), 24u);
        Ids all = flat(batches);
        EXPECT_NE(all, expected);
        std::sort(all.begin(), all.end());
        EXPECT_EQ(all, expected);
      }
    }
  }
}

TEST(BucketDataset, WithoutShuffleTheOrderStays) {
  const Sequences sequences = made(25, true);
  BucketDataset data(sequences, {.batch = 10});
  Ids expected(25);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(flat(read(data, sequences)), expected);
  data.seek({.epoch = 5});
  EXPECT_EQ(flat(read(data, sequences)), expected);
}

TEST(BucketDataset, OrderDependsOnSeedAndEpochAlone) {
  const Sequences sequences = made(200, true);
  const auto order = [&](std::uint64_t seed, std::int64_t epoch, bool through_others) {
    BucketDataset data(sequences, {.batch = 8, .shuffle = true, .bucket_batches = 4, .seed = seed});
    for (std::int64_t before = 0; through_others && before < epoch; ++before) {
      data.seek({.epoch = before});
      read(data, sequences);
    }
    data.seek({.epoch = epoch});
    return flat(read(data, sequences));
  };
  EXPECT_EQ(order(1, 3, false), order(1, 3, true));
  EXPECT_NE(order(1, 3, false), order(1, 2, false));
  EXPECT_NE(order(1, 3, false), order(2, 3, false));
}

TEST(BucketDataset, SortingSavesPaddingButKeepsBatchesMixed) {
  const Sequences sequences = made(2000, true);
  const auto padding = [&](std::int64_t bucket) {
    BucketDataset data(sequences, {.batch = 16, .shuffle = true, .bucket_batches = bucket});
    std::int64_t cells = 0, used = 0;
    Batch batch;
    std::vector<Index> times;
    while (data.next(batch)) {
      cells += batch.time * batch.batch;
      for (Index b = 0; b < batch.batch; ++b) used += length_of(batch.lengths, b, batch.time);
      times.push_back(batch.time);
    }
    EXPECT_FALSE(std::is_sorted(times.rbegin(), times.rend()));
    return 1.0 - static_cast<double>(used) / static_cast<double>(cells);
  };
  EXPECT_GT(padding(1), 0.4);
  EXPECT_LT(padding(64), 0.05);
}

TEST(BucketDataset, StepsOfABatchAreLimited) {
  Sequences sequences = made(300, true);
  sequences.add(Ids(500, 300 * 1000), 300);  // longer than the limit: alone
  BucketDataset data(sequences, {.batch = 50, .maximum_steps = 200, .shuffle = true});
  Batch batch;
  std::int64_t count = 0;
  while (data.next(batch)) {
    EXPECT_TRUE(batch.time * batch.batch <= 200 || batch.batch == 1);
    EXPECT_LE(batch.batch, 50);
    count += batch.batch;
  }
  EXPECT_EQ(count, 301);
}

TEST(BucketDataset, AnyPositionIsTakenUpExactly) {
  const Sequences sequences = made(101, false);
  const BucketDatasetOptions options{.batch = 7, .shuffle = true, .bucket_batches = 3, .seed = 9};
  BucketDataset first(sequences, options);
  first.seek({.epoch = 2});
  Batch a, b;
  for (bool more = true; more;) {
    BucketDataset second(sequences, options);
    second.seek(first.position());
    more = first.next(a);
    ASSERT_EQ(second.next(b), more);
    EXPECT_EQ(first.position(), second.position());
    EXPECT_EQ(a.examples, b.examples);
    EXPECT_EQ(a.ids, b.ids);
    EXPECT_EQ(a.targets, b.targets);
  }
}

TEST(BucketDataset, ErrorsSayWhatIsWanted) {
  Sequences sequences;
  expect_error<TextError>([&] { BucketDataset{sequences}; }, "no sequences");
  expect_error<ShapeError>([&] { sequences.add({1, 2}, Ids{1}); }, "2 steps", "given 1");
  sequences.add({1, 2}, 0);
  expect_error<ConfigError>([&] { sequences.add({1}, Ids{1}); }, "one target");
  expect_error<ConfigError>([&] { BucketDataset(sequences, {.batch = 0}); }, "`batch`");
  BucketDataset data(sequences);
  expect_error<ConfigError>([&] { data.seek({.epoch = 0, .batch = 2}); }, "1 batches");
}

// `read` compares every number with what it must be.
TEST(BucketDataset, SequencesBeyondMemoryAreTheSame) {
  for (const bool one_target : {true, false}) {
    Sequences made_here = made(300'000, one_target);
    const Sequences sequences = std::move(made_here);
    ASSERT_GT(sequences.targets(), one_target ? 299'999 : 5'000'000);
    BucketDataset data(sequences, {.batch = 1000, .shuffle = true, .seed = 4});
    std::vector<std::uint32_t> seen;
    for (const auto& batch : read(data, sequences)) {
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    std::sort(seen.begin(), seen.end());
    std::vector<std::uint32_t> all(300'000);
    std::iota(all.begin(), all.end(), 0u);
    EXPECT_EQ(seen, all);
  }
}

TEST(BucketDataset, HoldsOutTheLastSequences) {
  for (const bool one_target : {true, false}) {
    const Sequences sequences = made(50, one_target);
    BucketDataset data(sequences, {.batch = 4, .shuffle = true, .seed = 3});
    for (int again = 0; again < 2; ++again) {
      const auto held = data.hold_out(0.2);
      std::set<std::uint32_t> training, validation;
      std::int64_t targets = 0;
      for (const auto& batch : read(data, sequences)) training.insert(batch.begin(), batch.end());
      Batch batch;
      while (held->next(batch)) {
        validation.insert(batch.examples.begin(), batch.examples.end());
        targets += std::count_if(batch.targets.begin(), batch.targets.end(),
                                 [](std::int32_t target) { return target >= 0; });
      }
      EXPECT_EQ(training.size(), 40u);
      EXPECT_EQ(*training.rbegin(), 39u);
      EXPECT_EQ(validation.size(), 10u);
      EXPECT_EQ(*validation.begin(), 40u);
      EXPECT_EQ(held->targets_per_epoch(), targets);
    }
    EXPECT_EQ(data.hold_out(0), nullptr);
    EXPECT_EQ(read(data, sequences).size(), 13u);
    EXPECT_THROW(data.hold_out(0.001), TextError);
    EXPECT_THROW(data.hold_out(0.999), TextError);
  }
}

}  // namespace
}  // namespace rnn
