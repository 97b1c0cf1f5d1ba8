#include "rnn/initializer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "rnn/error.h"
#include "rnn/recurrent.h"
#include "support/compare.h"

namespace rnn {
namespace {

Tensor filled(const Initializer& rule, const Shape& shape, int blocks = 1, std::uint64_t seed = 1) {
  Tensor values(shape);
  rule.fill(values, blocks, Random(seed));
  return values;
}

/// Every block has orthonormal rows or columns, whichever are fewer.
void expect_orthonormal(const Tensor& values, int blocks) {
  const Index rows = values.extent(0), width = values.extent(1) / blocks;
  const bool tall = rows >= width;
  const Index slim = std::min(rows, width), length = std::max(rows, width);
  for (int block = 0; block < blocks; ++block) {
    const auto at = [&](Index vector, Index i) {
      return double{tall ? values.view()(i, block * width + vector)
                         : values.view()(vector, block * width + i)};
    };
    for (Index p = 0; p < slim; ++p) {
      for (Index q = 0; q <= p; ++q) {
        double dot = 0;
        for (Index i = 0; i < length; ++i) dot += at(p, i) * at(q, i);
        EXPECT_NEAR(dot, p == q ? 1 : 0, 1e-6) << "block " << block << ", " << p << " and " << q;
      }
    }
  }
}

TEST(Initializer, OrthogonalHoldsForEveryGateBlock) {
  expect_orthonormal(filled(Initializer::orthogonal(), {8, 32}, 4), 4);
  expect_orthonormal(filled(Initializer::orthogonal(), {5, 9}, 3), 3);   // tall
  expect_orthonormal(filled(Initializer::orthogonal(), {3, 21}, 3), 3);  // wide
  const Tensor values = filled(Initializer::orthogonal(), {8, 32}, 4);
  for (Index i = 0; i < 8; ++i) {
    for (Index j = 0; j < 8; ++j) {
      if (values.view()(i, j) != values.view()(i, 8 + j)) return;
    }
  }
  FAIL() << "two gates got the same matrix";
}

TEST(Initializer, GlorotCountsTheColumnsOfOneBlock) {
  const Tensor values = filled(Initializer::glorot_uniform(), {50, 4 * 70}, 4);
  const float limit = std::sqrt(6.0f / 120.0f);
  const auto [low, high] = std::minmax_element(values.view().begin(), values.view().end());
  EXPECT_GE(*low, -limit);
  EXPECT_LE(*high, limit);
  EXPECT_LT(*low, -0.99f * limit);
  EXPECT_GT(*high, 0.99f * limit);
}

TEST(Initializer, UniformNormalAndConstantHaveTheirMoments) {
  const auto moments = [](const Tensor& values) {
    double sum = 0, squares = 0;
    for (float value : values.view()) {
      sum += double{value};
      squares += double{value} * double{value};
    }
    const double n = static_cast<double>(values.size()), mean = sum / n;
    return std::pair(mean, std::sqrt(squares / n - mean * mean));
  };
  const auto [uniform_mean, uniform_deviation] =
      moments(filled(Initializer::uniform(0.3f), {100, 400}));
  EXPECT_NEAR(uniform_mean, 0, 0.005);
  EXPECT_NEAR(uniform_deviation, 0.3 / std::sqrt(3.0), 0.003);
  const auto [normal_mean, normal_deviation] = moments(filled(Initializer::normal(2), {100, 400}));
  EXPECT_NEAR(normal_mean, 0, 0.05);
  EXPECT_NEAR(normal_deviation, 2, 0.04);
  const Tensor constant = filled(Initializer::constant(-1.5f), {3, 4});
  for (float value : constant.view()) EXPECT_EQ(value, -1.5f);
  const Tensor zeros = filled(Initializer::zeros(), {7});
  for (float value : zeros.view()) EXPECT_EQ(value, 0);
}

TEST(Initializer, DependsOnItsKeyAlone) {
  for (const Initializer& rule : {Initializer::uniform(1), Initializer::normal(1),
                                  Initializer::glorot_uniform(), Initializer::orthogonal()}) {
    const Tensor first = filled(rule, {6, 12}, 2, 1);
    EXPECT_TRUE(test::bits_equal(filled(rule, {6, 12}, 2, 1), first));
    EXPECT_FALSE(test::bits_equal(filled(rule, {6, 12}, 2, 2), first));
  }
}

TEST(Initializer, TheForgetBiasIsSetInItsBlockOnly) {
  const auto specs = LSTM({.units = 3, .forget_bias = 1.5f}).parameters(Signal::vectors(2));
  ASSERT_EQ(specs.size(), 3u);
  EXPECT_EQ(specs[2].only_block, 1);
  EXPECT_EQ(specs[2].blocks, 4);
  EXPECT_EQ(specs[2].initializer, Initializer::constant(1.5f));
  EXPECT_EQ(LSTM({.units = 3, .forget_bias = 0}).parameters(Signal::vectors(2))[2].only_block, -1);
  EXPECT_EQ(GRU({.units = 3}).parameters(Signal::vectors(2))[2].initializer, Initializer::zeros());
}

TEST(Initializer, IsReadAsItIsWritten) {
  for (const Initializer& rule :
       {Initializer::zeros(), Initializer::constant(0.1f), Initializer::constant(-3),
        Initializer::uniform(0.05f), Initializer::normal(1e-7f), Initializer::glorot_uniform(),
        Initializer::orthogonal()}) {
    EXPECT_EQ(Initializer::parse(rule.to_string()), rule) << rule.to_string();
  }
  EXPECT_EQ(Initializer::uniform(0.1f).to_string(), "uniform(0.1)");
}

TEST(Initializer, RefusesWhatIsNoRule) {
  for (const char* text :
       {"", "(", ")", "()", "uniform", "uniform()", "uniform(", "uniform(x)", "uniform(1",
        "uniform(1) ", "uniform(-1)", "normal(-1)", "constant(inf)", "constant(nan)",
        "uniform(1e99)", "uniform(1,2)", "Zeros", "glorot_uniform(1)", "orthogonal(2)"}) {
    EXPECT_THROW(Initializer::parse(text), ConfigError) << text;
  }
}

}  // namespace
}  // namespace rnn
