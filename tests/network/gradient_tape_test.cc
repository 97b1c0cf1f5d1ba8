#include "rnn/gradient_tape.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "rnn/dense.h"
#include "rnn/error.h"
#include "rnn/sequential.h"
#include "rnn/session.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"
#include "support/spelling_network.h"

namespace rnn {
namespace {

const std::vector<std::int32_t> kLengths{4, 2, 3};
constexpr float kStep = 1.0f / 128;

/// A network that lends a layer of each kind; its own order is never run.
Network lender() {
  return Sequential(
      {Embedding({.input_dim = 6, .output_dim = 4, .initializer = Initializer::uniform(0.5f)}),
       LSTM({.units = 4}), Dense({.units = 4}), Softmax({.units = 4})});
}

class Tapes : public ::testing::Test {
 protected:
  using Forward = std::function<TapeValue(GradientTape&, TapeValue x)>;

  double total(const Forward& forward) {
    GradientTape& tape = *tape_;
    parameters_.changed();
    tape.begin_step(0);
    const TapeValue x = tape.input(sequence());
    const Sequence y = tape.value(forward(tape, x));
    double sum = 0;
    for (Index i = 0; i < y.values.size(); ++i) {
      const Index b = i / y.values.extent(2) % y.batch();
      const Index t = i / y.values.extent(2) / y.batch();
      if (t < length_of(y.lengths, b, y.time())) {
        sum += static_cast<double>(y.values[i]) * static_cast<double>(weight(i));
      }
    }
    return sum;
  }

  static float weight(Index i) { return 1 + 0.25f * static_cast<float>(i % 5); }

  Sequence sequence() const { return {.values = x_, .lengths = kLengths}; }

  /// Central differences with respect to every element of x and of each parameter.
  void check(const Forward& forward) {
    for (const std::string& name : test::float_backends()) {
      backend_ = make_backend({.name = name});
      parameters_ = network_.initial_parameters(4, *backend_);
      tape_ = std::make_unique<GradientTape>(network_, parameters_, backend_);
      GradientTape& tape = *tape_;
      tape.begin_step(0);
      const TapeValue x = tape.input(sequence()), y = forward(tape, x);
      Tensor dy(tape.value(y).values.shape());
      for (Index i = 0; i < dy.size(); ++i) dy[i] = weight(i);
      tape.backward(y, dy);
      const View<const float> dx = tape.gradient(x);
      Tensor kept(dx.shape());
      std::copy(dx.begin(), dx.end(), kept.view().begin());
      const TensorList gradients = tape.gradients();
      expect(forward, x_, kept, "x");
      for (std::size_t p = 0; p < parameters_.size(); ++p) {
        expect(forward, parameters_[p], gradients[p], parameters_.name(p));
      }
    }
  }

  void expect(const Forward& forward, Tensor& values, const Tensor& gradient,
              const std::string& what) {
    for (Index i = 0; i < values.size(); i += 1 + values.size() / 12) {
      const float here = values[i];
      values[i] = here + kStep;
      const double above = total(forward);
      values[i] = here - kStep;
      const double below = total(forward);
      values[i] = here;
      const double expected = (above - below) / (2 * static_cast<double>(kStep));
      EXPECT_NEAR(gradient[i], expected, 2e-2 + 5e-3 * std::abs(expected))
          << what << test::position_of(values.shape(), i);
    }
  }

