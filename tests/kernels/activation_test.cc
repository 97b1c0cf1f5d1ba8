#include <gtest/gtest.h>

#include <cmath>

#include "kernels/reference/reference_backend.h"
#include "support/compare.h"
#include "support/complex_step.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::close_to;
using test::Complex;
using test::complex_step;
using test::poisoned;
using test::random_values;

constexpr Activation kAll[] = {Activation::kTanh, Activation::kSigmoid, Activation::kRelu};

double formula(Activation activation, double x) {
  switch (activation) {
    case Activation::kTanh:
      return (std::exp(x) - std::exp(-x)) / (std::exp(x) + std::exp(-x));
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    default:
      return x > 0 ? x : 0;
  }
}

TEST(ActivationKernel, FollowsTheFormula) {
  test::for_each_backend([](const Backend& backend) {
    const Tensor x = random_values<float>({3, 37}, Random(1), 4);
    for (Activation activation : kAll) {
      Tensor y = poisoned<float>(x.shape());
      BasicTensor<double> expected(x.shape());
      for (Index i = 0; i < x.size(); ++i) expected[i] = formula(activation, x[i]);
      backend.activation_forward({.activation = activation, .x = x, .y = y});
      EXPECT_TRUE(close_to(y, expected, {1e-6, 1e-7}));

      Tensor in_place = x;
      backend.activation_forward({.activation = activation, .x = in_place, .y = in_place});
      EXPECT_TRUE(bits_equal(in_place, y));
    }
  });
}

TEST(ActivationKernel, ExtremeInputsSaturate) {
  test::for_each_backend([](const Backend& backend) {
    Tensor x({4});
    x[0] = -1e30f, x[1] = -200, x[2] = 200, x[3] = 1e30f;
    Tensor y(x.shape());
    backend.activation_forward({.activation = Activation::kSigmoid, .x = x, .y = y});
    EXPECT_NEAR(y[0], 0, 1e-30);
    EXPECT_NEAR(y[1], 0, 1e-30);
    EXPECT_EQ(y[2], 1);
    EXPECT_EQ(y[3], 1);
    backend.activation_forward({.activation = Activation::kTanh, .x = x, .y = y});
    EXPECT_EQ(y[0], -1);
    EXPECT_EQ(y[1], -1);
    EXPECT_EQ(y[2], 1);
    EXPECT_EQ(y[3], 1);
  });
}

TEST(ActivationKernel, GradientEqualsComplexStep) {
  const Shape shape{5, 7};
  const auto dy = random_values<double>(shape, Random(2));
  for (Activation activation : kAll) {
    const auto x = random_values<double>(shape, Random(1), 2);
    BasicTensor<double> y(shape), dx(shape);
    const ReferenceBackend<double> backend;
    backend.activation_forward({.activation = activation, .x = x, .y = y});
    backend.activation_backward({.activation = activation, .y = y, .dy = dy, .dx = dx});

    auto input = random_values<Complex>(shape, Random(1), 2);
    BasicTensor<Complex> output(shape);
    const auto loss = [&] {
      ReferenceBackend<Complex>().activation_forward(
          {.activation = activation, .x = input, .y = output});
      Complex sum = 0;
      for (Index i = 0; i < dy.size(); ++i) sum += dy[i] * output[i];
      return sum;
    };
    EXPECT_TRUE(close_to(dx, complex_step(input, loss), {1e-12, 1e-15}));
  }
}

TEST(ActivationKernel, BackwardAgreesWithTheReferenceAlsoInPlace) {
  test::for_each_backend([](const Backend& backend) {
    const Shape shape{3, 37};
    for (Activation activation : kAll) {
      const Tensor x = random_values<float>(shape, Random(1), 2);
      Tensor y(shape), dx = poisoned<float>(shape), dy = random_values<float>(shape, Random(2));
      backend.activation_forward({.activation = activation, .x = x, .y = y});
      backend.activation_backward({.activation = activation, .y = y, .dy = dy, .dx = dx});
      BasicTensor<double> y2(shape), dy2 = random_values<double>(shape, Random(2)), expected(shape);
      for (Index i = 0; i < y.size(); ++i) y2[i] = y[i];
      ReferenceBackend<double>().activation_backward(
          {.activation = activation, .y = y2, .dy = dy2, .dx = expected});
      EXPECT_TRUE(close_to(dx, expected, {1e-6, 1e-7}));
      backend.activation_backward({.activation = activation, .y = y, .dy = dy, .dx = dy});
      EXPECT_TRUE(bits_equal(dy, dx));
    }
  });
}

}  // namespace
}  // namespace rnn
