#include "rnn/dropout.h"

#include "support/layer_contract.h"

namespace rnn {
namespace {

std::shared_ptr<const Layer> dropout(float rate, bool shared = false) {
  return std::make_shared<Dropout>(DropoutOptions{.rate = rate, .shared_over_time = shared});
}

TEST(Dropout, KeepsTheContract) {
  for (bool shared : {false, true}) {
    test::check_layer_contract(
        {.layer = dropout(0.4f, shared), .input = Signal::vectors(6), .steady = false});
  }
}

TEST(Dropout, ActsInTrainingOnly) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(dropout(0.5f), Signal::vectors(40), backend, 1);
    const test::LayerInput in = bench.input(5, 3);
    EXPECT_TRUE(test::bits_equal(bench.run(in, {.training = false}).y, in.values));
    const Tensor y = bench.run(in, {}).y;
    int kept = 0;
    for (Index i = 0; i < y.size(); ++i) {
      EXPECT_TRUE(y[i] == 0 || y[i] == in.values[i] * 2) << i;
      kept += y[i] != 0;
    }
    EXPECT_NEAR(kept, 300, 50);  // 5 standard deviations are 61 of 600 / 2
  });
}

TEST(Dropout, SharesItsMaskOverTimeOnlyWhenAsked) {
  test::for_each_backend([](const Backend& backend) {
    for (bool shared : {false, true}) {
      const test::LayerBench bench(dropout(0.5f, shared), Signal::vectors(40), backend, 1);
      test::LayerInput in = bench.input(4, 2);
      in.values.fill(1);
      const Tensor y = bench.run(in, {}).y;
      for (Index b = 0; b < 2; ++b) {
        EXPECT_EQ(bool{test::bits_equal(test::steps_of(y, b, 0, 1), test::steps_of(y, b, 3, 1))},
                  shared);
      }
      EXPECT_FALSE(test::bits_equal(test::steps_of(y, 0, 0, 4), test::steps_of(y, 1, 0, 4)))
          << "sequences share a mask";
    }
  });
}

TEST(Dropout, OfNothingHandsItsInputThrough) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(dropout(0), Signal::vectors(4), backend, 1);
    test::LayerInput in = bench.input(3, 2);
    bench.add_dy(in);
    const test::LayerOutput out = bench.run(in, {});
    EXPECT_TRUE(test::bits_equal(out.y, in.values));
    EXPECT_TRUE(test::bits_equal(out.dx, in.dy));
  });
}

TEST(Dropout, RefusesARateOutsideItsRange) {
  for (float rate : {-0.1f, 1.0f, 2.0f, std::nanf("")}) EXPECT_THROW(dropout(rate), ConfigError);
  EXPECT_THROW(dropout(0.1f)->output(Signal::symbols(3)), ConfigError);
}

}  // namespace
}  // namespace rnn
