#include "rnn/session.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "rnn/dense.h"
#include "rnn/error.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"
#include "support/toy_network.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::random_batch;

/// A backend as networks take it.
template <class Body>
void for_each_shared_backend(Body body) {
  for (const std::string& name : test::float_backends()) {
    SCOPED_TRACE("backend " + name);
    body(make_backend({.name = name}));
  }
}

Batch ragged_batch() {
  Batch batch = random_batch(4, 3, 6, 3);
  batch.lengths = {4, 2, 3};
  batch.targets[1] = -1;
  return batch;
}

/// Gradients of the mean loss against central differences, every parameter.
void expect_gradients(const Network& network, const Batch& batch,
                      const std::shared_ptr<const Backend>& backend, float step) {
  Parameters parameters = network.initial_parameters(4, *backend);
  // Biases that differ, too: at zero a rectifier's kink is never far.
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    if (parameters.name(p).ends_with("/bias")) {
      parameters[p] = test::random_values<float>(parameters[p].shape(), Random(6).fold(p));
    }
  }
  Session session(network, parameters, backend, {.seed = 9});
  State state = network.zero_state(batch.batch, *backend);
  session.forward(batch, state);
  session.backward();
  const TensorList gradients = session.gradients();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    double largest = 0;
    for (float g : gradients[p].view()) largest = std::max(largest, std::abs(double{g}));
    EXPECT_GT(largest, 1e-4) << parameters.name(p);
    for (Index i = 0; i < parameters[p].size(); ++i) {
      const float value = parameters[p][i];
      const auto loss_at = [&](float moved) {
        parameters[p][i] = moved;
        parameters.changed();
        State fresh = network.zero_state(batch.batch, *backend);
        return session.forward(batch, fresh).mean();
      };
      const double expected = (loss_at(value + step) - loss_at(value - step)) / (2 * double{step});
      parameters[p][i] = value;
      EXPECT_NEAR(double{gradients[p][i]}, expected,
                  1e-2 * std::abs(expected) + 5e-3 * largest + 2e-5)
          << parameters.name(p) << test::position_of(parameters[p].shape(), i);
    }
  }
}

class SessionOfCell : public ::testing::TestWithParam<Cell> {};

