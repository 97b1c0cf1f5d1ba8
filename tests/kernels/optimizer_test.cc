// Optimiser steps against sequences whose result is known in closed form, and what clipping needs.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::close_to;
using test::random_values;

constexpr int kSteps = 4;
constexpr Index kSize = 37;

/// The gradient of each step, the same for every optimiser: distinct random numbers.
Tensor gradient_of(int step) {
  return random_values<float>({kSize}, Random(7).fold(static_cast<std::uint64_t>(step)));
}
Tensor start() { return random_values<float>({kSize}, Random(3)); }

TEST(Sgd, WithoutMomentumSubtractsTheScaledGradient) {
  test::for_each_backend([](const Backend& backend) {
    Tensor parameter = start();
    BasicTensor<double> expected({kSize});
    for (Index i = 0; i < kSize; ++i) expected[i] = start()[i];
    for (int step = 0; step < kSteps; ++step) {
      const Tensor gradient = gradient_of(step);
      backend.sgd_step({.parameter = parameter,
                        .gradient = gradient,
                        .learning_rate = 0.3f,
                        .weight_decay = 0.01f,
                        .gradient_scale = 0.5f});
      for (Index i = 0; i < kSize; ++i) {
        expected[i] = expected[i] * (1 - 0.3 * 0.01) - 0.15 * gradient[i];
      }
    }
    EXPECT_TRUE(close_to(parameter, expected, {1e-6, 1e-6}));
  });
}

// v_n = sum over k of momentum^(n-k) g_k, so each gradient weighs in with a geometric series.
TEST(Sgd, MomentumIsAGeometricSeries) {
  test::for_each_backend([](const Backend& backend) {
    for (bool nesterov : {false, true}) {
      Tensor parameter = start(), velocity({kSize});
      BasicTensor<double> expected({kSize}), expected_velocity({kSize});
      for (Index i = 0; i < kSize; ++i) expected[i] = start()[i];
      for (int step = 0; step < kSteps; ++step) {
        const Tensor gradient = gradient_of(step);
        backend.sgd_step({.parameter = parameter,
                          .gradient = gradient,
                          .velocity = velocity,
                          .learning_rate = 0.1f,
                          .momentum = 0.9f,
                          .nesterov = nesterov});
        for (Index i = 0; i < kSize; ++i) {
          double weight = 0;  // of this gradient in all updates from this one to the last
          for (int later = step; later < kSteps; ++later) {
            const int age = later - step;
            weight += nesterov ? (age == 0) + std::pow(0.9, age + 1) : std::pow(0.9, age);
          }
          expected[i] -= 0.1 * weight * gradient[i];
          expected_velocity[i] += std::pow(0.9, kSteps - 1 - step) * gradient[i];
        }
      }
      EXPECT_TRUE(close_to(parameter, expected, {2e-6, 2e-6}));
      EXPECT_TRUE(close_to(velocity, expected_velocity, {2e-6, 2e-6}));
    }
  });
}

TEST(Rmsprop, DividesByTheRootOfTheDecayedMeanSquare) {
  test::for_each_backend([](const Backend& backend) {
    Tensor parameter = start(), mean_square({kSize});
    std::vector<std::vector<double>> squares(kSize);
    BasicTensor<double> expected({kSize});
    for (Index i = 0; i < kSize; ++i) expected[i] = start()[i];
    for (int step = 0; step < kSteps; ++step) {
      const Tensor gradient = gradient_of(step);
      backend.rmsprop_step({.parameter = parameter,
                            .gradient = gradient,
                            .mean_square = mean_square,
                            .learning_rate = 0.01f,
                            .decay = 0.9f,
                            .epsilon = 1e-3f,
                            .weight_decay = 0.1f,
                            .gradient_scale = 2});
      for (Index i = 0; i < kSize; ++i) {
        const double g = 2 * double{gradient[i]} + 0.1 * expected[i];
        auto& seen = squares[static_cast<std::size_t>(i)];
        seen.push_back(g * g);
        double mean = 0;
        for (std::size_t k = 0; k < seen.size(); ++k) {
          mean += 0.1 * std::pow(0.9, static_cast<double>(seen.size() - 1 - k)) * seen[k];
        }
        expected[i] -= 0.01 * g / (std::sqrt(mean) + 1e-3);
      }
    }
    EXPECT_TRUE(close_to(parameter, expected, {5e-6, 5e-6}));
  });
}

AdamStep<float> adam(Tensor& parameter, const Tensor& gradient, Tensor& mean, Tensor& mean_square,
                     int step) {
  return {.parameter = parameter,
          .gradient = gradient,
          .mean = mean,
          .mean_square = mean_square,
          .learning_rate = 0.01f,
          .beta1 = 0.9f,
          .beta2 = 0.99f,
          .epsilon = 1e-6f,
          .correction1 = static_cast<float>(1 - std::pow(0.9, step + 1)),
          .correction2 = static_cast<float>(1 - std::pow(0.99, step + 1))};
}

