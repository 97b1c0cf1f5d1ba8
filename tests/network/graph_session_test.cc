// Graphs at work: gradients, the promises, and what is refused at the border.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "rnn/dense.h"
#include "rnn/error.h"
#include "rnn/residual.h"
#include "rnn/sequential.h"
#include "rnn/session.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"
#include "support/spelling_network.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::spelling_batch;
using test::spelling_network;

void expect_same(const TensorList& actual, const TensorList& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(bits_equal(actual[i], expected[i])) << expected.name(i);
  }
}

TensorList gradients_of(const Network& network, const Parameters& parameters,
                        const std::shared_ptr<const Backend>& backend, const Batch& batch,
                        double* nats = nullptr) {
  Session session(network, parameters, backend, {.seed = 5});
  State state = network.zero_state(batch.batch, *backend);
  const LossSum loss = session.forward(batch, state);
  if (nats) *nats = loss.nats;
  session.backward(1);
  return session.gradients();
}

TEST(GraphSession, GradientsAreThoseOfTheSummedLoss) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    const Network network = spelling_network();
    Parameters parameters = network.initial_parameters(3, *backend);
    const Batch batch = spelling_batch(5, 3, 1, {5, 2, 4});
    const TensorList gradients = gradients_of(network, parameters, backend, batch);
    Inference inference(network, parameters, backend);
    const auto loss = [&] {
      parameters.changed();
      State state = network.zero_state(batch.batch, *backend);
      return inference.evaluate(batch, state).nats;
    };
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      double largest = 0;
      for (Index i = 0; i < parameters[p].size(); i += 1 + parameters[p].size() / 7) {
        const float here = parameters[p][i];
        const float step = 1.0f / 256;
        parameters[p][i] = here + step;
        const double above = loss();
        parameters[p][i] = here - step;
        const double below = loss();
        parameters[p][i] = here;
        const double expected = (above - below) / (2 * static_cast<double>(step));
        EXPECT_NEAR(gradients[p][i], expected, 4e-3 + 4e-3 * std::abs(expected))
            << parameters.name(p) << '[' << i << ']';
        largest = std::max(largest, std::abs(expected));
      }
      EXPECT_GT(largest, 1e-3) << parameters.name(p) << " plays no part";
    }
  }
}

TEST(GraphSession, LossesAddUpWithTheirWeights) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    const Network network = spelling_network();
    const Parameters parameters = network.initial_parameters(3, *backend);
    Session session(network, parameters, backend);
    Batch batch = spelling_batch(5, 3, 1, {5, 2, 4});
    State state = network.zero_state(3, *backend);
    const LossSum both = session.forward(batch, state);
    ASSERT_EQ(session.losses().size(), 2u);
    EXPECT_EQ(both.nats, session.losses()[0].nats + 0.5 * session.losses()[1].nats);
    EXPECT_EQ(both.targets, 11);
    // Without targets at the first output, the second counts.
    std::fill(batch.targets.begin(), batch.targets.end(), -1);
    batch.targets_of("softmax")[0] = -1;
    state = network.zero_state(3, *backend);
    const LossSum one = session.forward(batch, state);
    EXPECT_EQ(session.losses()[0].nats, 0);
    EXPECT_EQ(one.targets, 10);
    EXPECT_EQ(one.nats, 0.5 * session.losses()[1].nats);
  }
}

TEST(GraphSession, AWayRoundALayerIsAResidual) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    Graph g;
    const auto x =
        g.add(Embedding({.input_dim = 6, .output_dim = 5}), g.input("input", Signal::symbols(6)));
    const auto y = g.add(Add(), {x, g.add(LSTM({.units = 5}), x, {.name = "residual"})});
    g.output(Softmax({.units = 6}), y);
    const Network graph = g.build();
    const Sequential chain({Embedding({.input_dim = 6, .output_dim = 5}),
                            Residual({.layer = LSTM({.units = 5})}), Softmax({.units = 6})});
    const Parameters parameters = graph.initial_parameters(1, *backend);
    expect_same(parameters, chain.initial_parameters(1, *backend));
    Batch batch = test::random_batch(5, 3, 6, 2);
    batch.lengths = {5, 0, 3};
    expect_same(gradients_of(graph, parameters, backend, batch),
                gradients_of(chain, parameters, backend, batch));
  }
}

