#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

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

constexpr Index kRows = 5, kClasses = 37;

View<const std::int32_t> view_of(const std::vector<std::int32_t>& targets) {
  return {targets.data(), {static_cast<Index>(targets.size())}};
}
std::vector<std::int32_t> some_targets() { return {3, -1, 36, 0, -100}; }

TEST(CrossEntropy, IsTheNegativeLogarithmOfTheTargetsProbability) {
  test::for_each_backend([](const Backend& backend) {
    const Tensor logits = random_values<float>({kRows, kClasses}, Random(1), 4);
    const std::vector<std::int32_t> targets = some_targets();
    Tensor nats = poisoned<float>({kRows}), log_normalizer = poisoned<float>({kRows});
    Tensor probabilities = poisoned<float>({kRows, kClasses});
    backend.cross_entropy_forward({.logits = logits,
                                   .targets = view_of(targets),
                                   .nats = nats,
                                   .log_normalizer = log_normalizer});
    backend.softmax({.logits = logits, .y = probabilities});
    for (Index n = 0; n < kRows; ++n) {
      double sum = 0;
      for (Index v = 0; v < kClasses; ++v) sum += std::exp(double{logits.view()(n, v)});
      for (Index v = 0; v < kClasses; ++v) {
        EXPECT_NEAR(probabilities.view()(n, v), std::exp(double{logits.view()(n, v)}) / sum, 1e-6);
      }
      const std::int32_t target = targets[static_cast<std::size_t>(n)];
      if (target < 0) {
        EXPECT_EQ(nats[n], 0);
      } else {
        EXPECT_NEAR(log_normalizer[n], std::log(sum), 2e-6);
        EXPECT_NEAR(nats[n], -std::log(std::exp(double{logits.view()(n, target)}) / sum), 4e-6);
      }
    }
  });
}

TEST(CrossEntropy, GradientEqualsComplexStepWithAndWithoutSmoothing) {
  const std::vector<std::int32_t> targets = some_targets();
  const double scale = 0.37;
  for (double smoothing : {0.0, 0.25}) {
    const auto logits = random_values<double>({kRows, kClasses}, Random(1), 4);
    BasicTensor<double> nats({kRows}), log_normalizer({kRows}), dlogits({kRows, kClasses});
    dlogits.fill(std::numeric_limits<double>::quiet_NaN());
    const ReferenceBackend<double> backend;
    backend.cross_entropy_forward({.logits = logits,
                                   .targets = view_of(targets),
                                   .nats = nats,
                                   .log_normalizer = log_normalizer,
                                   .smoothing = smoothing});
    backend.cross_entropy_backward({.logits = logits,
                                    .targets = view_of(targets),
                                    .log_normalizer = log_normalizer,
                                    .scale = scale,
                                    .dlogits = dlogits,
                                    .smoothing = smoothing});

    auto input = random_values<Complex>({kRows, kClasses}, Random(1), 4);
    BasicTensor<Complex> losses({kRows}), normalizers({kRows});
    const auto loss = [&] {
      ReferenceBackend<Complex>().cross_entropy_forward({.logits = input,
                                                         .targets = view_of(targets),
                                                         .nats = losses,
                                                         .log_normalizer = normalizers,
                                                         .smoothing = smoothing});
      Complex sum = 0;
      for (Index n = 0; n < kRows; ++n) sum += losses[n];
      return scale * sum;
    };
    EXPECT_TRUE(close_to(dlogits, complex_step(input, loss), {1e-10, 1e-14}));
  }
}

/// Losses and gradients of rows of three logits, target 1.
struct Triple {
  explicit Triple(const Backend& backend, std::initializer_list<float> rows)
      : logits({static_cast<Index>(rows.size()) / 3, 3}),
        nats({logits.extent(0)}),
        log_normalizer(nats.shape()),
        dlogits(logits.shape()),
        probabilities(logits.shape()) {
    std::copy(rows.begin(), rows.end(), logits.data());
    const std::vector<std::int32_t> targets(static_cast<std::size_t>(nats.size()), 1);
    backend.cross_entropy_forward({.logits = logits,
                                   .targets = view_of(targets),
                                   .nats = nats,
                                   .log_normalizer = log_normalizer});
    backend.cross_entropy_backward({.logits = logits,
                                    .targets = view_of(targets),
                                    .log_normalizer = log_normalizer,
                                    .dlogits = dlogits});
    backend.softmax({.logits = logits, .y = probabilities});
  }
  Tensor logits, nats, log_normalizer, dlogits, probabilities;
};

