#include "rnn/activity_regularization.h"

#include "support/layer_contract.h"

namespace rnn {
namespace {

std::shared_ptr<const Layer> regularization(float l2, float temporal) {
  return std::make_shared<ActivityRegularization>(
      ActivityRegularizationOptions{.l2 = l2, .temporal_l2 = temporal});
}

TEST(ActivityRegularization, KeepsTheContractWithItsPenaltyInTheLoss) {
  const auto penalty = [](const test::LayerInput& in, const test::LayerOutput& out) {
    const Index width = out.y.extent(2);
    double sum = 0;
    for (Index b = 0; b < in.batch; ++b) {
      for (Index t = 0; t < in.length(b); ++t) {
        for (Index u = 0; u < width; ++u) {
          const double h = double{out.y.view()(t, b, u)};
          sum += 0.5 / static_cast<double>(width) * h * h;
          if (t == 0) continue;
          const double change = h - double{out.y.view()(t - 1, b, u)};
          sum += 0.75 / static_cast<double>(width) * change * change;
        }
      }
    }
    return sum;
  };
  test::check_layer_contract({.layer = regularization(0.5f, 0.75f),
                              .input = Signal::vectors(4),
                              .hands_through = true,
                              .keeps = false,
                              .penalty = penalty});
}

TEST(ActivityRegularization, IsScaledAsTheLossIs) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(regularization(2, 0), Signal::vectors(3), backend, 1);
    test::LayerInput in = bench.input(2, 2);
    bench.add_dy(in);
    in.dy.fill(0);
    const Tensor whole = bench.run(in, {}).dx, half = bench.run(in, {.loss_scale = 0.5f}).dx;
    for (Index i = 0; i < whole.size(); ++i) EXPECT_EQ(half[i], whole[i] / 2);
  });
}

TEST(ActivityRegularization, RefusesBadOptionsAndInputs) {
  for (float value : {-1.0f, std::nanf(""), HUGE_VALF}) {
    EXPECT_THROW(regularization(value, 0), ConfigError);
    EXPECT_THROW(regularization(0, value), ConfigError);
  }
  EXPECT_THROW(regularization(1, 1)->output(Signal::symbols(3)), ConfigError);
}

}  // namespace
}  // namespace rnn
