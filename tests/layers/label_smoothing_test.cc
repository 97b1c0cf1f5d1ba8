#include "rnn/softmax.h"
#include "support/for_each_backend.h"
#include "support/head_call.h"

namespace rnn {
namespace {

using test::HeadBench;

HeadBench bench(const Backend& backend, float smoothing) {
  return {std::make_shared<Softmax>(SoftmaxOptions{.units = 4, .label_smoothing = smoothing}),
          3,
          backend,
          {2, 0, 1},
          {3, -1, 0, 1, -1, -1}};
}

TEST(LabelSmoothing, GradientsMatesAndDescription) {
  test::for_each_backend([](const Backend& backend) {
    HeadBench made = bench(backend, 0.25f);
    made.check_gradients();
    made.check_weighted_gradients();
    made.check_mates();
    made.check_description();
  });
}

TEST(LabelSmoothing, MixesTheTargetWithAllClassesInTrainingOnly) {
  test::for_each_backend([](const Backend& backend) {
    HeadBench made = bench(backend, 0.25f), plain = bench(backend, 0);
    const Tensor p = made.predict();
    const double evaluated = plain.loss().nats;
    double smoothed = 0;
    for (Index i = 0; i < 6; ++i) {
      const std::int32_t target = made.targets[static_cast<std::size_t>(i)];
      for (Index v = 0; v < 4 && target >= 0; ++v) {
        const double weight = (v == target ? 0.75 : 0) + 0.25 / 4;
        smoothed -= weight * std::log(double{p[i * 4 + v]});
      }
    }
    EXPECT_NEAR(made.loss().nats, smoothed, 1e-5);
    EXPECT_GT(std::abs(smoothed - evaluated), 1e-2);
    made.training = false;
    EXPECT_EQ(made.loss().nats, evaluated);
  });
}

TEST(LabelSmoothing, RefusesAShareThatIsNone) {
  for (float bad : {-0.1f, 1.0f, test::poison<float>()}) {
    EXPECT_THROW(Softmax({.units = 4, .label_smoothing = bad}), ConfigError);
  }
}

}  // namespace
}  // namespace rnn
