// The options of the recurrent layers: each keeps the contract, and does what it says to whom it
// says, in training and in evaluation.
#include "rnn/bidirectional.h"
#include "rnn/recurrent.h"
#include "support/layer_contract.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::LayerBench;
using test::LayerInput;
using test::LayerOutput;

template <class L, class Options>
std::shared_ptr<const Layer> make(Options options, Index units = 4) {
  options.units = units;
  options.kernel_initializer = Initializer::uniform(0.5f);
  return std::make_shared<L>(options);
}

/// The same change to the options of all three layers.
template <class Change>
std::vector<std::shared_ptr<const Layer>> each_layer(const Change& change, Index units = 4) {
  LSTMOptions lstm;
  GRUOptions after, before{.reset_after = false};
  SimpleRNNOptions simple;
  change(lstm);
  change(after);
  change(before);
  change(simple);
  return {make<LSTM>(lstm, units), make<GRU>(after, units), make<GRU>(before, units),
          make<SimpleRNN>(simple, units)};
}

void expect_contract(const std::shared_ptr<const Layer>& layer, bool steady, bool streams = true) {
  test::check_layer_contract({.layer = layer,
                              .input = Signal::vectors(3),
                              .streams = streams,
                              .steady = steady,
                              .step = 5e-3f});
}

TEST(RecurrentOptions, DropoutsKeepTheContract) {
  for (const auto& layer : each_layer([](auto& o) { o.dropout = 0.4f; })) {
    expect_contract(layer, false);
  }
  for (const auto& layer : each_layer([](auto& o) { o.recurrent_dropout = 0.4f; })) {
    expect_contract(layer, false);
  }
  for (const auto& layer : each_layer([](auto& o) { o.weight_drop = 0.4f; })) {
    expect_contract(layer, false);
  }
}

TEST(RecurrentOptions, ZoneoutKeepsTheContract) {
  for (const auto& layer : each_layer([](auto& o) { o.zoneout_h = 0.3f; })) {
    expect_contract(layer, false);
  }
  expect_contract(make<LSTM>(LSTMOptions{.zoneout_h = 0.2f, .zoneout_c = 0.4f}), false);
}

TEST(RecurrentOptions, LayerNormalizationKeepsTheContract) {
  expect_contract(make<LSTM>(LSTMOptions{.layer_normalization = true, .epsilon = 0.1f}), true);
  expect_contract(make<GRU>(GRUOptions{.layer_normalization = true, .epsilon = 0.1f}), true);
  expect_contract(make<SimpleRNN>(SimpleRNNOptions{.layer_normalization = true, .epsilon = 0.1f}),
                  true);
}

TEST(RecurrentOptions, LearnedInitialStateKeepsTheContract) {
  for (const auto& layer : each_layer([](auto& o) { o.learn_initial_state = true; })) {
    expect_contract(layer, true);
  }
}

TEST(RecurrentOptions, CellsOfTheLstmKeepTheContract) {
  expect_contract(make<LSTM>(LSTMOptions{.peepholes = true}), true);
  expect_contract(make<LSTM>(LSTMOptions{.coupled_gates = true}), true);
  expect_contract(make<LSTM>(LSTMOptions{.peepholes = true, .coupled_gates = true}), true);
  expect_contract(make<LSTM>(LSTMOptions{.projection = 3}, 5), true);
  expect_contract(make<LSTM>(LSTMOptions{.zoneout_h = 0.3f,
                                         .layer_normalization = true,
                                         .epsilon = 0.1f,
                                         .learn_initial_state = true,
                                         .peepholes = true,
                                         .projection = 3},
                             5),
                  false);
}

TEST(RecurrentOptions, ReturnStateKeepsTheContract) {
  const auto layers = each_layer([](auto& o) {
    o.return_sequences = false;
    o.return_state = true;
  });
  for (const auto& layer : layers) expect_contract(layer, true, false);
}