TEST(GraphSession, SharedLayersAddTheirGradients) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    const auto twice = [](bool shared) {
      Graph g;
      auto x = g.input("input", Signal::vectors(4));
      x = g.add(Dense({.units = 4}), x);
      x = g.add(Dense({.units = 4}), x, {.shares = shared ? "dense" : ""});
      g.output(Softmax({.units = 3}), x);
      return g.build();
    };
    const Network shared = twice(true), apart = twice(false);
    const Parameters parameters = shared.initial_parameters(1, *backend);
    ASSERT_EQ(parameters.size(), 4u);
    Parameters copies = apart.zero_parameters(*backend);
    copies.at("dense/kernel") = copies.at("dense_1/kernel") = parameters.at("dense/kernel");
    copies.at("softmax/kernel") = parameters.at("softmax/kernel");
    Batch batch{.time = 3, .batch = 2, .targets = {0, 1, 2, 0, 1, 2}};
    batch.values = test::random_values<float>({3, 2, 4}, Random(4));
    const TensorList together = gradients_of(shared, parameters, backend, batch);
    const TensorList each = gradients_of(apart, copies, backend, batch);
    Tensor sum = each.at("dense/kernel");
    for (Index i = 0; i < sum.size(); ++i) sum[i] += each.at("dense_1/kernel")[i];
    EXPECT_TRUE(test::close_to(together.at("dense/kernel"), sum, {1e-6, 1e-6}));
    EXPECT_TRUE(bits_equal(together.at("softmax/kernel"), each.at("softmax/kernel")));
  }
}

TEST(GraphSession, AnyNumberOfThreadsGivesTheSameBits) {
  for (const std::string& name : test::float_backends()) {
    const Network network = spelling_network({.dropout = 0.3f});
    const Batch batch = spelling_batch(6, 4, 2, {6, 0, 3, 5});
    const auto train = [&](int threads) {
      const auto backend = make_backend({.name = name, .threads = {.threads = threads}});
      const Parameters parameters = network.initial_parameters(3, *backend);
      return gradients_of(network, parameters, backend, batch);
    };
    expect_same(train(3), train(1));
  }
}

TEST(GraphSession, MatesPlaceAndPaddingDoNotMatter) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    const Network network = spelling_network();
    const Parameters parameters = network.initial_parameters(3, *backend);
    Inference inference(network, parameters, backend);
    const Batch whole = spelling_batch(6, 4, 2, {6, 0, 3, 5});
    State state = network.zero_state(4, *backend);
    inference.evaluate(whole, state);
    Tensor both[2];
    for (std::size_t output : {0u, 1u}) {
      const View<const float> all = inference.predictions(output);
      both[output] = Tensor(all.shape());
      std::copy(all.begin(), all.end(), both[output].view().begin());
    }
    for (Index b : {0, 2, 3}) {
      const Index length = whole.lengths[static_cast<std::size_t>(b)];
      Batch one{.time = length, .batch = 1};
      for (Index t = 0; t < length; ++t) {
        one.ids.push_back(whole.ids[static_cast<std::size_t>(t * 4 + b)]);
      }
      test::spell(one);
      State own = network.zero_state(1, *backend);
      inference.predict(one, own);
      for (std::size_t output : {0u, 1u}) {
        const View<const float> alone = inference.predictions(output);
        for (Index t = 0; t < length; ++t) {
          for (Index k = 0; k < alone.extent(2); ++k) {
            EXPECT_EQ(alone(t, 0, k), both[output].view()(t, b, k)) << output << ' ' << t;
          }
        }
      }
    }
  }
}