  Network network_ = lender();
  std::shared_ptr<const Backend> backend_ = make_backend();
  Parameters parameters_ = network_.initial_parameters(4, *backend_);
  std::unique_ptr<GradientTape> tape_ =
      std::make_unique<GradientTape>(network_, parameters_, backend_);
  Tensor x_ = test::random_values<float>({4, 3, 4}, Random(8));
};

TEST_F(Tapes, DifferentiateEveryOperation) {
  check([](auto& t, auto x) { return t.add(x, t.mul(x, x)); });
  check([](auto& t, auto x) { return t.scale(t.add(x, x), -1.5f); });
  check([](auto& t, auto x) { return t.concat({x, t.scale(x, 2), t.mul(x, x)}); });
  check([](auto& t, auto x) { return t.mul(t.slice(x, 0, 2), t.slice(x, 2, 2)); });
  check([](auto& t, auto x) { return t.mul(t.slice(x, 1, 2), t.slice(x, 1, 2)); });
  check([](auto& t, auto x) { return t.mul(t.steps(x, 1, 2), t.steps(x, 1, 2)); });
  check([](auto& t, auto x) {
    const TapeValue parts[] = {t.steps(x, 0, 1), t.mul(t.steps(x, 1, 3), t.steps(x, 1, 3))};
    return t.stack(parts);
  });
  check([](auto& t, auto x) {
    return t.gate(t.activation(x, Activation::kSigmoid), t.mul(x, x), t.scale(x, 3));
  });
  check([](auto& t, auto x) { return t.activation(x, Activation::kTanh); });
  check([](auto& t, auto x) { return t.mean_over_time(t.mul(x, x)); });
  check([](auto& t, auto x) { return t.sum(t.mul(x, x)); });
}

TEST_F(Tapes, DifferentiateLayersAndParametersAsValues) {
  check([](auto& t, auto x) { return t.call("dense", t.call("lstm", x)); });
  check([](auto& t, auto x) {
    return t.dense(x, t.parameter("dense/kernel"), t.parameter("dense/bias"));
  });
  check([](auto& t, auto x) { return t.dense(t.mul(x, x), t.parameter("dense/kernel")); });
  // One layer twice, and its kernel as a value beside: all gradients are added.
  check([](auto& t, auto x) {
    const auto y = t.call("dense", t.call("dense", x));
    return t.mul(y, t.dense(x, t.parameter("dense/kernel")));
  });
}

TEST_F(Tapes, GoThroughTheStateOfALayerThatIsCalledStepByStep) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    GradientTape tape(network_, parameters_, backend);
    const auto run = [&](bool steps) {
      State state = network_.zero_state(3, *backend);
      tape.zero_gradients();
      tape.begin_step(0, state);
      const TapeValue x = tape.input(Sequence{.values = x_});
      TapeValue y;
      if (steps) {
        std::vector<TapeValue> parts;
        for (Index t = 0; t < 4; ++t) parts.push_back(tape.call("lstm", tape.steps(x, t, 1)));
        y = tape.stack(parts);
      } else {
        y = tape.call("lstm", x);
      }
      Tensor values(tape.value(y).values.shape());
      std::copy(tape.value(y).values.begin(), tape.value(y).values.end(), values.view().begin());
      tape.backward(tape.sum(tape.mul(y, y)));
      Tensor dx(x_.shape());
      const View<const float> gradient = tape.gradient(x);
      std::copy(gradient.begin(), gradient.end(), dx.view().begin());
      return std::tuple(values, dx, tape.gradients(), state);
    };
    const auto [y, dx, gradients, state] = run(false);
    const auto [step_y, step_dx, step_gradients, step_state] = run(true);
    EXPECT_TRUE(test::bits_equal(step_y, y));
    EXPECT_TRUE(test::bits_equal(step_dx, dx));
    for (std::size_t s = 0; s < state.size(); ++s) {
      EXPECT_TRUE(test::bits_equal(step_state[s], state[s]));
    }
    for (std::size_t p = 0; p < gradients.size(); ++p) {
      EXPECT_TRUE(test::close_to(step_gradients[p], gradients[p], {1e-5, 1e-6}));
    }
  }
}

TEST_F(Tapes, GiveTheGradientOfOneLogitWithRespectToTheEmbedding) {
  GradientTape tape(network_, parameters_, backend_);
  tape.set_training(true);
  const std::vector<std::int32_t> ids{1, 2, 3, 4};
  tape.begin_step(0);
  const TapeValue symbols =
      tape.input(Sequence{.ids = View<const std::int32_t>(ids.data(), {4, 1})});
  const TapeValue x = tape.call("embedding", symbols);
  const TapeValue y = tape.call("dense", tape.call("lstm", x));
  Tensor dy(Shape{4, 1, 4});
  dy.view()(3, 0, 2) = 1;  // logit 2 of the last step
  tape.backward(y, dy);
  const View<const float> dx = tape.gradient(x);
  ASSERT_EQ(dx.shape(), (Shape{4, 1, 4}));
  double largest = 0;
  for (float value : dx) largest = std::max(largest, std::abs(double{value}));
  EXPECT_GT(largest, 1e-4);
  EXPECT_THROW(tape.gradient(symbols), ConfigError);
  EXPECT_THROW(tape.backward(y, dy), ConfigError);  // once a step
  EXPECT_THROW(tape.sum(x), ConfigError);           // which is over
  tape.begin_step(1);
  EXPECT_NO_THROW(tape.input(Sequence{.ids = View<const std::int32_t>(ids.data(), {4, 1})}));
}

