#include "rnn/sequential.h"

#include <gtest/gtest.h>

#include <functional>

#include "rnn/dense.h"
#include "rnn/error.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/toy_network.h"

namespace rnn {
namespace {

using test::bits_equal;

std::vector<std::string> names_of(const Sequential& network) {
  std::vector<std::string> names;
  for (const auto& node : network.nodes()) names.push_back(node.name);
  if (network.head().head) names.push_back(network.head().name);
  return names;
}

std::string config_error(const std::function<void()>& work) {
  try {
    work();
  } catch (const ConfigError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no ConfigError";
  return {};
}

TEST(Sequential, NamesLayersAfterTheirTypeAndCountsFromTheSecondOn) {
  const Sequential network({Embedding({.input_dim = 9, .output_dim = 4}), LSTM({.units = 3}),
                            Dropout({.rate = 0.1f}), LSTM({.units = 2}), GRU({.units = 2}),
                            LSTM({.units = 2}), Dense({.units = 3}), Softmax({.units = 9})});
  EXPECT_EQ(names_of(network), (std::vector<std::string>{"embedding", "lstm", "dropout", "lstm_1",
                                                         "gru", "lstm_2", "dense", "softmax"}));
  std::vector<std::string> parameters;
  for (const auto& spec : network.parameter_specs()) parameters.push_back(spec.name);
  EXPECT_EQ(parameters,
            (std::vector<std::string>{
                "embedding/embeddings", "lstm/kernel", "lstm/recurrent_kernel", "lstm/bias",
                "lstm_1/kernel", "lstm_1/recurrent_kernel", "lstm_1/bias", "gru/kernel",
                "gru/recurrent_kernel", "gru/bias", "lstm_2/kernel", "lstm_2/recurrent_kernel",
                "lstm_2/bias", "dense/kernel", "dense/bias", "softmax/kernel", "softmax/bias"}));
  EXPECT_EQ(network.input(), Signal::symbols(9));
  EXPECT_EQ(network.head().classes, 9);
}

TEST(Sequential, GivesEveryLayerItsPlaceInTheState) {
  test::for_each_backend([](const Backend& backend) {
    const Sequential network({LSTM({.units = 3}), GRU({.units = 2}), LSTM({.units = 4})}, 5);
    const State state = network.zero_state(7, backend);
    std::vector<std::string> names;
    for (const auto& part : state) names.push_back(part.name + part.tensor.shape().to_string());
    EXPECT_EQ(names, (std::vector<std::string>{"lstm/h[7,3]", "lstm/c[7,3]", "gru/h[7,2]",
                                               "lstm_1/h[7,4]", "lstm_1/c[7,4]"}));
    for (const auto& part : state)
      EXPECT_TRUE(bits_equal(part.tensor, Tensor(part.tensor.shape())));
    EXPECT_EQ(network.input(), Signal::vectors(5));
    EXPECT_FALSE(network.head().head);
  });
}

TEST(Sequential, SharesATiedTable) {
  const Sequential network = test::toy_network({.tied = true});
  const std::size_t table = network.nodes()[0].parameters[0];
  EXPECT_EQ(network.head().parameters[0], table);
  int tables = 0;
  for (const auto& spec : network.parameter_specs()) tables += spec.shape == Shape{6, 5};
  EXPECT_EQ(tables, 1);
}

TEST(Sequential, NamesTheLayerThatDoesNotFit) {
  const Embedding embedding({.input_dim = 9, .output_dim = 4});
  EXPECT_NE(config_error([&] {
              Sequential({embedding, LSTM({.units = 2}), embedding});
            }).find("'embedding_1'"),
            std::string::npos);
  EXPECT_NE(config_error([&] {
              Sequential({embedding, LSTM({.units = 2}), Softmax({.units = 9, .tied_to = "lstm"})});
            }).find("'softmax'"),
            std::string::npos);
  const std::string shape = config_error([&] {
    Sequential({embedding, LSTM({.units = 2}), Softmax({.units = 9, .tied_to = "embedding"})});
  });
  EXPECT_NE(shape.find("'softmax'"), std::string::npos) << shape;
  EXPECT_NE(shape.find("[9,2]"), std::string::npos) << shape;
  EXPECT_NE(shape.find("[9,4]"), std::string::npos) << shape;
}

TEST(Sequential, RefusesWhatIsNoChain) {
  const Embedding embedding({.input_dim = 9, .output_dim = 4});
  EXPECT_THROW(Sequential(std::vector<Part>{}), ConfigError);
  EXPECT_THROW(Sequential({Softmax({.units = 9})}), ConfigError);
  EXPECT_THROW(Sequential({embedding, Softmax({.units = 9}), LSTM({.units = 2})}), ConfigError);
  EXPECT_THROW(Sequential({embedding, Softmax({.units = 9}), Softmax({.units = 9})}), ConfigError);
  EXPECT_THROW(Sequential({LSTM({.units = 2})}), ConfigError);  // no input_features
  EXPECT_THROW(Sequential({LSTM({.units = 2})}, -3), ConfigError);
  EXPECT_THROW(Sequential({embedding, Part(std::shared_ptr<const Layer>())}), ConfigError);
}

TEST(Sequential, FirstValuesDependOnSeedAndNameAlone) {
  test::for_each_backend([](const Backend& backend) {
    const Sequential network = test::toy_network({.layers = 2});
    const Parameters one = network.initial_parameters(1, backend);
    const Parameters again = network.initial_parameters(1, backend);
    const Parameters two = network.initial_parameters(2, backend);
    EXPECT_NE(one.version(), again.version());
    // Another network with a layer of the same name and shape, among others.
    const Sequential other({LSTM({.units = 5}), Dense({.units = 5}), LSTM({.units = 5})}, 5);
    const Parameters elsewhere = other.initial_parameters(1, backend);
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_TRUE(bits_equal(one[i], again[i])) << one.name(i);
    }
    for (const char* name : {"lstm/kernel", "lstm/recurrent_kernel", "lstm_1/kernel"}) {
      EXPECT_TRUE(bits_equal(elsewhere.at(name), one.at(name))) << name;
      EXPECT_FALSE(bits_equal(two.at(name), one.at(name))) << name;
    }
    EXPECT_FALSE(bits_equal(one.at("lstm/kernel"), one.at("lstm_1/kernel")));
  });
}

TEST(Sequential, TheForgetGateAloneStartsOpen) {
  test::for_each_backend([](const Backend& backend) {
    const Parameters parameters = test::toy_network().initial_parameters(1, backend);
    const Tensor& bias = parameters.at("lstm/bias");
    for (Index i = 0; i < 20; ++i) EXPECT_EQ(bias[i], i >= 5 && i < 10 ? 1 : 0) << i;
  });
}

TEST(Parameters, AreFoundByName) {
  test::for_each_backend([](const Backend& backend) {
    Parameters parameters = test::toy_network().initial_parameters(1, backend);
    EXPECT_EQ(parameters.at("lstm/bias").size(), 20);
    EXPECT_EQ(parameters.find("lstm/bia"), parameters.size());
    EXPECT_EQ(parameters.elements(), 30 + 2 * 100 + 20 + 30 + 6);
    const std::string message = config_error([&] { parameters.at("nothing"); });
    EXPECT_NE(message.find("lstm/recurrent_kernel"), std::string::npos) << message;
    const auto before = parameters.version();
    parameters.changed();
    EXPECT_GT(parameters.version(), before);
  });
}

}  // namespace
}  // namespace rnn
