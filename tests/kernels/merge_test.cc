#include <gtest/gtest.h>

#include "kernels/reference/reference_backend.h"
#include "support/compare.h"
#include "support/complex_step.h"
#include "support/for_each_backend.h"
#include "support/projection.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::close_to;
using test::Complex;
using test::complex_step;
using test::poisoned;
using test::random_values;

constexpr Index kTime = 4, kBatch = 3, kWidth = 5;
constexpr Merge kAll[] = {Merge::kConcat, Merge::kSum, Merge::kMean, Merge::kMul, Merge::kGate};
const std::vector<std::int32_t> kLengths{2, 0, 4};

template <class T>
struct Problem {
  explicit Problem(Merge chosen) : merge(chosen), width_b(chosen == Merge::kConcat ? 3 : kWidth) {
    a = random_values<T>({kTime, kBatch, kWidth}, Random(1));
    b = random_values<T>({kTime, kBatch, width_b}, Random(2));
    g = random_values<T>({kTime, kBatch, kWidth}, Random(3));
    y = poisoned<T>({kTime, kBatch, merge == Merge::kConcat ? kWidth + width_b : kWidth});
    for (auto* values : {&a, &b, &g}) test::poison_padding(*values, kLengths);
  }
  const BasicTensor<T>& forward(const BasicBackend<T>& backend) {
    backend.merge_forward({.merge = merge, .a = a, .b = b, .g = g, .lengths = kLengths, .y = y});
    return y;
  }
  Merge merge;
  Index width_b;
  BasicTensor<T> a, b, g, y;
};

TEST(MergeKernel, FollowsTheFormulaAndWritesZerosInPadding) {
  test::for_each_backend([](const Backend& backend) {
    for (Merge merge : kAll) {
      Problem<float> p(merge);
      p.forward(backend);
      for (Index t = 0; t < kTime; ++t) {
        for (Index b = 0; b < kBatch; ++b) {
          for (Index f = 0; f < p.y.extent(2); ++f) {
            const float y = p.y.view()(t, b, f);
            if (t >= kLengths[static_cast<std::size_t>(b)]) {
              EXPECT_EQ(y, 0);
              continue;
            }
            if (merge == Merge::kConcat) {
              EXPECT_EQ(y, f < kWidth ? p.a.view()(t, b, f) : p.b.view()(t, b, f - kWidth));
              continue;
            }
            const float u = p.a.view()(t, b, f), v = p.b.view()(t, b, f), g = p.g.view()(t, b, f);
            const float expected = merge == Merge::kSum    ? u + v
                                   : merge == Merge::kMean ? (u + v) / 2
                                   : merge == Merge::kMul  ? u * v
                                                           : g * u + (1 - g) * v;
            EXPECT_FLOAT_EQ(y, expected);
          }
        }
      }
    }
  });
}

TEST(MergeKernel, GradientEqualsComplexStep) {
  for (Merge merge : kAll) {
    const Problem<double> p(merge);
    const auto dy = random_values<double>(p.y.shape(), Random(4));
    auto dy_poisoned = dy;
    test::poison_padding(dy_poisoned, kLengths);
    auto da = poisoned<double>(p.a.shape()), db = poisoned<double>(p.b.shape()),
         dg = poisoned<double>(p.g.shape());
    ReferenceBackend<double>().merge_backward({.merge = merge,
                                               .a = p.a,
                                               .b = p.b,
                                               .g = p.g,
                                               .lengths = kLengths,
                                               .dy = dy_poisoned,
                                               .da = da,
                                               .db = db,
                                               .dg = dg});
    Problem<Complex> c(merge);
    const auto loss = [&] {
      return test::projected(c.forward(ReferenceBackend<Complex>()), dy, kLengths);
    };
    EXPECT_TRUE(close_to(da, complex_step(c.a, loss), {1e-10, 1e-14}));
    EXPECT_TRUE(close_to(db, complex_step(c.b, loss), {1e-10, 1e-14}));
    if (merge == Merge::kGate) {
      EXPECT_TRUE(close_to(dg, complex_step(c.g, loss), {1e-10, 1e-14}));
    }
  }
}

TEST(MergeKernel, CopiesWithoutAPartnerAndSumsInPlace) {
  test::for_each_backend([](const Backend& backend) {
    Problem<float> p(Merge::kSum);
    const Tensor sum = p.forward(backend);
    Tensor in_place = p.a;
    backend.merge_forward(
        {.merge = Merge::kSum, .a = in_place, .b = p.b, .lengths = kLengths, .y = in_place});
    EXPECT_TRUE(bits_equal(in_place, sum));
    Tensor copy = poisoned<float>(p.a.shape());
    backend.merge_forward({.a = p.a, .y = copy});
    EXPECT_TRUE(bits_equal(copy, p.a));
  });
}

}  // namespace
}  // namespace rnn
