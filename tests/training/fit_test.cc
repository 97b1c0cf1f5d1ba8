// `fit` learns: small tasks that need memory, with bounds that a wrong gradient misses.
#include <gtest/gtest.h>

#include <cmath>

#include "rnn/dense.h"
#include "rnn/model.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

constexpr Index kSymbols = 4;
const double kGuess = std::log(4.0);  // the loss of knowing nothing

/// Random symbols; the target is the symbol of `delay` steps before, across windows too.
test::ToySource delayed_copy(Index delay, Index time, Index window, std::uint64_t seed) {
  return test::ToySource(
      [=](std::int64_t epoch) {
        Batch batch =
            test::random_batch(time, 8, kSymbols, seed + static_cast<std::uint64_t>(epoch));
        for (Index t = 0; t < time; ++t) {
          for (Index b = 0; b < 8; ++b) {
            batch.targets[static_cast<std::size_t>(t * 8 + b)] =
                t < delay ? -1 : batch.ids[static_cast<std::size_t>((t - delay) * 8 + b)];
          }
        }
        return batch;
      },
      window);
}

Model compiled(Cell cell, const std::string& backend, std::uint64_t seed = 1) {
  Model model(test::toy_network({.cell = cell, .symbols = kSymbols, .units = 12}));
  model.compile({.optimizer = Adam{.learning_rate = 0.02f},
                 .clip_norm = 5,
                 .seed = seed,
                 .backend = {.name = backend}});
  return model;
}

class Fit : public ::testing::TestWithParam<Cell> {};

TEST_P(Fit, LearnsToRemember) {
  for (const std::string& name : test::float_backends()) {
    Model model = compiled(GetParam(), name);
    test::ToySource data = delayed_copy(2, 120, 12, 100), valid = delayed_copy(2, 120, 120, 9000);
    EXPECT_GT(model.evaluate(valid, StatePolicy::kCarry).mean(), 0.9 * kGuess);
    const History& history =
        model.fit(data, {.epochs = 25, .validation = &valid, .state = StatePolicy::kCarry});
    EXPECT_LT(history.epochs.back().validation->mean(), 0.05) << "guessing is " << kGuess;
    EXPECT_LT(history.epochs.back().train.mean(), history.epochs.front().train.mean() / 5);
    EXPECT_EQ(model.evaluate(valid, StatePolicy::kCarry).nats,
              history.epochs.back().validation->nats)
        << "validation and evaluate are one function";
  }
}

TEST_P(Fit, LearnsACycleFromItsPredecessor) {
  Model model = compiled(GetParam(), "");
  // 0 1 2 1 0 1 2 1 ...: what follows a 1 depends on what came before it.
  test::ToySource data(
      [](std::int64_t) {
        const std::int32_t cycle[] = {0, 1, 2, 1};
        Batch batch{.time = 40, .batch = 1};
        for (int t = 0; t < 40; ++t) {
          batch.ids.push_back(cycle[t % 4]);
          batch.targets.push_back(cycle[(t + 1) % 4]);
        }
        return batch;
      },
      10);
  const History& history = model.fit(data, {.epochs = 40, .state = StatePolicy::kCarry});
  // Seeing only the last symbol costs log(2) at every other step: 0.35 nats.
  EXPECT_LT(history.epochs.back().train.mean(), 0.05);
}

TEST_P(Fit, CarriesTheStateWhenAskedAndOnlyThen) {
  // Windows of 4 and a delay of 2: half of the answers stand in the window before.
  const auto loss = [&](StatePolicy policy) {
    Model model = compiled(GetParam(), "");
    test::ToySource data = delayed_copy(2, 120, 4, 100);
    return model.fit(data, {.epochs = 25, .state = policy}).epochs.back().train.mean();
  };
  EXPECT_GT(loss(StatePolicy::kReset), 0.45 * kGuess);
  EXPECT_LT(loss(StatePolicy::kCarry), 0.2 * kGuess);
}

INSTANTIATE_TEST_SUITE_P(Cells, Fit, ::testing::ValuesIn(test::kAllCells), test::cell_name);

TEST(Fit, LearnsToCountBrackets) {
  // Symbols are brackets; one target a sequence: is every bracket closed at the end?
  Model model(Sequential({Embedding({.input_dim = 2, .output_dim = 4}),
                          LSTM({.units = 12, .return_sequences = false}), Softmax({.units = 2})}));
  model.compile({.optimizer = Adam{.learning_rate = 0.02f}});
  class Brackets : public BatchSource {
   public:
    bool next(Batch& batch) override {
      if (place_.batch == 20) return false;
      const Index time = 8, sequences = 16;
      batch = test::random_batch(time, sequences, 2,
                                 static_cast<std::uint64_t>(place_.epoch * 20 + place_.batch));
      batch.targets.clear();
      batch.lengths.clear();
      for (Index b = 0; b < sequences; ++b) {
        const Index length = 2 + 2 * (b % 4);
        int open = 0;
        for (Index t = 0; t < length; ++t) {
          std::int32_t& id = batch.ids[static_cast<std::size_t>(t * sequences + b)];
          // Sequences that may still close: half of them would not, by pure chance.
          if (open == length - t) id = 1;
          if (open == 0) id = 0;
          if (b % 2 == 1 && t + 1 == length) id = 0;  // spoilt at the end
          open += id == 0 ? 1 : -1;
        }
        batch.lengths.push_back(static_cast<std::int32_t>(length));
        batch.targets.push_back(open == 0);
      }
      ++place_.batch;
      return true;
    }
    void seek(const Position& position) override { place_ = position; }
    Position position() const override { return place_; }

   private:
    Position place_{};
  } data;
  const History& history = model.fit(data, {.epochs = 12});
  EXPECT_LT(history.epochs.back().train.mean(), 0.1) << "guessing is " << std::log(2.0);
  EXPECT_EQ(history.epochs.back().train.targets, 320);
}