TEST_F(Tapes, SayWhichLayerWasGivenWhat) {
  GradientTape tape(network_, parameters_, backend_);
  const std::vector<std::int32_t> ids{1, 2, 3, 6};
  const Tensor narrow(Shape{4, 3, 3});
  State state = network_.zero_state(2, *backend_);
  tape.begin_step(0, state);
  const TapeValue symbols =
      tape.input(Sequence{.ids = View<const std::int32_t>(ids.data(), {4, 1})});
  const TapeValue x = tape.input(Sequence{.values = narrow});
  const auto expect = [&](const std::function<void()>& wrong, const char* layer, const char* got) {
    try {
      wrong();
      ADD_FAILURE() << layer << " took " << got;
    } catch (const ShapeError& error) {
      EXPECT_NE(std::string(error.what()).find(layer), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(got), std::string::npos) << error.what();
    }
  };
  expect([&] { tape.call("lstm", x); }, "'lstm'", "vectors of 3");
  expect([&] { tape.call("lstm", symbols); }, "'lstm'", "got symbols");
  expect([&] { tape.call("embedding", x); }, "'embedding'", "vectors of 3");
  expect([&] { tape.call("embedding", symbols); }, "'embedding'", "the symbol 6");
  expect([&] { tape.loss(network_.head().name, x, std::vector<std::int32_t>(12)); }, "expected",
         "vectors of 3");
  expect([&] { tape.call("lstm", tape.input(sequence())); }, "'lstm'", "[2,4]");  // 3 sequences
  State other = lender().zero_state(2, *backend_);
  other[0].resize({2, 5});
  EXPECT_THROW(tape.begin_step(1, other), ShapeError);
}

TEST_F(Tapes, StopGradientsWhereTheyAreTold) {
  tape_->begin_step(0);
  const TapeValue x = tape_->input(sequence());
  tape_->backward(tape_->sum(tape_->mul(x, tape_->stop_gradient(x))));
  const View<const float> dx = tape_->gradient(x);
  for (Index t = 0; t < 4; ++t) {
    for (Index b = 0; b < 3; ++b) {
      const bool padding = t >= kLengths[static_cast<std::size_t>(b)];
      EXPECT_EQ(dx(t, b, 1), padding ? 0 : x_.view()(t, b, 1));  // 2x without the stop
    }
  }
}

TEST_F(Tapes, RunAWholeGraphWithSeveralHeads) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    const Network network = test::spelling_network({.dropout = 0.2f});
    const Parameters parameters = network.initial_parameters(3, *backend);
    const Batch batch = test::spelling_batch(5, 3, 1, {5, 2, 4});
    Session session(network, parameters, backend, {.seed = 2});
    State state = network.zero_state(3, *backend), other = network.zero_state(3, *backend);
    session.begin_step(6);
    const LossSum expected = session.forward(batch, state);
    session.backward(0.125f);
    GradientTape tape(network, parameters, backend, {.seed = 2});
    tape.begin_step(6, other);
    const auto read = tape.call(
        "poolovertime", tape.call("conv1d", tape.call("spell", tape.input(batch, "letters"))));
    const TapeValue gathered[] = {read, tape.input(batch, "spelling")};
    const TapeValue both[] = {tape.call("embedding", tape.input(batch)),
                              tape.call("gather", gathered)};
    const auto x = tape.call("dropout", tape.call("concatenate", both));
    const auto h = tape.call("bidirectional", x);
    const auto crf = tape.loss("crf", tape.add(h, x), batch.targets);
    const auto softmax = tape.loss("softmax", h, batch.other_targets.front().targets);
    tape.backward(tape.add(crf, tape.scale(softmax, 0.5f)), 0.125f);
    EXPECT_EQ(tape.loss_sum(crf).nats + 0.5 * tape.loss_sum(softmax).nats, expected.nats);
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      EXPECT_TRUE(test::close_to(tape.gradients()[p], session.gradients()[p], {1e-5, 1e-7}))
          << parameters.name(p);
    }
  }
}

