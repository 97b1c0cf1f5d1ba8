#include "rnn/layer_normalization.h"

#include "support/layer_contract.h"

namespace rnn {
namespace {

TEST(LayerNormalization, KeepsTheContract) {
  test::check_layer_contract(
      {.layer = std::make_shared<LayerNormalization>(), .input = Signal::vectors(5)});
  test::check_layer_contract(
      {.layer = std::make_shared<LayerNormalization>(LayerNormalizationOptions{.epsilon = 0.5f}),
       .input = Signal::vectors(4)});
}

TEST(LayerNormalization, BeginsAsPureNormalisation) {
  const auto specs = LayerNormalization().parameters(Signal::vectors(5));
  ASSERT_EQ(specs.size(), 2u);
  EXPECT_EQ(specs[0].initializer, Initializer::constant(1));
  EXPECT_EQ(specs[1].initializer, Initializer::zeros());
  test::for_each_backend([](const Backend& backend) {
    test::LayerBench bench(std::make_shared<LayerNormalization>(), Signal::vectors(64), backend, 1);
    bench.parameters[0].fill(1);
    bench.parameters[1].fill(0);
    test::LayerInput in = bench.input(2, 2);
    for (float& x : in.values.view()) x = 100 + 3 * x;
    const Tensor y = bench.run(in, {}).y;
    for (Index row = 0; row < 4; ++row) {
      double sum = 0, squares = 0;
      for (Index f = 0; f < 64; ++f) {
        sum += double{y[row * 64 + f]};
        squares += double{y[row * 64 + f]} * double{y[row * 64 + f]};
      }
      EXPECT_NEAR(sum, 0, 1e-2);
      EXPECT_NEAR(squares / 64, 1, 1e-3);
    }
  });
}

TEST(LayerNormalization, RefusesBadOptionsAndInputs) {
  EXPECT_THROW(LayerNormalization({.epsilon = 0}), ConfigError);
  EXPECT_THROW(LayerNormalization().output(Signal::symbols(4)), ConfigError);
}

}  // namespace
}  // namespace rnn