TEST(Fit, FollowsItsSchedule) {
  Model model = compiled(Cell::kGru, "");
  Schedule halve{.kind = Schedule::Kind::kStep, .after = 3, .every = 100, .factor = 0.5};
  model.compile({.optimizer = SGD{.learning_rate = 0.5f}, .schedule = halve});
  std::vector<double> rates;
  OnStep watch([&](Model&, const StepRecord& r) { rates.push_back(r.learning_rate); });
  test::ToySource data = test::random_source(kSymbols, 1, 8, 4);
  const History& history = model.fit(data, {.epochs = 3, .callbacks = {&watch}});
  EXPECT_EQ(rates, (std::vector<double>{0.5, 0.5, 0.5, 0.25, 0.25, 0.25}));
  EXPECT_EQ(history.epochs[0].learning_rate, 0.5);
  EXPECT_EQ(history.epochs[1].learning_rate, 0.25);
}

TEST(Fit, TheSeedDecidesTheModel) {
  const auto trained = [](std::uint64_t seed) {
    Model model = compiled(Cell::kLstm, "", seed);
    test::ToySource data = delayed_copy(1, 24, 12, 1);
    model.fit(data, {.epochs = 2});
    return model.parameters();
  };
  const Parameters one = trained(1), again = trained(1), two = trained(2);
  for (std::size_t p = 0; p < one.size(); ++p) EXPECT_TRUE(test::bits_equal(again[p], one[p]));
  EXPECT_FALSE(test::bits_equal(two.at("lstm/kernel"), one.at("lstm/kernel")));
}

TEST(Fit, AnyNumberOfThreadsTrainsTheSameModel) {
  for (const std::string& name : test::float_backends()) {
    const auto trained = [&](int threads) {
      Model model(test::toy_network({.units = 9, .layers = 2, .dropout = 0.3f}));
      model.compile({.optimizer = Adam{},
                     .clip_norm = 0.5f,
                     .backend = {.name = name, .threads = {.threads = threads}}});
      test::ToySource data = test::random_source(6, 3, 20, 5, 7), valid = test::random_source(6, 4);
      model.fit(data, {.epochs = 2, .validation = &valid, .state = StatePolicy::kCarry});
      return std::pair(model.parameters(), model.history());
    };
    const auto [parameters, history] = trained(1);
    for (int threads : {2, 3}) {
      const auto [others, other_history] = trained(threads);
      for (std::size_t p = 0; p < parameters.size(); ++p) {
        EXPECT_TRUE(test::bits_equal(others[p], parameters[p])) << threads << parameters.name(p);
      }
      for (std::size_t e = 0; e < history.epochs.size(); ++e) {
        EXPECT_EQ(other_history.epochs[e].train.nats, history.epochs[e].train.nats);
        EXPECT_EQ(other_history.epochs[e].validation->nats, history.epochs[e].validation->nats);
        EXPECT_EQ(other_history.epochs[e].gradient_norm, history.epochs[e].gradient_norm);
      }
    }
  }
}

TEST(Fit, RefusesWhatItCannotTrain) {
  Model model(test::toy_network());
  test::ToySource data = test::random_source(6, 1);
  EXPECT_THROW(model.fit(data, {}), ConfigError);  // not compiled
  model.compile({});
  EXPECT_THROW(model.fit(data, {.epochs = -1}), ConfigError);
  test::ToySource nothing([](std::int64_t) { return Batch(); }, 4);
  EXPECT_THROW(model.fit(nothing, {}), TextError);
  EXPECT_EQ(model.fit(data, {.epochs = 0}).epochs.size(), 0u);
  Model headless(Sequential({Dense({.units = 2})}, 3));
  headless.compile({});
  Batch vectors{.time = 2, .batch = 1};
  vectors.values = Tensor(Shape{2, 1, 3});
  EXPECT_EQ(headless.predict(vectors).shape(), (Shape{2, 1, 2}));
}

TEST(Fit, TheRateIsScaledByTheStepsOfItsBatches) {
  const auto rates = [](std::int64_t accumulate, double steps_at_full_rate) {
    Model model(test::toy_network());
    model.compile(
        {.optimizer = SGD{.learning_rate = 2}, .gradient_accumulation_steps = accumulate});
    test::ToySource data = test::random_source(6, 1);  // windows of 4, 4, 4 and 2 steps
    std::vector<double> found;
    OnStep watch([&](Model&, const StepRecord& step) { found.push_back(step.learning_rate); });
    model.fit(data, {.steps_at_full_rate = steps_at_full_rate, .callbacks = {&watch}});
    return found;
  };
  EXPECT_EQ(rates(1, 0), (std::vector<double>{2, 2, 2, 2}));
  EXPECT_EQ(rates(1, 8), (std::vector<double>{1, 1, 1, 0.5}));
  EXPECT_EQ(rates(2, 8), (std::vector<double>{1, 0.75}));
  EXPECT_EQ(rates(3, 4), (std::vector<double>{2, 1})) << "the last has one batch alone";
  EXPECT_THROW(rates(1, -1), ConfigError);
  EXPECT_THROW(rates(1, std::nan("")), ConfigError);
}

}  // namespace
}  // namespace rnn