TEST(RecurrentOptions, TogetherInBothDirectionsKeepTheContract) {
  const LSTMOptions options{.units = 3,
                            .return_sequences = false,
                            .return_state = true,
                            .dropout = 0.3f,
                            .recurrent_dropout = 0.3f,
                            .weight_drop = 0.3f};
  expect_contract(std::make_shared<Bidirectional>(BidirectionalOptions{.layer = LSTM(options)}),
                  false, false);
}

/// Inputs that are the same at every step of every sequence, so that only masks tell them apart.
LayerInput even_input(const LayerBench& bench, Index time, Index batch) {
  LayerInput in = bench.input(time, batch);
  in.values.fill(0.5f);
  for (Tensor& state : in.state) state.fill(0.25f);
  return in;
}

bool same(const Tensor& y, Index t, Index b, Index other_t, Index other_b) {
  for (Index u = 0; u < y.extent(2); ++u) {
    if (y.view()(t, b, u) != y.view()(other_t, other_b, u)) return false;
  }
  return true;
}

// With recurrent weights of zero, h of a step is a function of x alone, so masks of x show in y.
TEST(RecurrentOptions, DropoutHasOneMaskOfTheInputForAllStepsOfASequence) {
  test::for_each_backend([](const Backend& backend) {
    for (const auto& layer : each_layer([](auto& o) { o.dropout = 0.5f; })) {
      if (layer->type() != "SimpleRNN") continue;  // the others' state reaches h beside the product
      LayerBench bench(layer, Signal::vectors(40), backend, 2);
      bench.parameters[1].fill(0);
      const LayerInput in = even_input(bench, 3, 2);
      const Tensor y = bench.run(in, {}).y, evaluated = bench.run(in, {.training = false}).y;
      EXPECT_TRUE(same(y, 0, 0, 1, 0) && same(y, 0, 0, 2, 0)) << "not one mask over time";
      EXPECT_FALSE(same(y, 0, 0, 0, 1)) << "sequences share a mask";
      EXPECT_TRUE(same(evaluated, 0, 0, 0, 1)) << "acts in evaluation";
    }
  });
}

// With input weights of zero and an identity for recurrent weights, dh0 shows the mask of h'.
TEST(RecurrentOptions, RecurrentDropoutHasOneMaskOfTheStateForAllSteps) {
  test::for_each_backend([](const Backend& backend) {
    const Index H = 60;
    const auto layer =
        make<SimpleRNN>(SimpleRNNOptions{.relu = true, .recurrent_dropout = 0.5f}, H);
    LayerBench bench(layer, Signal::vectors(1), backend, 3);
    for (Tensor& parameter : bench.parameters) parameter.fill(0);
    for (Index u = 0; u < H; ++u) bench.parameters[1].view()(u, u) = 1;
    const LayerInput in = even_input(bench, 3, 2);
    const Tensor y = bench.run(in, {}).y, evaluated = bench.run(in, {.training = false}).y;
    Index kept = 0;
    for (Index u = 0; u < H; ++u) {
      const float first = y.view()(0, 0, u);
      EXPECT_TRUE(first == 0 || first == 0.5f) << first;  // 0.25 / (1 - 0.5)
      EXPECT_EQ(y.view()(1, 0, u), 2 * first);            // the same units at the next step
      EXPECT_EQ(y.view()(2, 0, u), 4 * first);
      EXPECT_EQ(evaluated.view()(2, 0, u), 0.25f);
      kept += first != 0;
    }
    EXPECT_GT(kept, 10);
    EXPECT_LT(kept, 50);
    EXPECT_FALSE(same(y, 0, 0, 0, 1)) << "sequences share a mask";
  });
}