// With corrected moments a constant gradient moves a parameter by the learning rate at every step.
TEST(Adam, ConstantGradientMovesByTheLearningRate) {
  test::for_each_backend([](const Backend& backend) {
    Tensor parameter = start(), mean({kSize}), mean_square({kSize});
    const Tensor gradient = gradient_of(0);
    for (int step = 0; step < 3; ++step) {
      backend.adam_step(adam(parameter, gradient, mean, mean_square, step));
    }
    for (Index i = 0; i < kSize; ++i) {
      const double g = gradient[i];
      EXPECT_NEAR(parameter[i], start()[i] - 0.03 * g / (std::abs(g) + 1e-6), 3e-6) << i;
    }
  });
}

TEST(Adam, MomentsAreDecayedMeans) {
  test::for_each_backend([](const Backend& backend) {
    for (bool decoupled : {false, true}) {
      Tensor parameter = start(), mean({kSize}), mean_square({kSize});
      BasicTensor<double> expected({kSize});
      for (Index i = 0; i < kSize; ++i) expected[i] = start()[i];
      std::vector<BasicTensor<double>> seen;
      for (int step = 0; step < kSteps; ++step) {
        const Tensor gradient = gradient_of(step);
        AdamStep<float> args = adam(parameter, gradient, mean, mean_square, step);
        args.weight_decay = 0.2f;
        args.gradient_scale = 0.5f;
        args.decoupled = decoupled;
        backend.adam_step(args);
        seen.emplace_back(Shape{kSize});
        for (Index i = 0; i < kSize; ++i) {
          seen.back()[i] = 0.5 * gradient[i] + (decoupled ? 0 : 0.2 * expected[i]);
          double first = 0, second = 0, weights1 = 0, weights2 = 0;
          for (int k = 0; k <= step; ++k) {
            const double g = seen[static_cast<std::size_t>(k)][i];
            const double w1 = std::pow(0.9, step - k), w2 = std::pow(0.99, step - k);
            first += w1 * g;
            second += w2 * g * g;
            weights1 += w1;
            weights2 += w2;
          }
          if (decoupled) expected[i] *= 1 - 0.01 * 0.2;
          expected[i] -= 0.01 * (first / weights1) / (std::sqrt(second / weights2) + 1e-6);
        }
      }
      EXPECT_TRUE(close_to(parameter, expected, {1e-5, 1e-5})) << decoupled;
    }
  });
}

// Without a gradient AdamW shrinks a weight in proportion; Adam with L2 moves all by as much.
TEST(Adam, DecoupledDecayIsNotL2) {
  test::for_each_backend([](const Backend& backend) {
    for (bool decoupled : {false, true}) {
      Tensor parameter = start(), mean({kSize}), mean_square({kSize});
      const Tensor gradient({kSize});
      AdamStep<float> args = adam(parameter, gradient, mean, mean_square, 0);
      args.weight_decay = 0.5f;
      args.decoupled = decoupled;
      backend.adam_step(args);
      for (Index i = 0; i < kSize; ++i) {
        const double p = start()[i];
        const double g = 0.5 * p;
        const double want = decoupled ? p * (1 - 0.01 * 0.5) : p - 0.01 * g / (std::abs(g) + 1e-6);
        EXPECT_NEAR(parameter[i], want, 1e-6) << i;
      }
    }
  });
}

TEST(SumOfSquares, IsTakenInDouble) {
  test::for_each_backend([](const Backend& backend) {
    Tensor x({100003});
    x.fill(0.1f);
    const double square = double{0.1f} * double{0.1f};
    EXPECT_NEAR(backend.sum_of_squares(x.view()), 100003 * square, 1e-8);
    x.fill(-1e30f);  // its square is beyond float
    EXPECT_NEAR(backend.sum_of_squares(x.view()) / 1e65, 1.00003, 1e-5);
    EXPECT_EQ(backend.sum_of_squares(View<const float>()), 0);
  });
}

TEST(SumOfSquares, ShowsWhatIsNotFinite) {
  test::for_each_backend([](const Backend& backend) {
    for (float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      for (Index place : {0, 16, 36}) {
        Tensor x = start();
        x[place] = bad;
        EXPECT_FALSE(std::isfinite(backend.sum_of_squares(x.view()))) << bad << " at " << place;
      }
    }
  });
}

TEST(Clip, MovesEachElementIntoTheInterval) {
  test::for_each_backend([](const Backend& backend) {
    Tensor x = random_values<float>({kSize}, Random(1), 4);
    const Tensor before = x;
    backend.clip(x.view(), 1.5f);
    int moved = 0;
    for (Index i = 0; i < kSize; ++i) {
      EXPECT_EQ(x[i], std::fmin(std::fmax(before[i], -1.5f), 1.5f)) << i;
      moved += x[i] != before[i];
    }
    EXPECT_GT(moved, 5);
    EXPECT_LT(moved, kSize - 5);
  });
}

TEST(Clip, HidesNoNan) {
  test::for_each_backend([](const Backend& backend) {
    Tensor x = start();
    x[5] = std::numeric_limits<float>::quiet_NaN();
    x[6] = std::numeric_limits<float>::infinity();
    backend.clip(x.view(), 1);
    EXPECT_TRUE(std::isnan(x[5]));
    EXPECT_EQ(x[6], 1);
  });
}

}  // namespace
}  // namespace rnn