TEST(GraphSession, StepByStepGivesTheBitsOfTheWholeText) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    Graph g;
    const auto words = g.input("words", Signal::symbols(6));
    const auto shape = g.input("shape", Signal::symbols(3));
    const auto x = g.add(
        Concatenate(),
        {g.add(Embedding({.input_dim = 6, .output_dim = 3}), words),
         g.add(LSTM({.units = 2}), g.add(Embedding({.input_dim = 3, .output_dim = 2}), shape))});
    const auto y = g.add(
        Add(), {g.add(GRU({.units = 5}), x),
                g.add(Conv1D({.filters = 5, .kernel_size = 2, .padding = Padding::kCausal}), x)});
    g.output(Softmax({.units = 6}), y);
    const Network network = g.build();
    ASSERT_EQ(network.first_not_causal(), nullptr);
    const Parameters parameters = network.initial_parameters(3, *backend);
    Inference inference(network, parameters, backend);
    Batch whole = test::random_batch(7, 2, 6, 3);
    BatchInput& shapes = whole.input("shape");
    for (std::int32_t id : whole.ids) shapes.ids.push_back(id % 3);
    State state = network.zero_state(2, *backend), walked = network.zero_state(2, *backend);
    Tensor expected(Shape{7, 2, 6});
    const View<const float> all = inference.predict(whole, state);
    std::copy(all.begin(), all.end(), expected.view().begin());
    for (Index t = 0; t < 7; ++t) {
      Batch step = test::window_of(whole, t, 1);
      step.input("shape").ids = {shapes.ids[static_cast<std::size_t>(2 * t)],
                                 shapes.ids[static_cast<std::size_t>(2 * t + 1)]};
      EXPECT_TRUE(bits_equal(inference.predict(step, walked).slice(0), expected.view().slice(t)));
    }
    expect_same(walked, state);
  }
}

TEST(GraphSession, GivesSeveralOutputsOfOneWalk) {
  const auto backend = make_backend();
  Graph g;
  const auto x =
      g.add(Embedding({.input_dim = 6, .output_dim = 5}), g.input("input", Signal::symbols(6)));
  const auto h = g.add(LSTM({.units = 4}), x);
  g.output(Softmax({.units = 6}), h);
  g.output(h, {.name = "hidden"});
  g.output(g.add(PoolOverTime({.pooling = Pooling::kMean}), h), {.name = "sentence"});
  const Network network = g.build();
  const Parameters parameters = network.initial_parameters(1, *backend);
  Batch batch = test::random_batch(4, 2, 6, 1);
  State state = network.zero_state(2, *backend);
  Inference inference(network, parameters, backend);
  EXPECT_EQ(inference.predict(batch, state).shape(), (Shape{4, 2, 6}));
  const View<const float> hidden = inference.predictions(network.output("hidden"));
  const View<const float> sentence = inference.predictions(network.output("sentence"));
  EXPECT_EQ(hidden.shape(), (Shape{4, 2, 4}));
  ASSERT_EQ(sentence.shape(), (Shape{1, 2, 4}));
  float mean = 0;
  for (Index t = 0; t < 4; ++t) mean += hidden(t, 1, 2);
  EXPECT_NEAR(sentence(0, 1, 2), mean / 4, 1e-6);
  // Training goes through the head alone.
  Session session(network, parameters, backend);
  state.fill(0);
  session.forward(batch, state);
  session.backward();
  const Sequential chain(
      {Embedding({.input_dim = 6, .output_dim = 5}), LSTM({.units = 4}), Softmax({.units = 6})});
  Session plain(chain, parameters, backend);
  State other = chain.zero_state(2, *backend);
  plain.forward(batch, other);
  plain.backward();
  expect_same(session.gradients(), plain.gradients());
}