// With an identity for recurrent weights only their diagonal matters: a dropped weight silences its
// unit in every sequence at once.
TEST(RecurrentOptions, WeightDropHasOneMaskForTheWholeCallAndNewOnesForOthers) {
  test::for_each_backend([](const Backend& backend) {
    const Index H = 60;
    const auto layer = make<SimpleRNN>(SimpleRNNOptions{.relu = true, .weight_drop = 0.5f}, H);
    LayerBench bench(layer, Signal::vectors(1), backend, 3);
    for (Tensor& parameter : bench.parameters) parameter.fill(0);
    for (Index u = 0; u < H; ++u) bench.parameters[1].view()(u, u) = 1;
    LayerInput in = even_input(bench, 2, 3);
    const Tensor evaluated = bench.run(in, {.training = false}).y;
    bench.add_dy(in);
    const LayerOutput out = bench.run(in, {});
    Index kept = 0;
    for (Index u = 0; u < H; ++u) {
      const float first = out.y.view()(0, 0, u);
      EXPECT_TRUE(first == 0 || first == 0.5f) << first;
      EXPECT_EQ(out.y.view()(1, 0, u), 2 * first);
      EXPECT_EQ(evaluated.view()(1, 0, u), 0.25f);
      // A dropped weight gets no gradient.
      EXPECT_EQ(out.gradients[1].view()(u, u) != 0, first != 0);
      kept += first != 0;
    }
    EXPECT_GT(kept, 10);
    EXPECT_LT(kept, 50);
    EXPECT_TRUE(same(out.y, 0, 0, 0, 1) && same(out.y, 0, 0, 0, 2)) << "sequences differ";
    bench.random = Random(99);  // another step
    EXPECT_FALSE(bits_equal(bench.run(in, {}).y, out.y));
  });
}

TEST(RecurrentOptions, ReturnStateGivesTheStateThatComesBack) {
  test::for_each_backend([](const Backend& backend) {
    const LayerBench bench(make<LSTM>(LSTMOptions{.return_sequences = false, .return_state = true}),
                           Signal::vectors(3), backend, 1);
    EXPECT_EQ(bench.layer->output(Signal::vectors(3)), Signal::vectors(8));
    const LayerOutput out = bench.run(bench.input(5, 3, {5, 0, 2}), {});
    ASSERT_EQ(out.y.shape(), (Shape{1, 3, 8}));
    for (Index b = 0; b < 3; ++b) {
      for (Index u = 0; u < 4; ++u) {
        EXPECT_EQ(out.y.view()(0, b, u), out.new_state[0].view()(b, u));
        EXPECT_EQ(out.y.view()(0, b, 4 + u), out.new_state[1].view()(b, u));
      }
    }
  });
}

/// Steps of one sequence from a state, without options.
Tensor plain_step(const LayerBench& plain, const Tensor& h) {
  LayerInput in = even_input(plain, 1, 1);
  in.state[0] = h;
  return plain.run(in, {.training = false}).y;
}

// Each unit of each step either keeps its value to the bit or takes what the cell makes of all of
// them; in evaluation it is the mean of the two, weighted with the rate.
TEST(RecurrentOptions, ZoneoutKeepsUnitsOfStepsAndExpectsThemInEvaluation) {
  test::for_each_backend([](const Backend& backend) {
    const Index H = 50, time = 4;
    LayerBench zoned(make<SimpleRNN>(SimpleRNNOptions{.zoneout_h = 0.25f}, H), Signal::vectors(2),
                     backend, 3);
    LayerBench plain(make<SimpleRNN>(SimpleRNNOptions{}, H), Signal::vectors(2), backend, 3);
    plain.parameters = zoned.parameters;
    const LayerInput in = even_input(zoned, time, 2);
    const Tensor y = zoned.run(in, {}).y, evaluated = zoned.run(in, {.training = false}).y;
    Index kept = 0, same_as_before = 0, same_as_mate = 0;
    std::vector<bool> before(static_cast<std::size_t>(H));
    Tensor h(Shape{1, H}), mean(Shape{1, H});
    h.fill(0.25f);
    mean.fill(0.25f);
    for (Index t = 0; t < time; ++t) {
      const Tensor next = plain_step(plain, h), expected = plain_step(plain, mean);
      for (Index u = 0; u < H; ++u) {
        const float value = y.view()(t, 0, u);
        const bool keeps = value == h[u];
        EXPECT_TRUE(keeps || value == next[u]) << t << ' ' << u;
        kept += keeps;
        same_as_before += t > 0 && keeps == before[static_cast<std::size_t>(u)];
        before[static_cast<std::size_t>(u)] = keeps;
        same_as_mate += t == 0 && keeps == (y.view()(0, 1, u) == 0.25f);
        EXPECT_NEAR(evaluated.view()(t, 0, u), 0.25f * mean[u] + 0.75f * expected[u], 1e-6);
        h[u] = value;
        mean[u] = evaluated.view()(t, 0, u);
      }
    }
    EXPECT_GT(kept, 20);  // of 200, expecting 50
    EXPECT_LT(kept, 80);
    EXPECT_LT(same_as_before, 3 * H) << "one mask for all steps";
    EXPECT_LT(same_as_mate, H) << "sequences share a mask";
  });
}

