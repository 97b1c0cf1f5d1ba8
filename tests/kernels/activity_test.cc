// The gradient of activity penalties against complex step of the penalty itself.
#include <gtest/gtest.h>

#include "kernels/reference/reference_backend.h"
#include "support/compare.h"
#include "support/complex_step.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::Complex;
using test::random_values;

constexpr Index kTime = 4, kBatch = 4, kWidth = 5;
const std::vector<std::int32_t> kLengths{4, 0, 1, 3};

/// R as sequence_kernels.h defines it, and the projection of x that dy is the gradient of.
template <class T>
T penalty(const BasicTensor<T>& x, double l2, double temporal, double scale,
          const BasicTensor<double>& dy) {
  T sum(0);
  for (Index b = 0; b < kBatch; ++b) {
    for (Index t = 0; t < kLengths[static_cast<std::size_t>(b)]; ++t) {
      for (Index f = 0; f < kWidth; ++f) {
        const T h = x.view()(t, b, f);
        sum += dy.view()(t, b, f) * h + scale * l2 / kWidth * h * h;
        if (t == 0) continue;
        const T change = h - x.view()(t - 1, b, f);
        sum += scale * temporal / kWidth * change * change;
      }
    }
  }
  return sum;
}

TEST(ActivityGradient, EqualsComplexStep) {
  for (const auto& [l2, temporal] : {std::pair{2.0f, 0.0f}, {0.0f, 1.0f}, {0.5f, 0.25f}}) {
    auto x = random_values<double>({kTime, kBatch, kWidth}, Random(1));
    const auto dy = random_values<double>(x.shape(), Random(2));
    auto imaginary = random_values<Complex>(x.shape(), Random(1));
    test::poison_padding(x, kLengths);
    auto dx = test::poisoned<double>(x.shape());
    ReferenceBackend<double>().activity_gradient({.x = x,
                                                  .lengths = kLengths,
                                                  .l2 = l2,
                                                  .temporal_l2 = temporal,
                                                  .scale = 0.125,
                                                  .dy = dy,
                                                  .dx = dx});
    const auto expected = test::complex_step(imaginary, [&, l2 = l2, temporal = temporal] {
      return penalty(imaginary, double{l2}, double{temporal}, 0.125, dy);
    });
    EXPECT_TRUE(test::close_to(dx, expected, {.relative = 1e-12, .absolute = 1e-15}));
  }
}

TEST(ActivityGradient, OfNoPenaltyIsTheGradientItself) {
  test::for_each_backend([](const Backend& backend) {
    const Tensor x = random_values<float>({kTime, kBatch, kWidth}, Random(1));
    const Tensor dy = random_values<float>(x.shape(), Random(2));
    Tensor dx = test::poisoned<float>(x.shape());
    backend.activity_gradient({.x = x, .dy = dy, .dx = dx});
    EXPECT_TRUE(test::bits_equal(dx, dy));
  });
}

}  // namespace
}  // namespace rnn