TEST(GraphSession, LetsAHeadBeAskedMore) {
  const auto backend = make_backend();
  const Network network = spelling_network();
  const Parameters parameters = network.initial_parameters(3, *backend);
  Inference inference(network, parameters, backend);
  const Batch batch = spelling_batch(5, 3, 1, {5, 2, 4});
  State state = network.zero_state(3, *backend);
  const View<const float> marginals = inference.predict(batch, state);
  const HeadInput input = inference.head_input();
  const auto& crf = dynamic_cast<const CRF&>(*network.head().head);
  const CrfPath path = crf_viterbi(crf.scores(input.features, *input.call), 1);
  ASSERT_EQ(path.labels.size(), 2u);
  EXPECT_EQ(marginals.shape(), (Shape{5, 3, 3}));
}

TEST(GraphSession, RefusesBatchesThatDoNotFit) {
  const auto backend = make_backend();
  const Network network = spelling_network();
  const Parameters parameters = network.initial_parameters(3, *backend);
  Inference inference(network, parameters, backend);
  const auto refused = [&](const std::function<void(Batch&)>& spoil,
                           std::initializer_list<const char*> parts) {
    Batch batch = spelling_batch(5, 3, 1);
    State state = network.zero_state(3, *backend);
    EXPECT_NO_THROW(inference.evaluate(batch, state));
    spoil(batch);
    try {
      inference.evaluate(batch, state);
      ADD_FAILURE() << "no ShapeError";
    } catch (const ShapeError& error) {
      for (const char* part : parts) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
            << error.what() << "\nlacks: " << part;
      }
    }
  };
  refused([](Batch& b) { b.input("spelling").ids.pop_back(); }, {"'spelling'", "15", "14"});
  refused([](Batch& b) { b.other_inputs.clear(); }, {"'spelling'", "got 0"});
  refused([](Batch& b) { b.input("speling").ids = {1}; }, {"'speling'", "letters spelling"});
  refused([](Batch& b) { b.input("letters").lengths.pop_back(); }, {"'letters'", "lengths"});
  refused([](Batch& b) { b.input("spelling").ids[3] = 99; },
          {"'gather'", "row 99", "step 1 of sequence 0"});
  refused([](Batch& b) { b.input("letters").ids[0] = 5; }, {"'spell'", "symbol 5"});
  refused([](Batch& b) { b.targets_of("softmax").clear(); }, {"'softmax'", "targets"});
  refused([](Batch& b) { b.targets_of("softmax")[0] = 4; }, {"'softmax'", "target 4"});
  refused([](Batch& b) { b.targets_of("soft") = {1}; }, {"'soft'", "softmax"});
}

/// Forgets the lengths of what it was given.
class Forgetful : public Dropout {
 public:
  Forgetful() : Dropout({.rate = 0}) {}
  std::string_view type() const noexcept override { return "Forgetful"; }
  Sequence forward(const Sequence& x, Call&) const override { return {.values = x.values}; }
};

/// Gives another width than it said.
class Liar : public Dropout {
 public:
  Liar() : Dropout({.rate = 0}) {}
  std::string_view type() const noexcept override { return "Liar"; }
  Signal output(const Signal& input) const override { return Signal::vectors(input.size + 1); }
};

TEST(GraphSession, SaysWhichLayerLostAMaskOrGaveAnotherShape) {
  const auto backend = make_backend();
  const auto message = [&](const Part& part) {
    const Sequential network(
        {Embedding({.input_dim = 6, .output_dim = 5}), part, Softmax({.units = 6})});
    const Parameters parameters = network.initial_parameters(1, *backend);
    Inference inference(network, parameters, backend);
    Batch batch = test::random_batch(4, 2, 6, 1);
    batch.lengths = {4, 2};
    State state = network.zero_state(2, *backend);
    try {
      inference.evaluate(batch, state);
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message(Forgetful()).find("layer 'forgetful' (Forgetful): the lengths"),
            std::string::npos)
      << message(Forgetful());
  const std::string liar = message(Liar());
  EXPECT_NE(liar.find("layer 'liar' (Liar): expected to get [T,2,6]"), std::string::npos) << liar;
  EXPECT_NE(liar.find("got [4,2,5]"), std::string::npos) << liar;
}

}  // namespace
}  // namespace rnn
