#include "rnn/recurrent.h"

#include "support/cells.h"
#include "support/layer_contract.h"

namespace rnn {
namespace {

struct Way {
  bool use_bias = true, return_sequences = true, go_backwards = false;
};

template <class Options>
Options options_of(const Way& way, Index units) {
  return {.units = units,
          .use_bias = way.use_bias,
          .return_sequences = way.return_sequences,
          .go_backwards = way.go_backwards,
          .kernel_initializer = Initializer::uniform(0.5f)};
}

std::shared_ptr<const Layer> make_cell(Cell cell, const Way& way, Index units) {
  switch (cell) {
    case Cell::kLstm: {
      auto options = options_of<LSTMOptions>(way, units);
      options.forget_bias = 0.5f;
      return std::make_shared<LSTM>(options);
    }
    case Cell::kGru:
    case Cell::kGruResetBefore: {
      auto options = options_of<GRUOptions>(way, units);
      options.reset_after = cell == Cell::kGru;
      return std::make_shared<GRU>(options);
    }
    default: {
      auto options = options_of<SimpleRNNOptions>(way, units);
      options.relu = cell == Cell::kRnnRelu;
      return std::make_shared<SimpleRNN>(options);
    }
  }
}

class RecurrentLayers : public ::testing::TestWithParam<Cell> {
 protected:
  static void check(const Way& way, Index inputs, Index units) {
    const bool kinked = GetParam() == Cell::kRnnRelu;
    test::check_layer_contract({.layer = make_cell(GetParam(), way, units),
                                .input = Signal::vectors(inputs),
                                .streams = way.return_sequences && !way.go_backwards,
                                .step = kinked ? 1e-3f : 1e-2f});
  }
};

TEST_P(RecurrentLayers, KeepTheContract) {
  check({}, 3, 5);
  check({}, 1, 1);
}
TEST_P(RecurrentLayers, KeepTheContractWithoutBias) { check({.use_bias = false}, 3, 4); }
TEST_P(RecurrentLayers, KeepTheContractGoingBackwards) { check({.go_backwards = true}, 3, 4); }
TEST_P(RecurrentLayers, KeepTheContractReturningTheLastStep) {
  check({.return_sequences = false}, 3, 4);
  check({.return_sequences = false, .go_backwards = true}, 2, 3);
}

TEST_P(RecurrentLayers, TheLastStepIsTheFinalState) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench all(make_cell(GetParam(), {}, 4), Signal::vectors(3), backend, 5);
    const test::LayerBench last(make_cell(GetParam(), {.return_sequences = false}, 4),
                                Signal::vectors(3), backend, 5);
    const test::LayerInput in = all.input(5, 4, {5, 0, 2, 1});
    const test::LayerOutput every = all.run(in, {}), one = last.run(in, {});
    EXPECT_EQ(one.y.shape(), (Shape{1, 4, 4}));
    for (Index b = 0; b < 4; ++b) {
      for (Index u = 0; u < 4; ++u) {
        const Index length = in.length(b);
        const float expected =
            length > 0 ? every.y.view()(length - 1, b, u) : in.state[0].view()(b, u);
        EXPECT_EQ(one.y.view()(0, b, u), expected);
        EXPECT_EQ(one.new_state[0].view()(b, u), expected);
      }
    }
  });
}

TEST_P(RecurrentLayers, DeclareTheShapesOfTheirCell) {
  const Index H = 4, G = gates_of(GetParam());
  const auto layer = make_cell(GetParam(), {}, H);
  const auto specs = layer->parameters(Signal::vectors(3));
  ASSERT_EQ(specs.size(), 3u);
  EXPECT_EQ(specs[0].name, "kernel");
  EXPECT_EQ(specs[0].shape, (Shape{3, G * H}));
  EXPECT_EQ(specs[1].name, "recurrent_kernel");
  EXPECT_EQ(specs[1].shape, (Shape{H, G * H}));
  EXPECT_EQ(specs[2].name, "bias");
  EXPECT_EQ(specs[2].shape, bias_shape(GetParam(), H));
  EXPECT_EQ(make_cell(GetParam(), {.use_bias = false}, H)->parameters(Signal::vectors(3)).size(),
            2u);
  ASSERT_EQ(layer->states(Signal::vectors(1)).size(), has_cell_state(GetParam()) ? 2u : 1u);
  EXPECT_EQ(layer->states(Signal::vectors(1))[0].name, "h");
  EXPECT_EQ(layer->states(Signal::vectors(1))[0].width, H);
}

TEST_P(RecurrentLayers, SayWhichKernelRuns) {
  test::for_each_backend([](const Backend& backend) {
    const KernelPath path = make_cell(GetParam(), {}, 4)->path(backend, Signal::vectors(3));
    EXPECT_EQ(path.path.substr(0, backend.name().size()), backend.name());
  });
}

TEST_P(RecurrentLayers, RefuseBadOptionsAndInputs) {
  EXPECT_THROW(make_cell(GetParam(), {}, 0), ConfigError);
  EXPECT_THROW(make_cell(GetParam(), {}, 3)->output(Signal::symbols(3)), ConfigError);
}

INSTANTIATE_TEST_SUITE_P(Cells, RecurrentLayers, ::testing::ValuesIn(test::kAllCells),
                         test::cell_name);

}  // namespace
}  // namespace rnn
