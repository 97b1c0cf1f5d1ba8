#include "rnn/bidirectional.h"

#include "rnn/dense.h"
#include "rnn/recurrent.h"
#include "support/layer_contract.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::LayerBench;
using test::LayerInput;
using test::LayerOutput;

constexpr Index kUnits = 3, kInputs = 4;
constexpr Merge kMerges[] = {Merge::kConcat, Merge::kSum, Merge::kMean, Merge::kMul};

std::shared_ptr<const Layer> both(const BidirectionalOptions& options) {
  return std::make_shared<Bidirectional>(options);
}

TEST(Bidirectional, KeepsTheContractWithEveryMerge) {
  for (Merge merge : kMerges) {
    test::check_layer_contract({.layer = both({.layer = LSTM({.units = kUnits}), .merge = merge}),
                                .input = Signal::vectors(kInputs),
                                .streams = false});
  }
}

TEST(Bidirectional, KeepsTheContractWithOtherLayersInside) {
  test::check_layer_contract(
      {.layer = both({.layer = GRU({.units = kUnits, .return_sequences = false})}),
       .input = Signal::vectors(kInputs),
       .streams = false});
  test::check_layer_contract(
      {.layer = both({.layer = LSTM({.units = 2}),
                      .backward = SimpleRNN({.units = 3, .go_backwards = true})}),
       .input = Signal::vectors(kInputs),
       .streams = false});
}

/// The parameters, inputs and gradients of one direction, run by the layer alone.
TEST(Bidirectional, IsItsTwoDirections) {
  test::for_each_backend([](const Backend& backend) {
    for (bool return_sequences : {true, false}) {
      const LSTMOptions options{.units = kUnits, .return_sequences = return_sequences};
      LSTMOptions turned = options;
      turned.go_backwards = true;
      const Signal input = Signal::vectors(kInputs);
      const LayerBench whole(both({.layer = LSTM(options)}), input, backend, 1);
      LayerBench one(std::make_shared<LSTM>(options), input, backend, 1);
      LayerBench other(std::make_shared<LSTM>(turned), input, backend, 1);
      ASSERT_EQ(whole.parameters.size(), 6u);
      LayerInput in = whole.input(4, 3, {4, 0, 2}), in_one = in, in_other = in;
      for (std::size_t p = 0; p < 3; ++p) {
        one.parameters[p] = whole.parameters[p];
        other.parameters[p] = whole.parameters[p + 3];
      }
      in_one.state = {in.state[0], in.state[1]};
      in_other.state = {in.state[2], in.state[3]};
      const LayerOutput y = whole.run(in, {}), a = one.run(in_one, {}), b = other.run(in_other, {});
      ASSERT_EQ(y.y.shape(), (Shape{return_sequences ? 4 : 1, 3, 2 * kUnits}));
      for (Index i = 0; i < y.y.size(); ++i) {
        const Index place = i / (2 * kUnits), u = i % (2 * kUnits);
        EXPECT_EQ(y.y[i], u < kUnits ? a.y[place * kUnits + u] : b.y[place * kUnits + u - kUnits]);
      }
      EXPECT_TRUE(bits_equal(y.new_state[1], a.new_state[1]));
      EXPECT_TRUE(bits_equal(y.new_state[3], b.new_state[1]));
    }
  });
}

// A sequence of length 0 in a batch one step long has the state it came with as its last output, so
// a gradient for that output is one for the state.
TEST(Bidirectional, GradientReachesTheStateOfAnEmptySequence) {
  test::for_each_backend([](const Backend& backend) {
    const LayerBench bench(both({.layer = GRU({.units = kUnits, .return_sequences = false})}),
                           Signal::vectors(kInputs), backend, 1);
    LayerInput in = bench.input(1, 2, {1, 0});
    bench.add_dy(in);
    for (Tensor& dnew : in.dnew) dnew.fill(0);
    const LayerOutput out = bench.run(in, {});
    for (Index u = 0; u < kUnits; ++u) {
      EXPECT_EQ(out.dstate[0].view()(1, u), in.dy.view()(0, 1, u));
      EXPECT_EQ(out.dstate[1].view()(1, u), in.dy.view()(0, 1, kUnits + u));
    }
  });
}

TEST(Bidirectional, NamesWhatBelongsToWhom) {
  const auto layer = both({.layer = GRU({.units = kUnits})});
  const auto specs = layer->parameters(Signal::vectors(kInputs));
  ASSERT_EQ(specs.size(), 6u);
  EXPECT_EQ(specs[0].name, "forward_kernel");
  EXPECT_EQ(specs[5].name, "backward_bias");
  const auto states = layer->states(Signal::vectors(kInputs));
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[1].name, "backward_h");
}

TEST(Bidirectional, RefusesWhatItCannotDo) {
  EXPECT_THROW(Bidirectional({}), ConfigError);
  EXPECT_THROW(Bidirectional({.layer = LSTM({.units = 2}), .merge = Merge::kGate}), ConfigError);
  EXPECT_THROW(Bidirectional({.layer = Dense({.units = 2})}), ConfigError);  // cannot be turned
  const auto uneven = both({.layer = LSTM({.units = 2}),
                            .backward = LSTM({.units = 3, .go_backwards = true}),
                            .merge = Merge::kSum});
  EXPECT_THROW(uneven->output(Signal::vectors(2)), ConfigError);
  EXPECT_THROW(uneven->output(Signal::symbols(2)), ConfigError);
  test::for_each_backend([](const Backend& backend) {
    const LayerBench bench(
        both({.layer = LSTM({.units = 2}),
              .backward = LSTM({.units = 2, .return_sequences = false, .go_backwards = true})}),
        Signal::vectors(2), backend, 1);
    EXPECT_THROW(bench.run(bench.input(3, 2), {}), ShapeError);
  });
}

}  // namespace
}  // namespace rnn
