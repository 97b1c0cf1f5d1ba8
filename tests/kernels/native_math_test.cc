// The accuracy of exp, log, tanh and sigmoid on every SIMD target, in units in the last place of
// the true value, against double precision. The floats visited are every 251st of all 2^32 (a prime
// stride, so that all low bits occur), besides neighbourhoods of where something changes.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/native/math.h"
#include "kernels/native/targets.h"

namespace rnn::test {
namespace {

using Function = void (*)(const float*, float*, Index);
constexpr float kInfinity = std::numeric_limits<float>::infinity();

const std::vector<float>& visited() {
  static const std::vector<float> all = [] {
    std::vector<float> floats;
    for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 251) {
      const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
      if (std::isfinite(x)) floats.push_back(x);
    }
    for (float centre : {0.17328680f, 0.34657359f, 0.70710678f, 1.0f, 9.01f, 10.0f, 87.3365447f,
                         88.0296919f, 88.3762626f, 88.7228391f, 103.972076f}) {
      for (int i = -3000; i <= 3000; ++i) {
        const float x = std::bit_cast<float>(std::bit_cast<std::uint32_t>(centre) +
                                             static_cast<std::uint32_t>(i));
        floats.push_back(x);
        floats.push_back(-x);
      }
    }
    return floats;
  }();
  return all;
}

/// Distance in units in the last place that a float near `truth` has; below the smallest normal
/// number the unit is that of the smallest normal number.
double units_off(float got, double truth) {
  if (std::isinf(got) && std::abs(truth) > 3.4028234e38) return 0;
  const double least = std::numeric_limits<float>::min();
  int exponent = 0;
  std::frexp(std::max(std::abs(truth), least), &exponent);
  return std::abs(static_cast<double>(got) - truth) / std::ldexp(1.0, exponent - 24);
}

class NativeMath : public testing::TestWithParam<std::string> {
 protected:
  static native::MathTable table() {
    for (const native::SimdTarget& target : native::usable_targets()) {
      if (target.name == GetParam()) return native::math_table(target.place);
    }
    return {};
  }
  static float of(Function f, float x) {
    float y = 0;
    f(&x, &y, 1);
    return y;
  }
  static void expect_accurate(Function f, double (*truth)(double), double most,
                              float smallest = -kInfinity) {
    std::vector<float> results(visited().size());
    f(visited().data(), results.data(), static_cast<Index>(results.size()));
    double worst = 0;
    float worst_at = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (visited()[i] < smallest) continue;
      const double off = units_off(results[i], truth(static_cast<double>(visited()[i])));
      if (std::isnan(off)) FAIL() << "NaN at " << visited()[i];
      if (off > worst) {
        worst = off;
        worst_at = visited()[i];
      }
    }
    EXPECT_LE(worst, most) << "at " << worst_at;
    testing::Test::RecordProperty("units_in_the_last_place", std::to_string(worst));
  }
};

TEST_P(NativeMath, Exp) {
  const Function exp = table().exp;
  expect_accurate(
      exp, [](double x) { return std::exp(x); }, 1.01);
  EXPECT_EQ(of(exp, kInfinity), kInfinity);
  EXPECT_EQ(of(exp, -kInfinity), 0);
  EXPECT_EQ(of(exp, 0.0f), 1);
  EXPECT_TRUE(std::isnan(of(exp, NAN)));
}

TEST_P(NativeMath, Log) {
  const Function log = table().log;
  expect_accurate(
      log, [](double x) { return std::log(x); }, 0.86, std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(of(log, kInfinity), kInfinity);
  EXPECT_EQ(of(log, 0.0f), -kInfinity);
  EXPECT_EQ(of(log, 1.0f), 0);
  EXPECT_TRUE(std::isnan(of(log, -1.0f)));
  EXPECT_TRUE(std::isnan(of(log, NAN)));
}

TEST_P(NativeMath, Tanh) {
  const Function tanh = table().tanh;
  expect_accurate(
      tanh, [](double x) { return std::tanh(x); }, 2.39);
  EXPECT_EQ(of(tanh, kInfinity), 1);
  EXPECT_EQ(of(tanh, -kInfinity), -1);
  EXPECT_TRUE(std::signbit(of(tanh, -0.0f)));
  EXPECT_TRUE(std::isnan(of(tanh, NAN)));
}

TEST_P(NativeMath, Sigmoid) {
  const Function sigmoid = table().sigmoid;
  expect_accurate(
      sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 2.26, -87.3f);
  std::vector<float> results(visited().size());
  sigmoid(visited().data(), results.data(), static_cast<Index>(results.size()));
  double worst = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto x = static_cast<double>(visited()[i]);
    if (x >= -87.3) continue;
    ASSERT_GE(results[i], 0) << "at " << x;
    worst = std::max(worst, std::abs(static_cast<double>(results[i]) - std::exp(x)));
  }
  EXPECT_LT(worst, 5e-39);
  EXPECT_EQ(of(sigmoid, kInfinity), 1);
  EXPECT_EQ(of(sigmoid, -kInfinity), 0);
  EXPECT_EQ(of(sigmoid, 0.0f), 0.5f);
  EXPECT_TRUE(std::isnan(of(sigmoid, NAN)));
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const native::SimdTarget& target : native::usable_targets()) all.push_back(target.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Targets, NativeMath, testing::ValuesIn(names()),
                         [](const auto& target) { return target.param; });

}  // namespace
}  // namespace rnn::test
