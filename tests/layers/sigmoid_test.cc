#include "rnn/sigmoid.h"

#include "support/for_each_backend.h"
#include "support/head_call.h"

namespace rnn {
namespace {

using test::HeadBench;

constexpr Index kLabels = 2, kFeatures = 3;

HeadBench bench(const Backend& backend, bool use_bias = true) {
  return {std::make_shared<Sigmoid>(SigmoidOptions{.units = kLabels, .use_bias = use_bias}),
          kFeatures,
          backend,
          {2, 0, 1},
          {0, 1, -1, -1, 1, -1, 1, 1, -1, -1, -1, -1}};
}

TEST(Sigmoid, GradientsMatesAndDescription) {
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

TEST(Sigmoid, LossIsThatOfItsProbabilitiesAndEveryLabelCounts) {
  test::for_each_backend([](const Backend& backend) {
    HeadBench made = bench(backend);
    const LossSum sum = made.loss();
    const Tensor p = made.predict();
    EXPECT_EQ(sum.targets, 5);
    double total = 0;
    for (Index i = 0; i < p.size(); ++i) {
      const std::int32_t target = made.targets[static_cast<std::size_t>(i)];
      if (target >= 0) total -= std::log(target == 1 ? double{p[i]} : 1 - double{p[i]});
    }
    EXPECT_NEAR(sum.nats, total, 1e-5);
    EXPECT_EQ(made.nats.view()(1, 2), 0);
    for (Index v = 0; v < kLabels; ++v) EXPECT_EQ(p.view()(1, 2, v), 0);
  });
}

TEST(Sigmoid, RefusesATargetThatIsNoYesOrNo) {
  EXPECT_THROW(Sigmoid({.units = 0}), ConfigError);
  test::for_each_backend([](const Backend& backend) {
    HeadBench made = bench(backend);
    made.targets[0] = 2;
    EXPECT_THROW(made.loss(), ShapeError);
  });
}

}  // namespace
}  // namespace rnn
