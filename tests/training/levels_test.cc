// The same model trained at every level, from fit() down to the tape: the same bits.
#include <gtest/gtest.h>

#include <functional>

#include "rnn/activity_regularization.h"
#include "rnn/composite_layer.h"
#include "rnn/conv1d.h"
#include "rnn/graph.h"
#include "rnn/model.h"
#include "rnn/sequential.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

constexpr Index kSymbols = 6, kUnits = 8;
constexpr int kSteps = 10;

const EmbeddingOptions kEmbedding{.input_dim = kSymbols, .output_dim = kUnits};
const Conv1DOptions kConv{.filters = kUnits, .kernel_size = 2, .padding = Padding::kCausal};
const DropoutOptions kDropout{.rate = 0.2f};
const LSTMOptions kLstm{.units = kUnits};
const ActivityRegularizationOptions kPenalty{.l2 = 0.5f, .temporal_l2 = 0.25f};
const SoftmaxOptions kSoftmax{.units = kSymbols, .tied_to = "embedding"};
const Optimizer kAdam = Adam{.learning_rate = 0.02f};

/// x -> dropout(conv(x)) -> lstm, with a way round the lstm: a branch, random draws, a state and a
/// penalty that is scaled as the loss is.
Network branching() {
  Graph g;
  const auto x = g.add(Embedding(kEmbedding), g.input("input", Signal::symbols(kSymbols)));
  const auto c = g.add(Dropout(kDropout), g.add(Conv1D(kConv), x));
  const auto h = g.add(ActivityRegularization(kPenalty), g.add(LSTM(kLstm), c));
  g.output(Softmax(kSoftmax), g.add(Add(), {c, h}));
  return g.build();
}

/// What training leaves behind.
struct Outcome {
  TensorList parameters, gradients;  // the gradients are those of the last step
  State state;
};

test::ToySource text() { return test::random_source(kSymbols, 7, 40, 4, 3); }

/// `step` computes gradients for a batch and moves the state.
template <class Step>
Outcome train(const Network& network, const std::shared_ptr<const Backend>& backend,
              Parameters& parameters, TensorList& gradients, Step step) {
  State state = network.zero_state(3, *backend);
  OptimizerState remembered;
  test::ToySource source = text();
  Batch batch;
  for (int i = 0; i < kSteps; ++i) {
    EXPECT_TRUE(source.next(batch));
    gradients.fill(0);
    step(i, batch, state);
    apply(kAdam, 0.02f, 1, gradients, parameters, remembered, *backend);
  }
  return {parameters, gradients, state};
}

Outcome by_fit(const Network& network, const std::string& backend) {
  Model model(network);
  model.compile({.optimizer = kAdam, .seed = 3, .backend = {.name = backend}});
  test::ToySource source = text();
  model.fit(source, {.epochs = 1, .state = StatePolicy::kCarry});
  return {model.parameters(), {}, {}};
}

Outcome by_session(const Network& network, const std::shared_ptr<const Backend>& backend) {
  Parameters parameters = network.initial_parameters(3, *backend);
  Session session(network, parameters, backend, {.seed = 3});
  return train(network, backend, parameters, session.gradients(),
               [&](int step, const Batch& batch, State& state) {
                 session.begin_step(step);
                 session.forward(batch, state);
                 session.backward();
               });
}

/// A forward written out on a tape: features for the head "softmax".
using Forward = std::function<TapeValue(GradientTape&, TapeValue input)>;

Outcome by_tape(const Network& network, const std::shared_ptr<const Backend>& backend,
                const Forward& forward) {
  Parameters parameters = network.initial_parameters(3, *backend);
  GradientTape tape(network, parameters, backend, {.seed = 3});
  return train(network, backend, parameters, tape.gradients(),
               [&](int step, const Batch& batch, State& state) {
                 tape.begin_step(step, state);
                 const auto y = forward(tape, tape.input(batch));
                 const auto loss = tape.loss("softmax", y, batch.targets);
                 tape.backward(loss, 1.0f / static_cast<float>(tape.loss_sum(loss).targets));
               });
}

TapeValue forward_of_branching(GradientTape& tape, TapeValue input) {
  const auto c = tape.call("dropout", tape.call("conv1d", tape.call("embedding", input)));
  return tape.add(c, tape.call("activityregularization", tape.call("lstm", c)));
}

/// The same model up to its head as a subclass with its own forward. Its random draws are its own:
/// the same at all levels, but not those of the graph.
struct Mine : CompositeLayer {
  explicit Mine(float rate) : dropout(Dropout({.rate = rate})) {}
  AnyLayer conv = Conv1D(kConv), dropout, lstm = LSTM(kLstm);
  AnyLayer penalty = ActivityRegularization(kPenalty);
  std::string_view type() const noexcept override { return "Mine"; }
  void describe(Fields&) const override {}
  std::vector<Inner> layers(const Signal& input) const override {
    const Signal wide = conv->output(input);
    return {{"conv", conv, input},
            {"dropout", dropout, wide},
            {"lstm", lstm, wide},
            {"penalty", penalty, wide}};
  }
  bool causal() const override { return true; }
  Signal output(const Signal&) const override { return Signal::vectors(kUnits); }
  TapeValue run(CompositeTape& tape, TapeValue x) const override {
    const auto c = tape.call("dropout", tape.call("conv", x));
    return tape.add(c, tape.call("penalty", tape.call("lstm", c)));
  }
};

