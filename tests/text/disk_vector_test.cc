#include "rnn/text/disk_vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "rnn/error.h"
#include "support/environment_variable.h"
#include "support/file_size_limit.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

// What is kept in memory.
constexpr std::int64_t kMegabyte = std::int64_t{1} << 20;

TEST(DiskVector, HoldsWhatAVectorWould) {
  const TextFiles place;
  DiskVector<std::int64_t> values(place.directory().string());
  EXPECT_EQ(values.size(), 0);
  // Five times what is kept in memory, one at a time.
  const std::int64_t count = 5 * kMegabyte / 8 + 3;
  for (std::int64_t i = 0; i < count; ++i) {
    values.append(i * i);
    ASSERT_EQ(values[i], i * i);
    ASSERT_EQ(values[i / 2], (i / 2) * (i / 2));
  }
  EXPECT_EQ(values.size(), count);
  const DiskVector<std::int64_t> moved = std::move(values);
  EXPECT_EQ(moved.size(), count);
  for (std::int64_t i = 0; i < count; ++i) ASSERT_EQ(moved[i], i * i);
  EXPECT_EQ(place.count(), 0u);  // the file has no name
}

TEST(DiskVector, ListsStayWhole) {
  const TextFiles place;
  DiskLists<std::int32_t> lists(place.directory().string());
  EXPECT_EQ(lists.size(), 0);
  std::vector<std::vector<std::int32_t>> expected;
  Draws draws(3);
  for (int i = 0; i < 300; ++i) {
    // Empty ones, and some that are longer than what is kept in memory.
    const unsigned length = i % 10 == 0 ? 0 : i % 97 == 5 ? 300'000 : draws.below(20'000);
    std::vector<std::int32_t>& list = expected.emplace_back(length);
    std::iota(list.begin(), list.end(), i);
    lists.append(list);
  }
  DiskLists<std::int32_t> moved;
  moved = std::move(lists);
  ASSERT_EQ(moved.size(), 300);
  std::int64_t values = 0;
  for (std::int64_t i = 0; i < moved.size(); ++i) {
    const auto& list = expected[static_cast<std::size_t>(i)];
    ASSERT_EQ(moved.begin(i), values);
    ASSERT_EQ(moved.length(i), static_cast<std::int64_t>(list.size()));
    const std::span<const std::int32_t> found = moved[i];
    ASSERT_TRUE(std::equal(found.begin(), found.end(), list.begin(), list.end())) << i;
    if (!list.empty()) {
      ASSERT_EQ(moved.at(i, moved.length(i) - 1), list.back());
    }
    values += moved.length(i);
  }
  EXPECT_GT(values, 8 * kMegabyte / 4);
}

TEST(DiskVector, AShortOneNeedsNoDisk) {
  const TextFiles place;
  DiskVector<char> bytes(place.path("none"));
  bytes.append(std::vector<char>(static_cast<std::size_t>(kMegabyte), 'x'));
  EXPECT_EQ(bytes[kMegabyte - 1], 'x');
  expect_error<IoError>([&] { bytes.append('y'); }, "cannot keep the texts", place.path("none"),
                        "No such file", "TMPDIR");
}

TEST(DiskVector, StandsWhereTMPDIRSaysOrSaysThatItCannot) {
  const TextFiles place;
  const std::vector<char> more(static_cast<std::size_t>(kMegabyte) + 1, 'x');
  {
    const test::EnvironmentVariable mistyped("TMPDIR", place.path("none").c_str());
    DiskVector<char> bytes;
    expect_error<IoError>([&] { bytes.append(more); }, place.path("none") + ": No such file");
  }
  const test::EnvironmentVariable empty("TMPDIR", "");
  DiskVector<char> bytes;
  bytes.append(more);
  EXPECT_EQ(bytes.size(), kMegabyte + 1);
}

TEST(DiskVector, InMemoryAloneALongOneNeedsNoDisk) {
  const TextFiles place;
  const test::FileSizeLimit limit(0);
  DiskLists<std::int64_t> lists(Storage::memory_alone());
  std::vector<std::int64_t> list(200'000);
  for (std::int64_t i = 0; i < 5; ++i) {
    std::iota(list.begin(), list.end(), i);
    lists.append(list);
  }
  const DiskLists<std::int64_t> moved = std::move(lists);
  ASSERT_EQ(moved.size(), 5);
  for (std::int64_t i = 0; i < 5; ++i) {
    const std::span<const std::int64_t> found = moved[i];
    std::iota(list.begin(), list.end(), i);
    ASSERT_TRUE(std::equal(found.begin(), found.end(), list.begin(), list.end())) << i;
  }
}

TEST(DiskVector, OneThatWasMovedFromHoldsNothing) {
  DiskVector<std::int64_t> values;
  values.append(std::vector<std::int64_t>(300'000, 7));
  const DiskVector<std::int64_t> moved = std::move(values);
  EXPECT_EQ(moved.size(), 300'000);
  EXPECT_EQ(values.size(), 0);
}

TEST(DiskVector, AFullDiskIsAnError) {
  const TextFiles place;
  DiskVector<char> bytes(place.directory().string());
  const std::vector<char> block(100'000, 'x');
  const test::FileSizeLimit limit(static_cast<rlim_t>(3 * kMegabyte));
  expect_error<IoError>(
      [&] {
        for (int i = 0; i < 60; ++i) bytes.append(block);
      },
      "cannot keep the texts", place.directory().string(), "File too large", "after 3145728 bytes",
      "TMPDIR");
  // What was written is still there.
  for (std::int64_t i = 0; i < 2 * kMegabyte; ++i) ASSERT_EQ(bytes[i], 'x');
}

}  // namespace
}  // namespace rnn
