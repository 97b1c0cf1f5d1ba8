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

constexpr Index kTime = 5, kBatch = 4, kWidth = 3;
constexpr Pooling kAll[] = {Pooling::kMax, Pooling::kMean, Pooling::kLast, Pooling::kAttention,
                            Pooling::kSum};
const std::vector<std::int32_t> kLengths{3, 0, 5, 1};

template <class T>
struct Problem {
  explicit Problem(Pooling chosen) : pooling(chosen) {
    x = random_values<T>({kTime, kBatch, kWidth}, Random(1));
    scores = random_values<T>({kTime, kBatch, 1}, Random(2), 4);
    test::poison_padding(x, kLengths);
    test::poison_padding(scores, kLengths);
    weights = poisoned<T>(scores.shape());
    y = poisoned<T>({kBatch, kWidth});
  }
  void forward(const BasicBackend<T>& backend) {
    PoolForward<T> args{.pooling = pooling, .x = x, .lengths = kLengths, .y = y};
    if (pooling == Pooling::kAttention) {
      args.scores = scores;
      args.weights = weights;
    }
    backend.pool_forward(args);
  }
  Pooling pooling;
  BasicTensor<T> x, scores, weights, y;
};

double expected(const Problem<float>& p, Index b, Index f) {
  const Index length = kLengths[static_cast<std::size_t>(b)];
  double largest = -1e9, sum = 0, weighted = 0, total = 0;
  for (Index t = 0; t < length; ++t) {
    const double x = p.x.view()(t, b, f), weight = std::exp(double{p.scores.view()(t, b, 0)});
    largest = std::max(largest, x);
    sum += x;
    weighted += weight * x;
    total += weight;
  }
  if (length == 0) return 0;
  return p.pooling == Pooling::kMax         ? largest
         : p.pooling == Pooling::kMean      ? sum / static_cast<double>(length)
         : p.pooling == Pooling::kSum       ? sum
         : p.pooling == Pooling::kAttention ? weighted / total
                                            : double{p.x.view()(length - 1, b, f)};
}

TEST(PoolKernel, FollowsTheFormulaOverEachLength) {
  test::for_each_backend([](const Backend& backend) {
    for (Pooling pooling : kAll) {
      Problem<float> p(pooling);
      p.forward(backend);
      for (Index b = 0; b < kBatch; ++b) {
        for (Index f = 0; f < kWidth; ++f) {
          EXPECT_NEAR(p.y.view()(b, f), expected(p, b, f), 1e-6) << b << ' ' << f;
        }
        double weights = 0;
        for (Index t = 0; t < kTime && pooling == Pooling::kAttention; ++t) {
          weights += double{p.weights.view()(t, b, 0)};
        }
        const bool weighted = pooling == Pooling::kAttention && b != 1;
        EXPECT_NEAR(weights, weighted ? 1 : 0, 1e-6);
      }
    }
  });
}

TEST(PoolKernel, GradientEqualsComplexStep) {
  for (Pooling pooling : kAll) {
    Problem<double> p(pooling);
    p.forward(ReferenceBackend<double>());
    const auto dy = random_values<double>({1, kBatch, kWidth}, Random(3));
    auto dx = poisoned<double>(p.x.shape()), dscores = poisoned<double>(p.scores.shape());
    PoolBackward<double> args{.pooling = pooling,
                              .x = p.x,
                              .lengths = kLengths,
                              .y = p.y,
                              .dy = dy.view().slice(0),
                              .dx = dx};
    if (pooling == Pooling::kAttention) {
      args.weights = p.weights;
      args.dscores = dscores;
    }
    ReferenceBackend<double>().pool_backward(args);
    Problem<Complex> c(pooling);
    const auto loss = [&] {
      c.forward(ReferenceBackend<Complex>());
      Complex sum = 0;
      for (Index i = 0; i < dy.size(); ++i) sum += dy[i] * c.y[i];
      return sum;
    };
    EXPECT_TRUE(close_to(dx, complex_step(c.x, loss), {1e-10, 1e-14}));
    if (pooling == Pooling::kAttention) {
      EXPECT_TRUE(close_to(dscores, complex_step(c.scores, loss), {1e-10, 1e-14}));
    }
  }
}

TEST(PoolKernel, ATieGivesItsGradientToTheFirst) {
  test::for_each_backend([](const Backend& backend) {
    Tensor x({3, 1, 1}), y({1, 1}), dy({1, 1}), dx({3, 1, 1});
    x[0] = 1, x[1] = 2, x[2] = 2, dy[0] = 5;
    backend.pool_forward({.x = x, .y = y});
    backend.pool_backward({.x = x, .y = y, .dy = dy, .dx = dx});
    EXPECT_EQ(y[0], 2);
    EXPECT_EQ(dx[0], 0);
    EXPECT_EQ(dx[1], 5);
    EXPECT_EQ(dx[2], 0);
  });
}

// A maximum must not hide that a network has diverged.
TEST(PoolKernel, NotANumberStaysVisible) {
  test::for_each_backend([](const Backend& backend) {
    for (Pooling pooling : {Pooling::kMax, Pooling::kMean}) {
      for (Index place = 0; place < 3; ++place) {
        Tensor x({3, 1, 1}), y({1, 1});
        x[0] = 1, x[1] = 2, x[2] = 3;
        x[place] = test::poison<float>();
        backend.pool_forward({.pooling = pooling, .x = x, .y = y});
        EXPECT_TRUE(std::isnan(y[0])) << place;
      }
    }
  });
}

}  // namespace
}  // namespace rnn
