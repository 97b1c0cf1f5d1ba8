#include "rnn/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"

namespace rnn {
namespace {

using Kind = Schedule::Kind;
using Unit = Schedule::Unit;

double at_step(const Schedule& schedule, std::int64_t steps, double epochs = 0) {
  return schedule.factor_at({.steps = steps, .epochs = epochs, .total_epochs = 4});
}

TEST(Schedule, ConstantStaysAtOne) {
  EXPECT_EQ(at_step({}, 0), 1);
  EXPECT_EQ(at_step({}, 1000000), 1);
}

TEST(Schedule, StepFallsAtAfterAndEachEvery) {
  const Schedule schedule{.kind = Kind::kStep, .after = 10, .every = 5, .factor = 0.5};
  EXPECT_EQ(at_step(schedule, 9), 1);
  EXPECT_EQ(at_step(schedule, 10), 0.5);
  EXPECT_EQ(at_step(schedule, 14), 0.5);
  EXPECT_EQ(at_step(schedule, 15), 0.25);
  EXPECT_EQ(at_step(schedule, 26), 0.0625);
}

TEST(Schedule, CountsStepsTokensOrEpochs) {
  // Zaremba et al. (2014): from the fifth epoch on the rate is halved after each.
  const Schedule epochs{.kind = Kind::kStep, .unit = Unit::kEpochs, .after = 4, .factor = 0.5};
  const TrainingPosition position{.steps = 7, .tokens = 900, .epochs = 5.25, .total_epochs = 13};
  EXPECT_EQ(epochs.factor_at(position), 0.25);
  EXPECT_EQ(epochs.factor_at({.epochs = 3.99, .total_epochs = 13}), 1);
  const Schedule tokens{.kind = Kind::kStep, .unit = Unit::kTokens, .after = 900, .every = 1e9};
  EXPECT_EQ(tokens.factor_at(position), 0.5);
  EXPECT_EQ(tokens.factor_at({.steps = 7000, .tokens = 899}), 1);
}

TEST(Schedule, PlateauFallsWhenPatienceIsOver) {
  const auto after = [](std::vector<double> losses, int patience, double threshold = 0) {
    const Schedule schedule{
        .kind = Kind::kPlateau, .factor = 0.1, .patience = patience, .threshold = threshold};
    return schedule.factor_at({.validation = losses});
  };
  EXPECT_EQ(after({}, 0), 1);
  EXPECT_EQ(after({5, 4, 3}, 0), 1);
  EXPECT_EQ(after({5, 4, 4}, 0), 0.1);
  EXPECT_EQ(after({5, 4, 4}, 1), 1);
  EXPECT_EQ(after({5, 4, 4, 4.5}, 1), 0.1);
  EXPECT_EQ(after({5, 4, 4, 3, 3.5, 2}, 1), 1);          // a gain starts the count anew
  EXPECT_DOUBLE_EQ(after({5, 4, 4, 4, 4, 4}, 1), 0.01);  // and so does a fall
  EXPECT_EQ(after({100, 99.5}, 0, 0.01), 0.1);           // less than 1 % is no gain
  EXPECT_EQ(after({100, 98.5}, 0, 0.01), 1);
}

TEST(Schedule, CosineGoesFromOneToLast) {
  const Schedule schedule{.kind = Kind::kCosine, .total = 100, .last = 0.2};
  EXPECT_DOUBLE_EQ(at_step(schedule, 0), 1);
  EXPECT_NEAR(at_step(schedule, 25), 0.2 + 0.8 * (1 + std::sqrt(0.5)) / 2, 1e-12);
  EXPECT_NEAR(at_step(schedule, 50), 0.6, 1e-12);
  EXPECT_NEAR(at_step(schedule, 100), 0.2, 1e-12);
  EXPECT_NEAR(at_step(schedule, 500), 0.2, 1e-12);
  // Without a total: over the whole training.
  EXPECT_NEAR(at_step({.kind = Kind::kCosine}, 12345, 2), 0.5, 1e-12);
}

TEST(Schedule, OneCycleRisesThenFalls) {
  const Schedule schedule{
      .kind = Kind::kOneCycle, .total = 100, .first = 0.1, .peak = 0.4, .last = 0.02};
  EXPECT_NEAR(at_step(schedule, 0), 0.1, 1e-12);
  EXPECT_NEAR(at_step(schedule, 20), 0.55, 1e-12);
  EXPECT_NEAR(at_step(schedule, 40), 1, 1e-12);
  EXPECT_NEAR(at_step(schedule, 70), 0.51, 1e-12);
  EXPECT_NEAR(at_step(schedule, 100), 0.02, 1e-12);
  EXPECT_NEAR(at_step({.kind = Kind::kOneCycle, .total = 10, .peak = 0}, 0), 1, 1e-12);
}

TEST(Schedule, WarmUpRisesLinearlyOverEveryKind) {
  const Schedule constant{.warmup = 4};
  EXPECT_EQ(at_step(constant, 0), 0.25);
  EXPECT_EQ(at_step(constant, 2), 0.75);
  EXPECT_EQ(at_step(constant, 3), 1);
  EXPECT_EQ(at_step(constant, 9), 1);
  const Schedule tokens{.unit = Unit::kTokens, .warmup = 1000};
  EXPECT_EQ(tokens.factor_at({.steps = 99, .tokens = 250}), 0.25);
  const Schedule cosine{.kind = Kind::kCosine, .warmup = 10, .total = 20};
  EXPECT_NEAR(at_step(cosine, 4), 0.5 * 0.5 * (1 + std::cos(std::acos(-1.0) * 0.2)), 1e-12);
}

TEST(Schedule, NamesTheOptionThatIsOutOfRange) {
  const auto expect_refused = [](const Schedule& schedule, const char* member) {
    try {
      schedule.validate();
      ADD_FAILURE() << member;
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find(member), std::string::npos) << error.what();
    }
  };
  EXPECT_NO_THROW(Schedule{}.validate());
  expect_refused({.warmup = -1}, "warmup");
  expect_refused({.after = -1}, "after");
  expect_refused({.every = 0}, "every");
  expect_refused({.factor = 0}, "factor");
  expect_refused({.factor = 1.5}, "factor");
  expect_refused({.patience = -1}, "patience");
  expect_refused({.threshold = 1}, "threshold");
  expect_refused({.total = -1}, "total");
  expect_refused({.first = 0}, "first");
  expect_refused({.peak = 1.1}, "peak");
  expect_refused({.last = std::nan("")}, "last");
}

TEST(Schedule, IsReadAsItIsWritten) {
  Schedule schedule{.kind = Kind::kOneCycle,
                    .unit = Unit::kEpochs,
                    .warmup = 1.5,
                    .after = 2,
                    .every = 3,
                    .factor = 0.25,
                    .patience = 4,
                    .threshold = 0.01,
                    .total = 6,
                    .first = 0.5,
                    .peak = 0.75,
                    .last = 0.125};
  Json json = Json::object(), again = Json::object();
  JsonWriter write(json), write_again(again);
  schedule.exchange(write);
  EXPECT_EQ(json["kind"], "one-cycle");
  EXPECT_EQ(json["unit"], "epochs");
  Schedule read;
  JsonReader reader(json, "here");
  read.exchange(reader);
  EXPECT_NO_THROW(reader.finish());
  read.exchange(write_again);
  EXPECT_EQ(again, json);
  json["kind"] = "zigzag";
  JsonReader wrong(json, "here");
  EXPECT_THROW(read.exchange(wrong), ConfigError);
}

}  // namespace
}  // namespace rnn
