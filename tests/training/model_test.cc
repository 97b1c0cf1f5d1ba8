#include "rnn/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <thread>

#include "rnn/error.h"
#include "support/compare.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

TEST(Model, MustBeCompiledFirst) {
  Model model(test::toy_network());
  test::ToySource data = test::random_source(6, 1);
  EXPECT_THROW(model.fit(data, {}), ConfigError);
  EXPECT_THROW(model.evaluate(data, StatePolicy::kReset), ConfigError);
  EXPECT_THROW(model.predict(test::random_batch(2, 1, 6, 1)), ConfigError);
  EXPECT_THROW(model.set_parameters({}), ConfigError);
  EXPECT_THROW(model.compile({.optimizer = SGD{.learning_rate = -1}}), ConfigError);
  EXPECT_THROW(model.compile({.schedule = {.every = 0}}), ConfigError);
  EXPECT_THROW(model.compile({.backend = {.name = "abacus"}}), ConfigError);
  EXPECT_EQ(model.parameters().size(), 0u);
}

TEST(Model, DrawsFirstValuesFromItsSeedAndKeepsThemWhenCompiledAgain) {
  Model model(test::toy_network());
  model.compile({.seed = 5});
  const Parameters first = model.parameters();
  const Parameters expected = model.network().initial_parameters(5, *model.backend());
  model.compile({.seed = 6});
  for (std::size_t p = 0; p < first.size(); ++p) {
    EXPECT_TRUE(test::bits_equal(first[p], expected[p]));
    EXPECT_TRUE(test::bits_equal(model.parameters()[p], first[p]));
  }
}

TEST(Model, AnotherOptimizerBeginsWithoutTheMemoryOfTheFirst) {
  // Adam's first memory is a mean, which may be negative: to RMSprop it would be a mean square.
  const auto trained = [](bool adam_before) {
    Model model(test::toy_network());
    test::ToySource data = test::random_source(6, 1);
    model.compile({.optimizer = Adam{.learning_rate = 1e-30f}});  // moves nothing
    if (adam_before) model.fit(data, {.epochs = 1});
    model.compile({.optimizer = RMSprop{}});
    model.fit(data, {.epochs = 2});
    return model;
  };
  const Model after_adam = trained(true);
  Model fresh(test::toy_network());
  fresh.compile({.optimizer = RMSprop{}});
  test::ToySource data = test::random_source(6, 1);
  data.seek({.epoch = 1});
  // The same second epoch, by hand.
  Parameters parameters = fresh.parameters();
  Session session(fresh.network(), parameters, fresh.backend());
  OptimizerState state;
  Batch batch;
  while (data.next(batch)) {
    State zero = fresh.network().zero_state(batch.batch, *fresh.backend());
    session.zero_gradients();
    session.forward(batch, zero);
    session.backward();
    apply(RMSprop{}, 0.001f, 1, session.gradients(), parameters, state, *fresh.backend());
  }
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    EXPECT_TRUE(test::bits_equal(after_adam.parameters()[p], parameters[p])) << parameters.name(p);
  }
}

TEST(Model, PredictsWhatItsLossIsMadeOf) {
  Model model(test::toy_network());
  model.compile({});
  const Batch batch = test::random_batch(3, 2, 6, 1);
  test::ToySource data([&](std::int64_t) { return batch; }, 3);
  const View<const float> p = model.predict(batch);
  ASSERT_EQ(p.shape(), (Shape{3, 2, 6}));
  double nats = 0;
  for (Index i = 0; i < 6; ++i) {
    nats -= std::log(double{p[i * 6 + batch.targets[static_cast<std::size_t>(i)]]});
  }
  const LossSum loss = model.evaluate(data, StatePolicy::kReset);
  EXPECT_NEAR(loss.nats, nats, 1e-5);
  EXPECT_EQ(loss.targets, 6);
}

TEST(Model, EvaluatesInWindowsAsInOnePieceWhenTheStateIsCarried) {
  Model model(test::toy_network());
  model.compile({});
  test::ToySource whole = test::random_source(6, 1, 14, 14),
                  windows = test::random_source(6, 1, 14, 4);
  const double expected = model.evaluate(whole, StatePolicy::kCarry).nats;
  EXPECT_NEAR(model.evaluate(windows, StatePolicy::kCarry).nats, expected, 1e-9);
  EXPECT_GT(std::abs(model.evaluate(windows, StatePolicy::kReset).nats - expected), 1e-3);
}

TEST(Model, TakesParametersThatFitOnly) {
  Model model(test::toy_network());
  model.compile({.seed = 1});
  const Parameters before = model.parameters();
  const Parameters other = model.network().initial_parameters(2, *model.backend());
  EXPECT_THROW(
      model.set_parameters(test::toy_network({.units = 4}).initial_parameters(1, *model.backend())),
      FormatError);
  for (std::size_t p = 0; p < before.size(); ++p) {
    EXPECT_TRUE(test::bits_equal(model.parameters()[p], before[p]));
  }
  const Batch batch = test::random_batch(3, 2, 6, 1);
  const float unlike = model.predict(batch)[0];
  model.set_parameters(other);
  EXPECT_NE(model.predict(batch)[0], unlike);
  for (std::size_t p = 0; p < other.size(); ++p) {
    EXPECT_TRUE(test::bits_equal(model.parameters()[p], other[p]));
  }
}

TEST(Model, SeveralTrainAtOnceToTheBitsOfOneAlone) {
  const auto trained = [](std::uint64_t seed) {
    Model model(test::toy_network({.units = 33}));
    model.compile({.optimizer = Adam{}, .seed = seed, .backend = {.threads = {.threads = 2}}});
    test::ToySource data = test::random_source(6, 1);
    model.fit(data, {.epochs = 2});
    return model;
  };
  std::vector<std::optional<Model>> models(4);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < models.size(); ++i) {
      threads.emplace_back([&, i] { models[i].emplace(trained(i)); });
    }
  }
  for (std::size_t i = 0; i < models.size(); ++i) {
    const Model alone = trained(i);
    for (std::size_t p = 0; p < alone.parameters().size(); ++p) {
      EXPECT_TRUE(test::bits_equal(models[i]->parameters()[p], alone.parameters()[p]));
    }
  }
}

TEST(Model, CanBeMovedWhileItTrains) {
  const auto train = [](Model& model, std::int64_t epochs) {
    test::ToySource data = test::random_source(6, 1);
    model.fit(data, {.epochs = epochs});
  };
  Model stays(test::toy_network()), first(test::toy_network());
  stays.compile({.optimizer = Adam{}});
  first.compile({.optimizer = Adam{}});
  train(stays, 2);
  train(first, 1);
  Model second = std::move(first);
  train(second, 2);
  for (std::size_t p = 0; p < stays.parameters().size(); ++p) {
    EXPECT_TRUE(test::bits_equal(second.parameters()[p], stays.parameters()[p]));
  }
}

}  // namespace
}  // namespace rnn