TEST(RecurrentOptions, ZoneoutOfTheCellStateKeepsItsUnits) {
  test::for_each_backend([](const Backend& backend) {
    const LayerBench bench(make<LSTM>(LSTMOptions{.zoneout_c = 0.5f}, 40), Signal::vectors(2),
                           backend, 3);
    const LayerInput in = even_input(bench, 1, 1);
    const LayerOutput out = bench.run(in, {}), again = bench.run(in, {.training = false});
    Index kept = 0;
    for (Index u = 0; u < 40; ++u) kept += out.new_state[1][u] == 0.25f;
    EXPECT_GT(kept, 5);
    EXPECT_LT(kept, 35);
    EXPECT_TRUE(bits_equal(out.y, again.y)) << "h~ does not see the zoned-out c of its step";
  });
}

// A state of zeros is the beginning, where the learned state stands; a carried one goes on.
TEST(RecurrentOptions, LearnedInitialStateStandsAtTheBeginningAlone) {
  test::for_each_backend([](const Backend& backend) {
    LayerBench learned(make<GRU>(GRUOptions{.learn_initial_state = true}), Signal::vectors(3),
                       backend, 1);
    LayerBench plain(make<GRU>(GRUOptions{}), Signal::vectors(3), backend, 1);
    for (std::size_t p = 0; p < 3; ++p) plain.parameters[p] = learned.parameters[p];
    LayerInput in = learned.input(2, 2), same = in;
    for (Tensor& state : in.state) state.fill(0);
    same.state.resize(1);
    same.dnew.clear();
    for (Index b = 0; b < 2; ++b) {
      for (Index u = 0; u < 4; ++u) same.state[0].view()(b, u) = learned.parameters[3][u];
    }
    const LayerOutput first = learned.run(in, {}), expected = plain.run(same, {});
    EXPECT_TRUE(bits_equal(first.y, expected.y));
    in.state = first.new_state;
    same.state = expected.new_state;
    EXPECT_EQ(in.state[1][0], 1);
    EXPECT_TRUE(bits_equal(learned.run(in, {}).y, plain.run(same, {}).y));
  });
}

// What layer normalisation is for: the scale of the weights does not matter.
TEST(RecurrentOptions, LayerNormalizationForgetsTheScaleOfTheKernels) {
  test::for_each_backend([](const Backend& backend) {
    for (const auto& layer :
         {make<LSTM>(LSTMOptions{.layer_normalization = true, .epsilon = 1e-9f}, 8),
          make<GRU>(GRUOptions{.layer_normalization = true, .epsilon = 1e-9f}, 8)}) {
      LayerBench bench(layer, Signal::vectors(3), backend, 1);
      const LayerInput in = bench.input(3, 2);
      const Tensor y = bench.run(in, {}).y;
      for (std::size_t p : {0, 1}) {
        for (float& weight : bench.parameters[p].view()) weight *= 32;
      }
      EXPECT_TRUE(test::close_to(bench.run(in, {}).y, y, {1e-4, 1e-5}));
    }
  });
}

