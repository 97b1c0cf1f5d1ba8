#include <gtest/gtest.h>

#include "rnn/bidirectional.h"
#include "rnn/dense.h"
#include "rnn/graph.h"
#include "rnn/layer_normalization.h"
#include "rnn/model.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

TEST(Summary, ListsLayersParametersAndKernels) {
  Model model(
      Sequential({Embedding({.input_dim = 10000, .output_dim = 200}), LSTM({.units = 200}),
                  Dropout({.rate = 0.5f}), Softmax({.units = 10000, .tied_to = "embedding"})}));
  EXPECT_EQ(model.summary(),
            "layer           type        output              parameters    kernels\n"
            "embedding       Embedding   vectors of 200      2,000,000\n"
            "lstm            LSTM        vectors of 200      320,800\n"
            "dropout         Dropout     vectors of 200      0\n"
            "softmax         Softmax     10000 classes       10,000          shares "
            "embedding/embeddings\n"
            "2,330,800 parameters\n");
  model.compile({.backend = {.name = "reference"}});
  EXPECT_EQ(model.summary(),
            "layer           type        output              parameters    kernels\n"
            "embedding       Embedding   vectors of 200      2,000,000\n"
            "lstm            LSTM        vectors of 200      320,800       reference\n"
            "dropout         Dropout     vectors of 200      0\n"
            "softmax         Softmax     10000 classes       10,000          shares "
            "embedding/embeddings\n"
            "2,330,800 parameters, backend reference, fp32, 1 thread\n");
}

TEST(Summary, MakesRoomForLongNames) {
  Graph g;
  const auto x = g.input("input", Signal::vectors(3));
  g.output(g.add(LayerNormalization(LayerNormalizationOptions{}), x,
                 {.name = "a_name_of_many_letters"}));
  EXPECT_EQ(
      Model(g.build()).summary(),
      "layer                   type                output              parameters    kernels\n"
      "a_name_of_many_letters  LayerNormalization  vectors of 3        6\n"
      "6 parameters\n");
}

TEST(Summary, SaysThatNoOptionLeavesTheNativeKernels) {
  const LSTMOptions all{.units = 4,
                        .dropout = 0.1f,
                        .recurrent_dropout = 0.1f,
                        .weight_drop = 0.1f,
                        .zoneout_h = 0.1f,
                        .zoneout_c = 0.1f,
                        .layer_normalization = true,
                        .learn_initial_state = true,
                        .peepholes = true,
                        .coupled_gates = true,
                        .projection = 2};
  Model model(Sequential({LSTM(all), Bidirectional({.layer = LSTM(all)})}, 3));
  model.compile({.backend = {.name = "native"}});
  const std::string summary = model.summary();
  for (const char* layer : {"\nlstm ", "\nbidirectional "}) {
    const std::size_t line = summary.find(layer);
    ASSERT_NE(line, std::string::npos) << summary;
    const std::string text = summary.substr(line + 1, summary.find('\n', line + 1) - line - 1);
    EXPECT_NE(text.find(" native/"), std::string::npos) << text;
    EXPECT_EQ(text.find("reference"), std::string::npos) << text;
  }
}

TEST(Summary, CountsWhatTheNetworkHolds) {
  Model model(test::toy_network({.layers = 2}));
  model.compile({});
  const std::string total = std::to_string(model.parameters().elements()) + " parameters";
  EXPECT_NE(model.summary().find("\n" + total), std::string::npos) << model.summary();
}

}  // namespace
}  // namespace rnn
