#include "rnn/sampled_softmax.h"

#include <set>

#include "support/for_each_backend.h"
#include "support/head_call.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::close_to;
using test::HeadBench;

constexpr Index kClasses = 9, kFeatures = 6;

template <class Head, class Options>
HeadBench bench_of(const Backend& backend, const Options& options) {
  return {std::make_shared<Head>(options),
          kFeatures,
          backend,
          {3, 0, 1, 3},
          {0, -1, 4, 8, 5, -1, -1, -1, 2, -1, -1, 6}};
}

HeadBench sampled(const Backend& backend, const SampledSoftmaxOptions& options) {
  return bench_of<SampledSoftmax>(backend, options);
}

/// The full softmax over a table of rows, as a sampled one has it.
HeadBench full(const Backend& backend, bool use_bias) {
  return bench_of<Softmax>(
      backend, SoftmaxOptions{.units = kClasses, .use_bias = use_bias, .tied_to = "embedding"});
}

TEST(SampledSoftmax, GradientsAndDescription) {
  test::for_each_backend([](const Backend& backend) {
    for (const SampledSoftmaxOptions& way : std::vector<SampledSoftmaxOptions>{
             {.units = kClasses, .num_sampled = 4},
             {.units = kClasses, .num_sampled = 3, .proposal = Proposal::kUniform},
             {.units = kClasses, .num_sampled = kClasses, .use_bias = false},
             {.units = kClasses, .num_sampled = 1, .tied_to = "embedding"}}) {
      HeadBench made = sampled(backend, way);
      made.check_gradients();
      made.check_weighted_gradients();
      made.check_description();
    }
  });
}

TEST(SampledSoftmax, WithAllClassesIsTheFullOne) {
  test::for_each_backend([](const Backend& backend) {
    for (const bool use_bias : {true, false}) {
      HeadBench some =
          sampled(backend, {.units = kClasses, .num_sampled = kClasses, .use_bias = use_bias});
      HeadBench all = full(backend, use_bias);
      EXPECT_NEAR(some.loss().nats, all.loss().nats, 1e-5);
      EXPECT_EQ(some.loss().targets, all.loss().targets);
      EXPECT_TRUE(close_to(some.nats, all.nats, {1e-5, 1e-6}));
      EXPECT_TRUE(close_to(some.backward(0.5f), all.backward(0.5f), {1e-4, 1e-6}));
      for (std::size_t p = 0; p < all.gradients.size(); ++p) {
        EXPECT_TRUE(close_to(some.gradients[p], all.gradients[p], {1e-4, 1e-6})) << p;
      }
    }
  });
}

TEST(SampledSoftmax, IsExactInEvaluation) {
  test::for_each_backend([](const Backend& backend) {
    HeadBench some = sampled(backend, {.units = kClasses, .num_sampled = 2});
    HeadBench all = full(backend, true);
    some.training = all.training = false;
    EXPECT_EQ(some.loss().nats, all.loss().nats);
    EXPECT_TRUE(bits_equal(some.nats, all.nats));
    EXPECT_TRUE(bits_equal(some.predict(), all.predict()));
  });
}

/// Logits of one step of `made`, in double precision.
std::vector<double> logits_of(const HeadBench& made, Index t, Index b) {
  std::vector<double> z(static_cast<std::size_t>(kClasses));
  for (Index v = 0; v < kClasses; ++v) {
    double sum = double{made.parameters[1][v]};
    for (Index f = 0; f < kFeatures; ++f) {
      sum += double{made.features.view()(t, b, f)} * double{made.parameters[0].view()(v, f)};
    }
    z[static_cast<std::size_t>(v)] = sum;
  }
  return z;
}

TEST(SampledSoftmax, ItsLossIsTheFormulaOverTheClassesThatWereDrawn) {
  // The draws written out: classes until S different ones are there, and how many it took.
  constexpr Index kSampled = 3;
  const Random random(5);  // HeadBench's
  std::set<Index> drawn;
  double tries = 0;
  while (static_cast<Index>(drawn.size()) < kSampled) {
    const Random::Block block = random.block(static_cast<std::uint32_t>(tries++));
    const double u = Random::to_uniform(block[0], block[1]);
    drawn.insert(static_cast<Index>(std::pow(10.0, u)) - 1);
  }
  const auto log_pi = [&](Index v) {
    const auto place = static_cast<double>(v);
    const double q = std::log((place + 2) / (place + 1)) / std::log(10.0);
    return std::log(1 - std::pow(1 - q, tries));
  };
  const auto backend = make_backend();
  HeadBench made = sampled(*backend, {.units = kClasses, .num_sampled = kSampled});
  made.loss();
  for (Index t = 0; t < 3; ++t) {
    for (Index b = 0; b < 4; ++b) {
      const Index y = made.targets[static_cast<std::size_t>(t * 4 + b)];
      if (y < 0) {
        EXPECT_EQ(made.nats.view()(t, b), 0);
        continue;
      }
      const std::vector<double> z = logits_of(made, t, b);
      const auto corrected = [&](Index v) { return z[static_cast<std::size_t>(v)] - log_pi(v); };
      double sum = std::exp(corrected(y));
      for (Index v : drawn) sum += v == y ? 0 : std::exp(corrected(v));
      EXPECT_NEAR(made.nats.view()(t, b), std::log(sum) - corrected(y), 1e-5);
    }
  }
}

TEST(SampledSoftmax, RefusesBadOptionsAndTargets) {
  for (Index bad : {0, 5, 8, 10}) {
    EXPECT_THROW(SampledSoftmax({.units = kClasses, .num_sampled = bad}), ConfigError) << bad;
  }
  EXPECT_THROW(SampledSoftmax({.units = 0, .num_sampled = 1}), ConfigError);
  test::for_each_backend([](const Backend& backend) {
    HeadBench made = sampled(backend, {.units = kClasses, .num_sampled = 3});
    made.targets[0] = kClasses;
    EXPECT_THROW(made.loss(), ShapeError);
  });
}

}  // namespace
}  // namespace rnn