TEST(CrossEntropy, VeryLargeLogitsStayFinite) {
  test::for_each_backend([](const Backend& backend) {
    const Triple t(backend, {1e4f, 0, -1e4f,          //
                             -1e30f, 1e30f, 0,        //
                             1e30f, 1e30f, 1e30f,     //
                             -1e30f, -1e30f, -1e30f,  //
                             88, 89, 90});
    for (Index i = 0; i < t.dlogits.size(); ++i) {
      EXPECT_TRUE(std::isfinite(t.dlogits[i])) << i;
      EXPECT_TRUE(std::isfinite(t.probabilities[i])) << i;
    }
    EXPECT_FLOAT_EQ(t.nats[0], 1e4f);
    EXPECT_FLOAT_EQ(t.dlogits[0], 1);
    EXPECT_FLOAT_EQ(t.dlogits[1], -1);
    EXPECT_EQ(t.dlogits[2], 0);
    EXPECT_EQ(t.nats[1], 0);
    EXPECT_EQ(t.dlogits[4], 0);
    EXPECT_TRUE(std::isfinite(t.nats[2]));  // log 3 drowns in 1e30
    EXPECT_TRUE(std::isfinite(t.nats[3]));
    EXPECT_NEAR(t.nats[4], 1.4076059644443801, 1e-5);  // log(1 + e + 1/e)
    for (Index n = 0; n < t.nats.size(); ++n) {
      float sum = 0;
      for (Index v = 0; v < 3; ++v) sum += t.probabilities.view()(n, v);
      EXPECT_NEAR(sum, 1, 1e-5) << n;
    }
  });
}

// A diverged network must be seen as such, not as a good one.
TEST(CrossEntropy, NotANumberStaysVisible) {
  test::for_each_backend([](const Backend& backend) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Triple t(backend, {nan, 0, 1, 0, nan, 1, 0, 1, nan});
    for (Index n = 0; n < 3; ++n) EXPECT_FALSE(std::isfinite(t.nats[n])) << n;
  });
}

TEST(CrossEntropy, BackwardWorksInPlaceAndScales) {
  test::for_each_backend([](const Backend& backend) {
    const std::vector<std::int32_t> targets = some_targets();
    Tensor logits = random_values<float>({kRows, kClasses}, Random(1), 4);
    Tensor nats({kRows}), log_normalizer({kRows}), dlogits = poisoned<float>(logits.shape());
    Tensor probabilities(logits.shape());
    backend.cross_entropy_forward({.logits = logits,
                                   .targets = view_of(targets),
                                   .nats = nats,
                                   .log_normalizer = log_normalizer});
    backend.softmax({.logits = logits, .y = probabilities});
    CrossEntropyBackward<float> args{.logits = logits,
                                     .targets = view_of(targets),
                                     .log_normalizer = log_normalizer,
                                     .scale = 0.25f,
                                     .dlogits = dlogits};
    backend.cross_entropy_backward(args);
    args.dlogits = logits;
    backend.cross_entropy_backward(args);
    EXPECT_TRUE(bits_equal(logits, dlogits));
    for (Index n = 0; n < kRows; ++n) {
      const std::int32_t target = targets[static_cast<std::size_t>(n)];
      for (Index v = 0; v < kClasses; ++v) {
        const float p = probabilities.view()(n, v) - (v == target ? 1.0f : 0.0f);
        EXPECT_NEAR(dlogits.view()(n, v), target < 0 ? 0.0f : 0.25f * p, 1e-6);
      }
    }
  });
}

TEST(Softmax, WorksInPlaceAndSumsToOne) {
  test::for_each_backend([](const Backend& backend) {
    Tensor logits = random_values<float>({3, 10000}, Random(1), 8), y(logits.shape());
    backend.softmax({.logits = logits, .y = y});
    backend.softmax({.logits = logits, .y = logits});
    EXPECT_TRUE(bits_equal(logits, y));
    for (Index n = 0; n < 3; ++n) {
      double sum = 0;
      for (Index v = 0; v < 10000; ++v) sum += y.view()(n, v);
      EXPECT_NEAR(sum, 1, 5e-5);  // 10000 additions in float
    }
  });
}

TEST(CrossEntropy, AWeightIsAFactorOfTheScaleOfItsRow) {
  test::for_each_backend([](const Backend& backend) {
    const Tensor logits = random_values<float>({kRows, kClasses}, Random(1), 4);
    const std::vector<std::int32_t> targets = some_targets();
    Tensor nats({kRows}), log_normalizer({kRows}), weighted = poisoned<float>({kRows, kClasses});
    const Tensor weights = random_values<float>({kRows}, Random(2));
    for (float smoothing : {0.0f, 0.25f}) {
      backend.cross_entropy_forward({.logits = logits,
                                     .targets = view_of(targets),
                                     .nats = nats,
                                     .log_normalizer = log_normalizer,
                                     .smoothing = smoothing});
      CrossEntropyBackward<float> args{.logits = logits,
                                       .targets = view_of(targets),
                                       .log_normalizer = log_normalizer,
                                       .scale = 0.5f,
                                       .weights = weights,
                                       .dlogits = weighted,
                                       .smoothing = smoothing};
      backend.cross_entropy_backward(args);
      for (Index n = 0; n < kRows; ++n) {
        Tensor alone = poisoned<float>({kRows, kClasses});
        args.weights = {};
        args.scale = 0.5f * weights[n];
        args.dlogits = alone;
        backend.cross_entropy_backward(args);
        for (Index v = 0; v < kClasses; ++v) {
          EXPECT_EQ(weighted.view()(n, v), alone.view()(n, v)) << n << ' ' << v;
        }
      }
    }
  });
}

}  // namespace
}  // namespace rnn
