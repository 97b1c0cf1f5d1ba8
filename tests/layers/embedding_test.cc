#include "rnn/embedding.h"

#include "support/layer_contract.h"

namespace rnn {
namespace {

std::shared_ptr<const Layer> embedding(Index symbols, Index width) {
  return std::make_shared<Embedding>(EmbeddingOptions{
      .input_dim = symbols, .output_dim = width, .initializer = Initializer::normal(0.25f)});
}

TEST(Embedding, KeepsTheContract) {
  test::check_layer_contract({.layer = embedding(7, 5), .input = Signal::symbols(7)});
  test::check_layer_contract({.layer = embedding(1, 1), .input = Signal::symbols(1)});
}

TEST(Embedding, KeepsTheContractWithDropoutOfRows) {
  test::check_layer_contract({.layer = std::make_shared<Embedding>(EmbeddingOptions{
                                  .input_dim = 7, .output_dim = 5, .dropout = 0.4f}),
                              .input = Signal::symbols(7),
                              .steady = false,
                              .keeps = false});
}

TEST(Embedding, DropsRowsInTrainingOnly) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(std::make_shared<Embedding>(EmbeddingOptions{
                                     .input_dim = 50, .output_dim = 2, .dropout = 0.5f}),
                                 Signal::symbols(50), backend, 1);
    const test::LayerBench plain(embedding(50, 2), Signal::symbols(50), backend, 1);
    const test::LayerInput in = bench.input(10, 5);
    EXPECT_TRUE(test::bits_equal(bench.run(in, {.training = false}).y, plain.run(in, {}).y));
    EXPECT_FALSE(test::bits_equal(bench.run(in, {}).y, plain.run(in, {}).y));
  });
}

TEST(Embedding, GivesTheRowOfEachSymbolAndZerosBelowZero) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(embedding(4, 3), Signal::symbols(4), backend, 1);
    test::LayerInput in = bench.input(3, 1);
    in.ids = {2, -1, 0};
    const test::LayerOutput out = bench.run(in, {});
    for (Index u = 0; u < 3; ++u) {
      EXPECT_EQ(out.y.view()(0, 0, u), bench.parameters[0].view()(2, u));
      EXPECT_EQ(out.y.view()(1, 0, u), 0);
      EXPECT_EQ(out.y.view()(2, 0, u), bench.parameters[0].view()(0, u));
    }
  });
}

TEST(Embedding, RefusesASymbolBeyondItsTable) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(embedding(4, 3), Signal::symbols(4), backend, 1);
    test::LayerInput in = bench.input(2, 1);
    in.ids = {3, 4};
    EXPECT_THROW(bench.run(in, {}), ShapeError);
    in.lengths = {1};  // now the bad one is padding
    EXPECT_NO_THROW(bench.run(in, {}));
  });
}

TEST(Embedding, RefusesBadOptionsAndInputs) {
  EXPECT_THROW(embedding(0, 3), ConfigError);
  EXPECT_THROW(embedding(3, -1), ConfigError);
  EXPECT_THROW(Embedding({.input_dim = 3, .output_dim = 2, .dropout = 1}), ConfigError);
  EXPECT_THROW(embedding(3, 2)->output(Signal::symbols(4)), ConfigError);
  EXPECT_THROW(embedding(3, 2)->output(Signal::vectors(3)), ConfigError);
}

}  // namespace
}  // namespace rnn
