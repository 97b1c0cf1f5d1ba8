#include "rnn/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rnn {
namespace {

// Known answers of Philox4x32-10 from the authors' Random123 distribution (kat_vectors).
TEST(Random, PhiloxKnownAnswers) {
  EXPECT_EQ(Random(0).block(0, 0, 0, 0),
            (Random::Block{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
  EXPECT_EQ(Random(0xffffffffffffffffull).block(~0u, ~0u, ~0u, ~0u),
            (Random::Block{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
  EXPECT_EQ(Random(0x299f31d0a4093822ull).block(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u),
            (Random::Block{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

TEST(Random, UniformStaysInHalfOpenUnitInterval) {
  EXPECT_EQ(Random::to_uniform(0u), 0.0f);
  EXPECT_LT(Random::to_uniform(~0u), 1.0f);
  EXPECT_LT(Random::to_uniform(~0u, ~0u), 1.0);
}

TEST(Random, UniformHasTheRightMeanAndVariance) {
  const Random random = Random(7).fold(3);
  double sum = 0, squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i));
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / n, 0.5, 5 * 0.289 / std::sqrt(n));
  EXPECT_NEAR(squares / n - (sum / n) * (sum / n), 1.0 / 12, 0.002);
}

TEST(Random, FoldedKeysDiffer) {
  const Random random(1);
  EXPECT_NE(random.fold(0).key(), random.fold(1).key());
  EXPECT_NE(random.fold(1).fold(2).key(), random.fold(2).fold(1).key());
  EXPECT_NE(random.fold(0).key(), random.key());
}

}  // namespace
}  // namespace rnn