TEST(RecurrentOptions, DeclareTheirParametersAndStates) {
  const auto names_of = [](const Layer& layer) {
    std::string names;
    for (const ParameterSpec& spec : layer.parameters(Signal::vectors(3))) {
      names += spec.name + spec.shape.to_string() + ' ';
    }
    for (const StateSpec& spec : layer.states(Signal::vectors(3))) {
      names += spec.name + std::to_string(spec.width) + ' ';
    }
    return names;
  };
  EXPECT_EQ(names_of(LSTM({.units = 4,
                           .layer_normalization = true,
                           .learn_initial_state = true,
                           .peepholes = true,
                           .projection = 2})),
            "kernel[3,16] recurrent_kernel[2,16] bias[16] peephole[3,4] kernel_gamma[16] "
            "recurrent_gamma[16] cell_gamma[4] cell_beta[4] projection_kernel[4,2] initial_h[2] "
            "initial_c[4] h2 c4 started1 ");
  EXPECT_EQ(names_of(LSTM({.units = 4, .peepholes = true, .coupled_gates = true})),
            "kernel[3,12] recurrent_kernel[4,12] bias[12] peephole[2,4] h4 c4 ");
}

TEST(RecurrentOptions, KeepTheNativePath) {
  const auto native = make_backend({.name = "native"});
  for (const auto& layer :
       {make<LSTM>(LSTMOptions{.dropout = 0.1f,
       .recurrent_dropout = 0.1f,
       .weight_drop = 0.1f,
       .zoneout_h = 0.1f,
       .zoneout_c = 0.1f,
       .layer_normalization = true,
       .learn_initial_state = true,
       .peepholes = true,
       .coupled_gates = true,
       .projection = 2}),
        make<GRU>(GRUOptions{.zoneout_h = 0.1f, .layer_normalization = true})}) {
    const KernelPath path = layer->path(*native, Signal::vectors(3));
    EXPECT_EQ(path.path.substr(0, 7), "native/");
    EXPECT_EQ(path.reason, "");
  }
}

TEST(RecurrentOptions, SayWhatTheyExpect) {
  const auto refused = [](const auto& make, std::initializer_list<const char*> parts) {
    try {
      make();
      ADD_FAILURE() << "accepted; expected to hear of " << *parts.begin();
    } catch (const ConfigError& error) {
      const std::string message = error.what();
      for (const char* part : parts) {
        EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << part;
      }
    }
  };
  const auto refuses_rate = [&](float rate, const char* got) {
    refused([&] { LSTM({.units = 2, .dropout = rate}); }, {"lstm dropout", "below 1", got});
    refused([&] { GRU({.units = 2, .recurrent_dropout = rate}); }, {"gru recurrent_dropout", got});
    refused([&] { SimpleRNN({.units = 2, .weight_drop = rate}); }, {"rnn", "weight_drop", got});
  };
  refuses_rate(-0.1f, "-0.1");
  refuses_rate(1, "1");
  refuses_rate(std::nanf(""), "nan");
  refused([] { GRU({.units = 2, .return_state = true}); },
          {"gru return_state", "return_sequences"});
  refused([] { LSTM({.units = 2, .zoneout_c = 1}); }, {"lstm zoneout_c", "got 1"});
  refused([] { LSTM({.units = 2, .layer_normalization = true, .epsilon = 0}); },
          {"lstm epsilon", "positive", "got 0"});
  refused([] { LSTM({.units = 2, .projection = -1}); }, {"lstm projection", "got -1"});
  refused([] { GRU({.units = 2, .reset_after = false, .layer_normalization = true}); },
          {"layer_normalization", "reset_after"});
  refused([] { LSTM({.units = 0}); }, {"lstm units", "got 0"});
}

}  // namespace
}  // namespace rnn