Network subclass(float rate) {
  return Sequential({Embedding(kEmbedding), Mine(rate), Softmax(kSoftmax)});
}

TapeValue forward_of_subclass(GradientTape& tape, TapeValue input) {
  return tape.call("mine", tape.call("embedding", input));
}

void expect_same(const TensorList& actual, const TensorList& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(test::bits_equal(actual[i], expected[i])) << expected.name(i);
  }
}

/// fit, Session and tape, of a network and of its forward on a tape.
void expect_levels_agree(const Network& network, const Forward& forward) {
  for (const std::string& name : test::float_backends()) {
    SCOPED_TRACE(name);
    const auto backend = make_backend({.name = name});
    const Outcome session = by_session(network, backend);
    const Outcome tape = by_tape(network, backend, forward);
    expect_same(by_fit(network, name).parameters, session.parameters);
    expect_same(tape.parameters, session.parameters);
    expect_same(tape.gradients, session.gradients);
    expect_same(tape.state, session.state);
    const Parameters first = network.initial_parameters(3, *backend);
    EXPECT_FALSE(test::bits_equal(session.parameters[0], first[0]));  // it did train
  }
}

TEST(Levels, GiveTheSameBitsAfterTenSteps) {
  expect_levels_agree(branching(), forward_of_branching);
}

TEST(Levels, GiveTheSameBitsForASubclassWithItsOwnForward) {
  expect_levels_agree(subclass(0.2f), forward_of_subclass);
}

TEST(Levels, ASubclassWithoutDrawsIsTheGraph) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    // The same layers in the same order, so that first values can be handed over.
    const Network own = subclass(0);
    Graph g;
    const auto x = g.add(Embedding(kEmbedding), g.input("input", Signal::symbols(kSymbols)));
    const auto c = g.add(Conv1D(kConv), x);
    const auto h = g.add(ActivityRegularization(kPenalty), g.add(LSTM(kLstm), c));
    g.output(Softmax(kSoftmax), g.add(Add(), {c, h}));
    const Network graph = g.build();
    ASSERT_EQ(own.parameter_specs().size(), graph.parameter_specs().size());
    Parameters ours = own.initial_parameters(3, *backend);
    Parameters theirs = graph.zero_parameters(*backend);
    for (std::size_t i = 0; i < ours.size(); ++i) theirs[i] = ours[i];
    Session one(own, ours, backend, {.seed = 3}), other(graph, theirs, backend, {.seed = 3});
    const auto step_of = [](Session& session) {
      return [&session](int step, const Batch& batch, State& state) {
        session.begin_step(step);
        session.forward(batch, state);
        session.backward();
      };
    };
    const Outcome a = train(own, backend, ours, one.gradients(), step_of(one));
    const Outcome b = train(graph, backend, theirs, other.gradients(), step_of(other));
    expect_same(a.parameters, b.parameters);
    expect_same(a.gradients, b.gradients);
    expect_same(a.state, b.state);
    EXPECT_EQ(own.parameter_specs()[1].name, "mine/conv_kernel");
    EXPECT_EQ(own.state_specs()[0].name, "mine/conv_context");
  }
}

// The penalty of a layer is scaled as the loss is, wherever in the network it stands.
TEST(Levels, APenaltyInTheNetworkCountsAsAMeanOverTokens) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    const auto gradients = [&](float l2, Parameters& parameters) {
      const Sequential network({Embedding(kEmbedding), ActivityRegularization({.l2 = l2}),
                                Softmax({.units = kSymbols})});
      parameters = network.initial_parameters(3, *backend);
      Session session(network, parameters, backend, {.seed = 3});
      Batch batch = test::random_batch(5, 3, kSymbols, 1);
      State state = network.zero_state(3, *backend);
      session.forward(batch, state);
      session.backward();
      return std::pair(session.gradients(), batch);
    };
    Parameters parameters, same;
    const auto [with, batch] = gradients(0.75f, parameters);
    const TensorList without = gradients(0, same).first;
    Tensor expected = without[0];  // plus the gradient of 0.75 * mean(x^2)
    const float scale = 2 * 0.75f / static_cast<float>(batch.ids.size() * kUnits);
    for (const std::int32_t id : batch.ids) {
      for (Index u = 0; u < kUnits; ++u)
        expected.view()(id, u) += scale * parameters[0].view()(id, u);
    }
    EXPECT_TRUE(test::close_to(with[0], expected, {1e-5, 1e-7}));
    EXPECT_FALSE(test::close_to(with[0], without[0], {1e-2, 1e-3}));
  }
}

}  // namespace
}  // namespace rnn