TEST_P(SessionOfCell, GradientsOfAWholeNetworkAgreeWithFiniteDifferences) {
  const float step = GetParam() == Cell::kRnnRelu ? 5e-4f : 1e-2f;
  for_each_shared_backend([&](const auto& backend) {
    for (bool tied : {false, true}) {
      expect_gradients(test::toy_network({.cell = GetParam(), .layers = 2, .tied = tied}),
                       ragged_batch(), backend, step);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Cells, SessionOfCell, ::testing::ValuesIn(test::kAllCells),
                         test::cell_name);

TEST(Session, DifferentiatesClassifiersAndVectorInputs) {
  for_each_shared_backend([&](const auto& backend) {
    Batch one_target = ragged_batch();
    one_target.targets = {3, 0, 5};
    expect_gradients(
        Sequential(
            {Embedding(
                 {.input_dim = 6, .output_dim = 4, .initializer = Initializer::uniform(0.5f)}),
             GRU({.units = 3}), LSTM({.units = 4, .return_sequences = false}),
             Dense({.units = 4, .activation = Activation::kTanh}), Softmax({.units = 6})}),
        one_target, backend, 1e-2f);
    Batch vectors = ragged_batch();
    vectors.ids.clear();
    vectors.values = test::random_values<float>({4, 3, 2}, Random(8));
    test::poison_padding(vectors.values, vectors.lengths);
    expect_gradients(Sequential({LSTM({.units = 4}), Softmax({.units = 6})}, 2), vectors, backend,
                     1e-2f);
  });
}

TEST(Session, DifferentiatesThroughDropoutWithTheMaskOfTheStep) {
  for_each_shared_backend([&](const auto& backend) {
    expect_gradients(test::toy_network({.layers = 2, .dropout = 0.3f}), ragged_batch(), backend,
                     1e-2f);
  });
}

TEST(Session, DrawsMasksByStepAndExample) {
  for_each_shared_backend([](const auto& backend) {
    const Sequential network = test::toy_network({.dropout = 0.5f});
    const Parameters parameters = network.initial_parameters(4, *backend);
    const auto loss = [&](Batch batch, std::int64_t step, std::uint64_t seed) {
      Session session(network, parameters, backend, {.seed = seed});
      session.begin_step(step);
      State state = network.zero_state(batch.batch, *backend);
      return session.forward(batch, state).nats;
    };
    Batch batch = random_batch(4, 1, 6, 3);
    batch.examples = {17};
    const double expected = loss(batch, 5, 1);
    EXPECT_EQ(loss(batch, 5, 1), expected);
    EXPECT_NE(loss(batch, 6, 1), expected);
    EXPECT_NE(loss(batch, 5, 2), expected);
    Batch other = batch;
    other.examples = {18};
    EXPECT_NE(loss(other, 5, 1), expected);
    // The same example in another place: only its targets count.
    Batch among = random_batch(4, 3, 6, 9);
    among.examples = {2, 3, 17};
    for (Index t = 0; t < 4; ++t) {
      among.ids[static_cast<std::size_t>(t * 3 + 2)] = batch.ids[static_cast<std::size_t>(t)];
      for (Index b = 0; b < 3; ++b) {
        among.targets[static_cast<std::size_t>(t * 3 + b)] =
            b == 2 ? batch.targets[static_cast<std::size_t>(t)] : -1;
      }
    }
    EXPECT_EQ(loss(among, 5, 1), expected);
  });
}

TEST(Session, AddsGradientsAndScalesThem) {
  for_each_shared_backend([](const auto& backend) {
    const Sequential network = test::toy_network();
    const Parameters parameters = network.initial_parameters(4, *backend);
    const Batch batch = ragged_batch();
    Session session(network, parameters, backend);
    const auto run = [&](int times, bool mean) {
      session.zero_gradients();
      for (int i = 0; i < times; ++i) {
        State state = network.zero_state(3, *backend);
        const LossSum loss = session.forward(batch, state);
        EXPECT_EQ(loss.targets, 8);
        if (mean) {
          session.backward();
        } else {
          session.backward(0.25f);
        }
      }
      return session.gradients();
    };
    const TensorList mean = run(1, true), twice = run(2, true), scaled = run(1, false);
    for (std::size_t p = 0; p < mean.size(); ++p) {
      EXPECT_EQ(mean.name(p), parameters.name(p));
      Tensor doubled = mean[p];
      for (float& value : doubled.view()) value *= 2;
      EXPECT_TRUE(test::close_to(twice[p], doubled, {1e-4, 1e-6}));
      EXPECT_TRUE(test::close_to(scaled[p], doubled, {1e-4, 1e-6}));  // 1/4 is twice 1/8
    }
    EXPECT_GT(session.memory(), sizeof(float) * static_cast<std::size_t>(mean.elements()));
  });
}

TEST(Session, BackwardNeedsAForwardOfItsOwn) {
  for_each_shared_backend([](const auto& backend) {
    const Sequential network = test::toy_network();
    const Parameters parameters = network.initial_parameters(4, *backend);
    Session session(network, parameters, backend);
    EXPECT_THROW(session.backward(), ConfigError);
    State state = network.zero_state(3, *backend);
    const Batch batch = ragged_batch();
    session.forward(batch, state);
    session.backward();
    // The first one has consumed what forward kept.
    EXPECT_THROW(session.backward(), ConfigError);
  });
}

TEST(Session, TrainsAndEvaluatesToTheSameLossWithoutRegularisers) {
  for_each_shared_backend([](const auto& backend) {
    const Sequential network = test::toy_network({.layers = 2});
    const Parameters parameters = network.initial_parameters(4, *backend);
    Session session(network, parameters, backend);
    Inference inference(network, parameters, backend);
    State trained = network.zero_state(3, *backend), evaluated = trained;
    const LossSum expected = session.forward(ragged_batch(), trained);
    const LossSum actual = inference.evaluate(ragged_batch(), evaluated);
    EXPECT_EQ(actual.nats, expected.nats);
    EXPECT_EQ(actual.targets, expected.targets);
    for (std::size_t s = 0; s < trained.size(); ++s) {
      EXPECT_TRUE(bits_equal(evaluated[s], trained[s]));
    }
  });
}

TEST(State, IsAValueThatForksASequence) {
  for_each_shared_backend([](const auto& backend) {
    const Sequential network = test::toy_network();
    const Parameters parameters = network.initial_parameters(4, *backend);
    Inference inference(network, parameters, backend);
    const Batch start = random_batch(3, 2, 6, 1), left = random_batch(2, 2, 6, 2),
                right = random_batch(2, 2, 6, 3);
    State state = network.zero_state(2, *backend);
    inference.evaluate(start, state);
    const State fork = state;
    State first = fork, second = fork;
    const double expected = inference.evaluate(left, first).nats;
    inference.evaluate(right, second);
    EXPECT_FALSE(bits_equal(first[0], second[0]));
    EXPECT_TRUE(bits_equal(fork[0], state[0]));
    State again = fork;
    EXPECT_EQ(inference.evaluate(left, again).nats, expected);
    EXPECT_TRUE(bits_equal(again[0], first[0]));
  });
}

Tensor prediction(Inference& inference, const Network& network, const Batch& batch,
                  const Backend& backend) {
  State state = network.zero_state(batch.batch, backend);
  const View<const float> found = inference.predict(batch, state);
  Tensor copy(found.shape());
  std::copy(found.begin(), found.end(), copy.data());
  return copy;
}

TEST(Inference, FollowsTheTableThatItsVectorsAreLookedUpIn) {
  for_each_shared_backend([](const auto& backend) {
    const Sequential network = test::toy_network();
    Parameters parameters = network.initial_parameters(4, *backend);
    Inference kept(network, parameters, backend);
    const Batch batch = ragged_batch();
    const auto predict = [&](Inference& inference) {
      return prediction(inference, network, batch, *backend);
    };
    const Tensor before = predict(kept);
    EXPECT_TRUE(bits_equal(predict(kept), before));
    parameters.at("embedding/embeddings").fill(0.25f);
    parameters.changed();
    Inference fresh(network, parameters, backend);
    const Tensor after = predict(kept);
    EXPECT_TRUE(bits_equal(after, predict(fresh)));
    EXPECT_FALSE(bits_equal(after, before));
  });
}

/// Vectors of its own, by symbol and step, in the place of those that were looked up, and all else
/// as it came.
class Fading : public Layer {
 public:
  std::string_view type() const noexcept override { return "Fading"; }
  void describe(Fields&) const override {}
  Signal output(const Signal& input) const override { return input; }
  Sequence forward(const Sequence& x, Call& call) const override {
    const View<float> y = call.memory->floats(0, x.values.shape());
    const Index step = x.batch() * x.values.extent(2);
    for (Index i = 0; i < y.size(); ++i) y[i] = x.values[i] / static_cast<float>(1 + i / step);
    Sequence result = x;
    result.values = y;
    return result;
  }
  View<const float> backward(const Sequence&, View<const float>, Call&) const override {
    return {};
  }
};

TEST(Inference, TakesVectorsAsTheyAreWhereALayerHasReplacedThoseOfATable) {
  for_each_shared_backend([](const auto& backend) {
    const Sequential network(
        {Embedding({.input_dim = 6, .output_dim = 5}), Fading(), LSTM({.units = 5})});
    const Sequential after({LSTM({.units = 5})}, 5);
    const Parameters parameters = network.initial_parameters(4, *backend);
    Parameters own = after.initial_parameters(4, *backend);
    for (std::size_t p = 0; p < own.size(); ++p) own[p] = parameters.at(own.name(p));
    own.changed();
    Batch batch = random_batch(4, 3, 6, 3);
    std::fill(batch.ids.begin(), batch.ids.end(), 2);
    Batch vectors{.time = 4, .batch = 3, .values = Tensor({4, 3, 5})};
    for (Index i = 0; i < vectors.values.size(); ++i) {
      vectors.values[i] = parameters[0].view()(2, i % 5) / static_cast<float>(1 + i / 15);
    }
    Inference ours(network, parameters, backend), theirs(after, own, backend);
    EXPECT_TRUE(bits_equal(prediction(ours, network, batch, *backend),
                           prediction(theirs, after, vectors, *backend)));
  });
}

TEST(Inference, OfANetworkWithoutHeadGivesFeatures) {
  for_each_shared_backend([](const auto& backend) {
    const Sequential network({LSTM({.units = 4})}, 2);
    const Parameters parameters = network.initial_parameters(4, *backend);
    Inference inference(network, parameters, backend);
    Batch batch{.time = 3, .batch = 2};
    batch.values = test::random_values<float>({3, 2, 2}, Random(8));
    State state = network.zero_state(2, *backend);
    EXPECT_EQ(inference.predict(batch, state).shape(), (Shape{3, 2, 4}));
    EXPECT_THROW(inference.evaluate(batch, state), ConfigError);
  });
}

}  // namespace
}  // namespace rnn
