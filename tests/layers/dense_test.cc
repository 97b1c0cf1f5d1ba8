#include "rnn/dense.h"

#include "support/layer_contract.h"

namespace rnn {
namespace {

std::shared_ptr<const Layer> dense(std::optional<Activation> activation, bool use_bias = true) {
  return std::make_shared<Dense>(
      DenseOptions{.units = 5, .use_bias = use_bias, .activation = activation});
}

TEST(Dense, KeepsTheContractWithEveryActivation) {
  const Signal input = Signal::vectors(3);
  test::check_layer_contract({.layer = dense(std::nullopt), .input = input});
  test::check_layer_contract({.layer = dense(std::nullopt, false), .input = input});
  test::check_layer_contract({.layer = dense(Activation::kTanh), .input = input});
  test::check_layer_contract({.layer = dense(Activation::kSigmoid), .input = input});
  test::check_layer_contract({.layer = dense(Activation::kRelu), .input = input, .step = 1e-3f});
}

TEST(Dense, IsTheProductTheBiasAndTheActivation) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(dense(Activation::kSigmoid), Signal::vectors(3), backend, 3);
    const test::LayerInput in = bench.input(2, 2);
    const test::LayerOutput out = bench.run(in, {});
    for (Index row = 0; row < 4; ++row) {
      for (Index u = 0; u < 5; ++u) {
        double sum = double{bench.parameters[1][u]};
        for (Index i = 0; i < 3; ++i) {
          sum += double{in.values[row * 3 + i]} * double{bench.parameters[0].view()(i, u)};
        }
        EXPECT_NEAR(double{out.y[row * 5 + u]}, 1 / (1 + std::exp(-sum)), 1e-6);
      }
    }
  });
}

TEST(Dense, RefusesBadOptionsAndInputs) {
  EXPECT_THROW(Dense({.units = 0}), ConfigError);
  EXPECT_THROW(dense(std::nullopt)->output(Signal::symbols(3)), ConfigError);
}

}  // namespace
}  // namespace rnn
