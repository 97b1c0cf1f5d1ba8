#include <gtest/gtest.h>

#include <cmath>

#include "kernels/reference/reference_backend.h"
#include "support/compare.h"
#include "support/complex_step.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::close_to;
using test::Complex;
using test::complex_step;
using test::random_values;

constexpr Index kRows = 3, kLabels = 4;
const std::vector<std::int32_t> kTargets{0, 1, -1, 1, 1, 1, 0, 0, -1, -1, -1, -1};
View<const std::int32_t> targets() { return {kTargets.data(), {kRows, kLabels}}; }

TEST(BinaryCrossEntropy, IsTheSumOverTheLabels) {
  test::for_each_backend([](const Backend& backend) {
    const Tensor logits = random_values<float>({kRows, kLabels}, Random(1), 4);
    Tensor nats = test::poisoned<float>({kRows});
    backend.binary_cross_entropy_forward({.logits = logits, .targets = targets(), .nats = nats});
    for (Index n = 0; n < kRows; ++n) {
      double expected = 0;
      for (Index v = 0; v < kLabels; ++v) {
        const double p = 1 / (1 + std::exp(-double{logits.view()(n, v)}));
        if (targets()(n, v) >= 0) expected -= std::log(targets()(n, v) == 1 ? p : 1 - p);
      }
      EXPECT_NEAR(nats[n], expected, 1e-5);
    }
    EXPECT_EQ(nats[2], 0);
  });
}

TEST(BinaryCrossEntropy, GradientEqualsComplexStep) {
  const double scale = 0.37;
  const auto logits = random_values<double>({kRows, kLabels}, Random(1), 4);
  auto dlogits = test::poisoned<double>(logits.shape());
  ReferenceBackend<double>().binary_cross_entropy_backward(
      {.logits = logits, .targets = targets(), .scale = scale, .dlogits = dlogits});
  auto input = random_values<Complex>({kRows, kLabels}, Random(1), 4);
  BasicTensor<Complex> nats({kRows});
  const auto loss = [&] {
    ReferenceBackend<Complex>().binary_cross_entropy_forward(
        {.logits = input, .targets = targets(), .nats = nats});
    return scale * (nats[0] + nats[1] + nats[2]);
  };
  EXPECT_TRUE(close_to(dlogits, complex_step(input, loss), {1e-10, 1e-14}));
}

TEST(BinaryCrossEntropy, VeryLargeLogitsStayFinite) {
  test::for_each_backend([](const Backend& backend) {
    Tensor logits({1, 4}), nats({1});
    logits[0] = 1e4f, logits[1] = -1e4f, logits[2] = 1e30f, logits[3] = -1e4f;
    const std::vector<std::int32_t> right{1, 0, 1, 1};
    backend.binary_cross_entropy_forward(
        {.logits = logits, .targets = {right.data(), {1, 4}}, .nats = nats});
    EXPECT_FLOAT_EQ(nats[0], 1e4f);
  });
}

}  // namespace
}  // namespace rnn