TEST_F(Tapes, WeighTargetsAsASessionDoes) {
  const Network network = lender();
  const Parameters parameters = network.initial_parameters(3, *backend_);
  Batch batch{.time = 3, .batch = 2};
  batch.ids = {1, 2, 3, 4, 5, 0};
  batch.targets = {0, 1, 2, 3, -1, 1};
  batch.weights = {1, 0.5f, 2, 0, 1, 3};
  Session session(network, parameters, backend_);
  State state = network.zero_state(2, *backend_);
  session.begin_step(0);
  const LossSum expected = session.forward(batch, state);
  session.backward(0.125f);
  GradientTape tape(network, parameters, backend_);
  tape.begin_step(0);
  const TapeValue y =
      tape.call("dense", tape.call("lstm", tape.call("embedding", tape.input(batch))));
  const TapeValue loss = tape.loss("softmax", y, batch.targets, batch.weights);
  tape.backward(loss, 0.125f);
  EXPECT_EQ(tape.loss_sum(loss).nats, expected.nats);
  EXPECT_EQ(tape.loss_sum(loss).weight(), expected.weight());
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    EXPECT_TRUE(test::bits_equal(tape.gradients()[p], session.gradients()[p]))
        << parameters.name(p);
  }
}

TEST_F(Tapes, SayWhatDoesNotFit) {
  const auto message = [&](const Forward& forward) {
    try {
      tape_->begin_step(0);
      forward(*tape_, tape_->input(sequence()));
    } catch (const Error& error) {
      return std::string(error.what());
    }
    ADD_FAILURE() << "nothing was thrown";
    return std::string();
  };
  const auto contains = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  contains(message([](auto& t, auto x) { return t.call("gru", x); }), "embedding lstm dense");
  contains(message([](auto& t, auto x) { return t.add(x, t.slice(x, 0, 2)); }), "tape, add");
  contains(message([](auto& t, auto x) { return t.slice(x, 3, 2); }), "0 to 4");
  contains(message([](auto& t, auto x) { return t.steps(x, 4, 1); }), "tape, steps");
  contains(message([](auto& t, auto x) { return t.add(x, TapeValue()); }), "not of this step");
  contains(message([](auto& t, auto x) { return t.add(t.mean_over_time(x), x); }), "[1,3,4]");
  contains(message([](auto& t, auto x) { return t.dense(x, x); }), "kernel [1,4,U]");
  contains(message([](auto& t, auto) { return t.parameter("dense/kernal"); }), "dense/kernel");
  contains(message([](auto& t, auto x) { return t.loss("lstm", x, {}); }), "softmax");
  contains(message([](auto& t, auto x) { return t.loss("softmax", x, {}); }), "targets");
  contains(message([](auto& t, auto x) {
             const TapeValue parts[] = {t.steps(x, 1, 3), t.steps(x, 0, 1)};
             return t.stack(parts);
           }),
           "after it ended");
}

/// A layer that forgets its lengths.
class Forgetful : public Dropout {
 public:
  Forgetful() : Dropout({.rate = 0}) {}
  std::string_view type() const noexcept override { return "Forgetful"; }
  Sequence forward(const Sequence& x, Call& call) const override {
    return {.values = Dropout::forward(x, call).values};
  }
};

TEST(GradientTape, SaysWhichLayerLostAMask) {
  const auto backend = make_backend();
  const Sequential network({Forgetful(), Softmax({.units = 3})}, 2);
  const Parameters parameters = network.initial_parameters(1, *backend);
  GradientTape tape(network, parameters, backend);
  Batch batch{.time = 4, .batch = 2, .values = Tensor(Shape{4, 2, 2}), .lengths = {4, 2}};
  tape.begin_step(0);
  try {
    tape.call("forgetful", tape.input(batch));
    FAIL() << "nothing was thrown";
  } catch (const ShapeError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("layer 'forgetful' (Forgetful): the lengths of its input were lost"),
              std::string::npos)
        << message;
  }
}

}  // namespace
}  // namespace rnn
