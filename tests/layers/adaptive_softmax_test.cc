#include "rnn/adaptive_softmax.h"

#include <numeric>

#include "support/for_each_backend.h"
#include "support/head_call.h"

namespace rnn {
namespace {

using test::HeadBench;

constexpr Index kClasses = 9, kFeatures = 6;

HeadBench bench(const Backend& backend, bool use_bias = true) {
  return {std::make_shared<AdaptiveSoftmax>(AdaptiveSoftmaxOptions{
              .units = kClasses, .cutoffs = {3, 5}, .divisor = 2, .use_bias = use_bias}),
          kFeatures,
          backend,
          {3, 0, 1, 3},
          {0, -1, 4, 8, 5, -1, -1, -1, 2, -1, -1, 6}};
}

TEST(AdaptiveSoftmax, GradientsMatesAndDescription) {
  test::for_each_backend([](const Backend& backend) {
    for (bool use_bias : {true, false}) {
      HeadBench made = bench(backend, use_bias);
      made.check_gradients();
      made.check_weighted_gradients();
      made.check_mates();
      made.check_description();
    }
  });
}

/// The distribution written out: every class of every cluster, in double precision.
std::vector<double> distribution(const HeadBench& made, Index t, Index b) {
  const auto product = [](const std::vector<double>& x, const Tensor& w) {
    std::vector<double> y(static_cast<std::size_t>(w.extent(1)));
    for (std::size_t f = 0; f < x.size(); ++f) {
      for (std::size_t u = 0; u < y.size(); ++u) {
        y[u] += x[f] * double{w.view()(static_cast<Index>(f), static_cast<Index>(u))};
      }
    }
    return y;
  };
  const auto softmax = [](std::vector<double> y) {
    double sum = 0;
    for (double& value : y) sum += value = std::exp(value);
    for (double& value : y) value /= sum;
    return y;
  };
  std::vector<double> x;
  for (Index f = 0; f < kFeatures; ++f) x.push_back(double{made.features.view()(t, b, f)});
  std::vector<double> head = product(x, made.parameters[0]);
  for (std::size_t u = 0; u < head.size(); ++u) {
    head[u] += double{made.parameters[1][static_cast<Index>(u)]};
  }
  head = softmax(head);
  std::vector<double> all(head.begin(), head.begin() + 3);
  for (std::size_t c = 0; c < 2; ++c) {
    const auto hidden = product(x, made.parameters[2 + 2 * c]);
    for (double p : softmax(product(hidden, made.parameters[3 + 2 * c]))) {
      all.push_back(head[3 + c] * p);
    }
  }
  return all;
}

TEST(AdaptiveSoftmax, IsTheWholeDistributionInLossAndPrediction) {
  test::for_each_backend([](const Backend& backend) {
    HeadBench made = bench(backend);
    const LossSum sum = made.loss();
    EXPECT_EQ(sum.targets, 6);
    const Tensor p = made.predict();
    ASSERT_EQ(p.shape(), (Shape{3, 4, kClasses}));
    for (Index t = 0; t < 3; ++t) {
      for (Index b = 0; b < 4; ++b) {
        if (t >= made.lengths[static_cast<std::size_t>(b)]) {
          for (Index v = 0; v < kClasses; ++v) EXPECT_EQ(p.view()(t, b, v), 0);
          continue;
        }
        const std::vector<double> expected = distribution(made, t, b);
        double total = 0;
        for (Index v = 0; v < kClasses; ++v) {
          EXPECT_NEAR(p.view()(t, b, v), expected[static_cast<std::size_t>(v)], 1e-6);
          total += double{p.view()(t, b, v)};
        }
        EXPECT_NEAR(total, 1, 1e-6);
        const std::int32_t target = made.targets[static_cast<std::size_t>(t * 4 + b)];
        EXPECT_NEAR(made.nats.view()(t, b),
                    target < 0 ? 0 : -std::log(expected[static_cast<std::size_t>(target)]), 1e-5);
      }
    }
  });
}

TEST(AdaptiveSoftmax, ProjectsRarerClustersToFewerValues) {
  const auto specs =
      bench(*make_backend({.name = "reference"})).head->parameters(Signal::vectors(kFeatures));
  ASSERT_EQ(specs.size(), 6u);
  EXPECT_EQ(specs[0].shape, (Shape{kFeatures, 5}));
  EXPECT_EQ(specs[2].shape, (Shape{kFeatures, 3}));
  EXPECT_EQ(specs[3].shape, (Shape{3, 2}));
  EXPECT_EQ(specs[4].shape, (Shape{kFeatures, 1}));
  EXPECT_EQ(specs[5].name, "tail_1_kernel");
  EXPECT_EQ(specs[5].shape, (Shape{1, 4}));
}

TEST(AdaptiveSoftmax, RefusesBadCutoffsAndTargets) {
  EXPECT_THROW(AdaptiveSoftmax({.units = 9}), ConfigError);
  for (const std::vector<Index>& bad : {std::vector<Index>{0, 3}, std::vector<Index>{3, 3},
                                        std::vector<Index>{5, 3}, std::vector<Index>{9}}) {
    EXPECT_THROW(AdaptiveSoftmax({.units = 9, .cutoffs = bad}), ConfigError);
  }
  std::vector<Index> many(1024);
  std::iota(many.begin(), many.end(), 1);
  EXPECT_NO_THROW(AdaptiveSoftmax({.units = 9000, .cutoffs = many}));
  many.push_back(1025);
  EXPECT_THROW(AdaptiveSoftmax({.units = 9000, .cutoffs = many}), ConfigError);
  test::for_each_backend([](const Backend& backend) {
    HeadBench made = bench(backend);
    made.targets[0] = kClasses;
    EXPECT_THROW(made.loss(), ShapeError);
  });
}

}  // namespace
}  // namespace rnn
