// The same model trained at every level, from fit() down to the tape: the same bits.
#include <gtest/gtest.h>

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
const SoftmaxOptions kSoftmax{.units = kSymbols, .tied_to = "embedding"};
const Optimizer kAdam = Adam{.learning_rate = 0.02f};

/// x -> dropout(conv(x)) -> lstm, with a way round the lstm: a branch, random draws and a state.
Network branching() {
  Graph g;
  const auto x = g.add(Embedding(kEmbedding), g.input("input", Signal::symbols(kSymbols)));
  const auto c = g.add(Dropout(kDropout), g.add(Conv1D(kConv), x));
  g.output(Softmax(kSoftmax), g.add(Add(), {c, g.add(LSTM(kLstm), c)}));
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

/// The forward of `branching`, written out on a tape.
Outcome by_tape(const Network& network, const std::shared_ptr<const Backend>& backend) {
  Parameters parameters = network.initial_parameters(3, *backend);
  GradientTape tape(network, parameters, backend, {.seed = 3});
  return train(network, backend, parameters, tape.gradients(),
               [&](int step, const Batch& batch, State& state) {
                 tape.begin_step(step, state);
                 const auto x = tape.call("embedding", tape.input(batch));
                 const auto c = tape.call("dropout", tape.call("conv1d", x));
                 const auto y = tape.add(c, tape.call("lstm", c));
                 const auto loss = tape.loss("softmax", y, batch.targets);
                 tape.backward(loss, 1.0f / static_cast<float>(tape.loss_sum(loss).targets));
               });
}

/// The same model up to its head as a subclass with its own forward. Its random draws are its own,
/// so it is compared without dropout.
struct Mine : CompositeLayer {
  AnyLayer conv = Conv1D(kConv), lstm = LSTM(kLstm);
  std::string_view type() const noexcept override { return "Mine"; }
  void describe(Fields&) const override {}
  std::vector<Inner> layers(const Signal& input) const override {
    return {{"conv", conv, input}, {"lstm", lstm, conv->output(input)}};
  }
  bool causal() const override { return true; }
  Signal output(const Signal&) const override { return Signal::vectors(kUnits); }
  TapeValue run(CompositeTape& tape, TapeValue x) const override {
    const auto c = tape.call("conv", x);
    return tape.add(c, tape.call("lstm", c));
  }
};

void expect_same(const TensorList& actual, const TensorList& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(test::bits_equal(actual[i], expected[i])) << expected.name(i);
  }
}

TEST(Levels, GiveTheSameBitsAfterTenSteps) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    const Network network = branching();
    const Outcome session = by_session(network, backend);
    const Outcome tape = by_tape(network, backend);
    expect_same(by_fit(network, name).parameters, session.parameters);
    expect_same(tape.parameters, session.parameters);
    expect_same(tape.gradients, session.gradients);
    expect_same(tape.state, session.state);
    const Parameters first = network.initial_parameters(3, *backend);
    EXPECT_FALSE(test::bits_equal(session.parameters[0], first[0]));  // it did train
  }
}

TEST(Levels, ASubclassWithItsOwnForwardIsOneOfThem) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    // The same layers under the same names of parameters, so that first values are the same.
    const Sequential subclass({Embedding(kEmbedding), Mine(), Softmax(kSoftmax)});
    Graph g;
    const auto x = g.add(Embedding(kEmbedding), g.input("input", Signal::symbols(kSymbols)));
    const auto c = g.add(Conv1D(kConv), x);
    g.output(Softmax(kSoftmax), g.add(Add(), {c, g.add(LSTM(kLstm), c)}));
    const Network graph = g.build();
    ASSERT_EQ(subclass.parameter_specs().size(), graph.parameter_specs().size());
    Parameters ours = subclass.initial_parameters(3, *backend);
    Parameters theirs = graph.zero_parameters(*backend);
    for (std::size_t i = 0; i < ours.size(); ++i) theirs[i] = ours[i];
    Session one(subclass, ours, backend, {.seed = 3}), other(graph, theirs, backend, {.seed = 3});
    const auto step_of = [](Session& session) {
      return [&session](int step, const Batch& batch, State& state) {
        session.begin_step(step);
        session.forward(batch, state);
        session.backward();
      };
    };
    const Outcome a = train(subclass, backend, ours, one.gradients(), step_of(one));
    const Outcome b = train(graph, backend, theirs, other.gradients(), step_of(other));
    expect_same(a.parameters, b.parameters);
    expect_same(a.gradients, b.gradients);
    expect_same(a.state, b.state);
    EXPECT_EQ(subclass.parameter_specs()[1].name, "mine/conv_kernel");
    EXPECT_EQ(subclass.state_specs()[0].name, "mine/conv_context");
  }
}

}  // namespace
}  // namespace rnn
