#include "rnn/highway.h"

#include "support/layer_contract.h"

namespace rnn {
namespace {

std::shared_ptr<const Layer> highway(const HighwayOptions& options) {
  return std::make_shared<Highway>(options);
}

TEST(Highway, KeepsTheContractWithEveryActivation) {
  const Signal input = Signal::vectors(4);
  test::check_layer_contract({.layer = highway({}), .input = input, .step = 1e-3f});
  test::check_layer_contract({.layer = highway({.activation = Activation::kTanh}), .input = input});
  test::check_layer_contract(
      {.layer = highway({.activation = Activation::kSigmoid}), .input = input});
}

TEST(Highway, TheGateChoosesBetweenTheInputAndItsImage) {
  test::for_each_backend([](const Backend& backend) {
    for (float gate : {-100.0f, 100.0f}) {
      test::LayerBench bench(highway({.activation = Activation::kTanh}), Signal::vectors(3),
                             backend, 1);
      bench.parameters[2].fill(0);
      bench.parameters[3].fill(gate);
      const test::LayerInput in = bench.input(2, 2);
      const Tensor y = bench.run(in, {}).y;
      for (Index row = 0; row < 4; ++row) {
        for (Index u = 0; u < 3; ++u) {
          double image = bench.parameters[1][u];
          for (Index f = 0; f < 3; ++f) {
            image += double{in.values[row * 3 + f]} * double{bench.parameters[0].view()(f, u)};
          }
          EXPECT_NEAR(y[row * 3 + u], gate < 0 ? double{in.values[row * 3 + u]} : std::tanh(image),
                      1e-6);
        }
      }
    }
  });
}

TEST(Highway, BeginsByHandingItsInputOn) {
  const auto specs = highway({})->parameters(Signal::vectors(4));
  ASSERT_EQ(specs.size(), 4u);
  EXPECT_EQ(specs[3].name, "gate_bias");
  EXPECT_EQ(specs[3].initializer, Initializer::constant(-2));
  EXPECT_THROW(highway({})->output(Signal::symbols(4)), ConfigError);
}

}  // namespace
}  // namespace rnn
