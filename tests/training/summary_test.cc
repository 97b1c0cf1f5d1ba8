#include <gtest/gtest.h>

#include "rnn/dense.h"
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

TEST(Summary, CountsWhatTheNetworkHolds) {
  Model model(test::toy_network({.layers = 2}));
  model.compile({});
  const std::string total = std::to_string(model.parameters().elements()) + " parameters";
  EXPECT_NE(model.summary().find("\n" + total), std::string::npos) << model.summary();
}

}  // namespace
}  // namespace rnn
