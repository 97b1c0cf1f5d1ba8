#include <gtest/gtest.h>

#include <functional>

#include "rnn/bidirectional.h"
#include "rnn/dense.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/residual.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/toy_network.h"

namespace rnn {
namespace {

TEST(NetworkJson, IsReadAsItIsWritten) {
  const Sequential language_model(
      {Embedding({.input_dim = 9, .output_dim = 4, .initializer = Initializer::normal(0.1f)}),
       LSTM({.units = 4, .use_bias = false, .forget_bias = 0.1f}),
       Dropout({.rate = 0.3f, .shared_over_time = true}),
       GRU({.units = 3, .go_backwards = true, .reset_after = false}),
       SimpleRNN({.units = 4, .relu = true}),
       Softmax({.units = 9, .use_bias = false, .tied_to = "embedding"})});
  const Sequential features({Dense({.units = 3, .activation = Activation::kRelu}),
                             LSTM({.units = 4, .return_sequences = false})},
                            7);
  for (const Sequential* network : {&language_model, &features}) {
    const std::string json = network_to_json(*network);
    const Network again = network_from_json(json);
    EXPECT_EQ(network_to_json(again), json);
    EXPECT_EQ(again.input(), network->input());
    ASSERT_EQ(again.parameter_specs().size(), network->parameter_specs().size());
    const auto backend = make_backend();
    const Parameters first = network->initial_parameters(1, *backend);
    const Parameters second = again.initial_parameters(1, *backend);
    for (std::size_t p = 0; p < first.size(); ++p) {
      EXPECT_EQ(second.name(p), first.name(p));
      EXPECT_TRUE(test::bits_equal(second[p], first[p])) << first.name(p);
    }
  }
}

TEST(NetworkJson, NumbersReadAsAPersonWroteThem) {
  const std::string json = network_to_json(
      Sequential({Embedding({.input_dim = 9, .output_dim = 4}), Dropout({.rate = 0.1f})}));
  EXPECT_NE(json.find("\"rate\": 0.1"), std::string::npos) << json;
  EXPECT_EQ(json.find("0.10000000149"), std::string::npos) << json;
}

TEST(NetworkJson, TakesDefaultsForWhatIsNotSaid) {
  const Network network =
      network_from_json(R"({"input_features": 3, "layers": [{"type": "LSTM", "units": 2}]})");
  EXPECT_EQ(network_to_json(network), network_to_json(Sequential({LSTM({.units = 2})}, 3)));
}

/// The message of the Error that reading gives.
template <class Expected>
std::string refusal(const std::string& json) {
  try {
    network_from_json(json, "config.json");
  } catch (const Expected& error) {
    EXPECT_NE(std::string(error.what()).find("config.json"), std::string::npos) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << json;
  return {};
}

std::string with_layer(const std::string& layer) {
  return R"({"input_features": 3, "layers": [{"type": "Dense", "units": 3}, )" + layer + "]}";
}

TEST(NetworkJson, NamesTheMemberItDoesNotKnow) {
  const auto contains = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  contains(refusal<FormatError>(R"({"layers": [], "layer": []})"), "'layer'");
  contains(refusal<FormatError>(R"({"input_features": 3})"), "'layers'");
  contains(refusal<FormatError>(R"({"layers": {}})"), "'layers'");
  contains(refusal<FormatError>(with_layer(R"({"type": "LSTM", "units": 2, "unit": 3})")),
           "'unit'");
  contains(refusal<FormatError>(with_layer(R"({"type": "LSTM", "units": 2, "unit": 3})")),
           "layers[1]");
  contains(refusal<FormatError>(with_layer(R"({"type": "LSTM", "units": "2"})")), "'units'");
  contains(refusal<FormatError>(with_layer(R"({"type": "LSTM", "units": 2.5})")), "whole number");
  contains(refusal<FormatError>(with_layer(R"({"type": "LSTM", "units": 2, "use_bias": 1})")),
           "'use_bias'");
  contains(refusal<FormatError>(with_layer(R"({"units": 2})")), "'type'");
  contains(refusal<FormatError>(with_layer(R"({"type": 5})")), "'type'");
  contains(refusal<FormatError>(with_layer("7")), "layers[1]");
  contains(refusal<FormatError>(with_layer(R"({"type": "LSTM", "units": 2, "units": 3})")),
           "\"units\"");
  contains(refusal<FormatError>("[]"), "object");
  contains(refusal<FormatError>("{"), "JSON");
  contains(refusal<FormatError>(""), "JSON");
}

TEST(NetworkJson, NamesTheLayerWhoseOptionIsWrong) {
  const auto contains = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  contains(refusal<ConfigError>(with_layer(R"({"type": "Lstm", "units": 2})")), "'Lstm'");
  contains(refusal<ConfigError>(with_layer(R"({"type": "LSTM", "units": 0})")), "layers[1]");
  contains(refusal<ConfigError>(with_layer(R"({"type": "Dropout", "rate": 1.5})")), "rate");
  contains(refusal<ConfigError>(with_layer(R"({"type": "Dense", "units": 2, "activation": "x"})")),
           "activation");
  contains(refusal<ConfigError>(
               with_layer(R"({"type": "LSTM", "units": 2, "kernel_initializer": "x"})")),
           "'x'");
  contains(refusal<ConfigError>(R"({"layers": [{"type": "LSTM", "units": 2}]})"), "input_features");
  contains(refusal<ConfigError>(R"({"layers": []})"), "at least one layer");
  contains(refusal<ConfigError>(
               R"({"input_features": 2, "layers": [{"type": "LSTM", "units": 2}],
                   "head": {"type": "Softmax", "units": 0}})"),
           "head");
}

TEST(NetworkJson, BoundsWhatIsKeptForASequence) {
  const auto dilated = [](int rate) {
    return with_layer(R"({"type": "Conv1D", "filters": 3, "kernel_size": 2, "padding": "causal",
                          "dilation_rate": )" +
                      std::to_string(rate) + "}");
  };
  network_from_json(dilated((1 << 24) / 3));
  const std::string message = refusal<ConfigError>(dilated((1 << 24) / 3 + 1));
  EXPECT_NE(message.find("'conv1d/context'"), std::string::npos) << message;
  EXPECT_NE(message.find("dilation_rate"), std::string::npos) << message;
}

/// A layer that no file can name.
class Unregistered : public Dropout {
 public:
  Unregistered() : Dropout({.rate = 0}) {}
  std::string_view type() const noexcept override { return "Unregistered"; }
};

/// What writing a network that ends in `layer` says.
std::string refusal_to_write(const Part& layer) {
  try {
    network_to_json(Sequential({Embedding({.input_dim = 6, .output_dim = 5}), layer}));
  } catch (const ConfigError& error) {
    return error.what();
  }
  ADD_FAILURE() << "written";
  return {};
}

TEST(NetworkJson, RefusesToWriteATypeThatNobodyCouldRead) {
  const std::string what = "its type 'Unregistered' is not one of the library's";
  const auto expect = [](const std::string& message, const std::string& beginning) {
    EXPECT_EQ(message.substr(0, beginning.size()), beginning) << message;
    EXPECT_NE(message.find("register_layer"), std::string::npos) << message;
  };
  expect(refusal_to_write(Unregistered()), "layer 'unregistered': " + what);
  // However deep it stands in layers of the library.
  const AnyLayer lstm = LSTM({.units = 5}), own = Unregistered();
  expect(refusal_to_write(Residual({.layer = own})), "layer 'residual': its option layer: " + what);
  expect(refusal_to_write(Bidirectional({.layer = lstm, .backward = own})),
         "layer 'bidirectional': its option backward: " + what);
  expect(refusal_to_write(Residual({.layer = Residual({.layer = own})})),
         "layer 'residual': its option layer: its option layer: " + what);
}

TEST(NetworkJson, HasAsManyLayersAsItReads) {
  std::vector<Part> parts(4096, Part(Dropout({.rate = 0})));
  const std::string text = network_to_json(Sequential(parts, 2));
  const Network read = network_from_json(text);
  EXPECT_EQ(read.nodes().size(), 4096u);
  EXPECT_EQ(read.nodes().back().name, "dropout_4095");
  parts.push_back(parts.front());
  try {
    network_to_json(Sequential(parts, 2));
    FAIL() << "written";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("at most 4096"), std::string::npos) << error.what();
  }
}

TEST(NetworkJson, CannotTurnRoundATypeThatItCannotMake) {
  try {
    const Bidirectional made({.layer = Unregistered()});
    FAIL() << "made";
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("Unregistered"), std::string::npos) << message;
    EXPECT_NE(message.find("not registered"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace rnn
