#include <gtest/gtest.h>

#include <cmath>

#include "kernels/reference/reference_backend.h"
#include "support/compare.h"
#include "support/complex_step.h"
#include "support/for_each_backend.h"
#include "support/projection.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::close_to;
using test::Complex;
using test::complex_step;
using test::poisoned;
using test::random_values;

constexpr Index kTime = 3, kBatch = 3, kWidth = 7;
constexpr float kEpsilon = 0x1p-10f;
const std::vector<std::int32_t> kLengths{2, 0, 3};

template <class T>
struct Problem {
  Problem() {
    x = random_values<T>({kTime, kBatch, kWidth}, Random(1), 4);
    test::poison_padding(x, kLengths);
    gamma = random_values<T>({kWidth}, Random(2));
    beta = random_values<T>({kWidth}, Random(3));
    y = poisoned<T>(x.shape());
  }
  void forward(const BasicBackend<T>& backend) {
    backend.layer_norm_forward(
        {.x = x, .lengths = kLengths, .gamma = gamma, .beta = beta, .epsilon = kEpsilon, .y = y});
  }
  BasicTensor<T> x, gamma, beta, y;
};

TEST(LayerNormKernel, FollowsTheFormulaAndWritesZerosInPadding) {
  test::for_each_backend([](const Backend& backend) {
    Problem<float> p;
    p.forward(backend);
    for (Index t = 0; t < kTime; ++t) {
      for (Index b = 0; b < kBatch; ++b) {
        double mean = 0, variance = 0;
        for (Index f = 0; f < kWidth; ++f) mean += double{p.x.view()(t, b, f)} / kWidth;
        for (Index f = 0; f < kWidth; ++f) {
          variance += std::pow(double{p.x.view()(t, b, f)} - mean, 2) / kWidth;
        }
        for (Index f = 0; f < kWidth; ++f) {
          const double normal =
              (double{p.x.view()(t, b, f)} - mean) / std::sqrt(variance + kEpsilon);
          const bool padding = t >= kLengths[static_cast<std::size_t>(b)];
          EXPECT_NEAR(p.y.view()(t, b, f),
                      padding ? 0 : double{p.gamma[f]} * normal + double{p.beta[f]}, 2e-6);
        }
      }
    }
  });
}

TEST(LayerNormKernel, GradientEqualsComplexStepAndIsAddedTo) {
  const Problem<double> p;
  const auto dy = random_values<double>(p.x.shape(), Random(4));
  auto dy_poisoned = dy;
  test::poison_padding(dy_poisoned, kLengths);
  auto dx = poisoned<double>(p.x.shape());
  BasicTensor<double> dgamma({kWidth}), dbeta({kWidth});
  dgamma.fill(2);
  dbeta.fill(3);
  ReferenceBackend<double>().layer_norm_backward({.x = p.x,
                                                  .lengths = kLengths,
                                                  .gamma = p.gamma,
                                                  .epsilon = kEpsilon,
                                                  .dy = dy_poisoned,
                                                  .dx = dx,
                                                  .dgamma = dgamma,
                                                  .dbeta = dbeta});
  for (Index f = 0; f < kWidth; ++f) {
    dgamma[f] -= 2;
    dbeta[f] -= 3;
  }
  Problem<Complex> c;
  const auto loss = [&] {
    c.forward(ReferenceBackend<Complex>());
    return test::projected(c.y, dy, kLengths);
  };
  EXPECT_TRUE(close_to(dx, complex_step(c.x, loss), {1e-10, 1e-13}));
  EXPECT_TRUE(close_to(dgamma, complex_step(c.gamma, loss), {1e-10, 1e-14}));
  EXPECT_TRUE(close_to(dbeta, complex_step(c.beta, loss), {1e-10, 1e-14}));
}

}  // namespace
}  // namespace rnn
