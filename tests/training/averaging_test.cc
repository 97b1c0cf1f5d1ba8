#include "rnn/averaging.h"

#include <gtest/gtest.h>

#include "rnn/error.h"
#include "rnn/model.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/temporary_folder.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

using Kind = Averaging::Kind;

Model compiled(const Averaging& averaging, const std::string& backend = "") {
  Model model(test::toy_network({.dropout = 0.2f}));
  model.compile(
      {.optimizer = SGD{.learning_rate = 1}, .averaging = averaging, .backend = {.name = backend}});
  return model;
}

/// The parameters after each step.
class Watch : public Callback {
 public:
  void on_step_end(Model& model, const StepRecord&) override {
    seen.push_back(model.trained_parameters());
  }
  std::vector<Parameters> seen;
};

/// Sum of w_n * p_n of one parameter's element.
double expected(const std::vector<Parameters>& seen, const std::vector<double>& weights,
                std::size_t p, Index i) {
  double sum = 0;
  for (std::size_t n = 0; n < seen.size(); ++n) sum += weights[n] * double{seen[n][p][i]};
  return sum;
}

void expect_average(const Model& model, const std::vector<Parameters>& seen,
                    const std::vector<double>& weights) {
  for (std::size_t p = 0; p < model.parameters().size(); ++p) {
    for (Index i = 0; i < model.parameters()[p].size(); ++i) {
      EXPECT_NEAR(model.parameters()[p][i], expected(seen, weights, p, i), 1e-5)
          << model.parameters().name(p) << i;
    }
  }
}

TEST(Averaging, OfAsgdIsTheMeanOfTheStepsFromItsStart) {
  for (const std::string& backend : test::float_backends()) {
    Model model = compiled({.kind = Kind::kAsgd, .start = 1}, backend);
    test::ToySource data = test::random_source(6, 1, 8, 4);  // two steps an epoch
    Watch watch;
    model.fit(data, {.epochs = 1, .callbacks = {&watch}});
    EXPECT_EQ(&model.parameters(), &model.trained_parameters());
    model.fit(data, {.epochs = 3, .callbacks = {&watch}});
    ASSERT_EQ(watch.seen.size(), 6u);
    expect_average(model, watch.seen, {0, 0, 0.25, 0.25, 0.25, 0.25});
  }
}

TEST(Averaging, OfEmaForgetsAtItsMomentum) {
  Model model = compiled({.kind = Kind::kEma, .momentum = 0.25f});
  test::ToySource data = test::random_source(6, 1, 8, 4);
  Watch watch;
  model.fit(data, {.epochs = 2, .callbacks = {&watch}});
  // m = 2/11, 3/12, 0.25 at the second, third and fourth step.
  const double m1 = 2.0 / 11, m = 0.25;
  expect_average(model, watch.seen, {m1 * m * m, (1 - m1) * m * m, (1 - m) * m, 1 - m});
}

TEST(Averaging, IsWhatEvaluationAndPredictionUse) {
  Model model = compiled({.kind = Kind::kAsgd});
  test::ToySource data = test::random_source(6, 1, 8, 4), valid = test::random_source(6, 2, 8, 4);
  model.fit(data, {.epochs = 3, .validation = &valid});
  Model other = compiled({});
  other.set_parameters(model.parameters());
  EXPECT_EQ(model.history().epochs.back().validation->nats,
            other.evaluate(valid, StatePolicy::kReset).nats);
  other.set_parameters(model.trained_parameters());
  EXPECT_NE(model.evaluate(valid, StatePolicy::kReset).nats,
            other.evaluate(valid, StatePolicy::kReset).nats);
  model.set_parameters(other.parameters());
  EXPECT_EQ(model.evaluate(valid, StatePolicy::kReset).nats,
            other.evaluate(valid, StatePolicy::kReset).nats);
}

TEST(Averaging, TheNonMonotoneTriggerIsThatOfItsPaper) {
  const Averaging averaging{.kind = Kind::kNtAsgd, .non_monotone = 2};
  const auto begun = [&](std::vector<double> losses) { return averaging.begun(9, losses); };
  EXPECT_FALSE(begun({}));
  EXPECT_FALSE(begun({5, 6, 7}));              // nothing is more than two before
  EXPECT_TRUE(begun({5, 6, 7, 5.1}));          // larger than 5
  EXPECT_FALSE(begun({7, 6, 5, 6.5}));         // not larger than 7
  EXPECT_TRUE(begun({7, 6, 5, 6.5, 6.5}));     // larger than 6, the smaller of 7 and 6
  EXPECT_TRUE(begun({7, 6, 5, 6.5, 6.5, 1}));  // once begun it goes on
  EXPECT_FALSE(begun({7, 6, 5, 4, 3, 2}));
}

TEST(Averaging, BeginsByTheValidationLossAndNeedsOne) {
  Model model = compiled({.kind = Kind::kNtAsgd, .non_monotone = 1});
  test::ToySource data = test::random_source(6, 1, 8, 4), valid = test::random_source(6, 2, 8, 4);
  EXPECT_THROW(model.fit(data, {.epochs = 1}), ConfigError);
  std::vector<bool> averaged;
  OnStep watch([&](Model& m, const StepRecord&) {
    averaged.push_back(&m.parameters() != &m.trained_parameters());
  });
  const History& history =
      model.fit(data, {.epochs = 8, .validation = &valid, .callbacks = {&watch}});
  const std::vector<double> losses = history.validation_losses();
  bool some = false;
  for (std::size_t epoch = 0; epoch < 8; ++epoch) {
    const bool begun = Averaging{.kind = Kind::kNtAsgd, .non_monotone = 1}.begun(
        0, std::span(losses).first(epoch));
    EXPECT_EQ(averaged[2 * epoch], begun);
    EXPECT_EQ(averaged[2 * epoch + 1], begun);
    some = some || begun;
  }
  EXPECT_TRUE(some && !averaged[0]);  // noise does not get better and better
}

TEST(Averaging, ResumesExactly) {
  const test::TemporaryFolder folder;
  for (Kind kind : {Kind::kEma, Kind::kAsgd, Kind::kNtAsgd}) {
    const Averaging averaging{.kind = kind, .start = 1, .non_monotone = 1};
    test::ToySource data = test::random_source(6, 1, 8, 4), valid = test::random_source(6, 2, 8, 4);
    Model whole = compiled(averaging);
    whole.fit(data, {.epochs = 5, .validation = &valid});
    for (std::int64_t last = 1; last < 10; last += 2) {
      Model first = compiled(averaging);
      OnStep interrupt([&](Model& m, const StepRecord& record) {
        if (record.steps == last) m.stop("interrupted");
      });
      first.fit(data, {.epochs = 5, .validation = &valid, .callbacks = {&interrupt}});
      first.save_checkpoint(folder.file("c"));
      Model second = compiled(averaging);
      second.load_checkpoint(folder.file("c"));
      second.fit(data, {.epochs = 5, .validation = &valid});
      for (std::size_t p = 0; p < whole.parameters().size(); ++p) {
        EXPECT_TRUE(test::bits_equal(second.parameters()[p], whole.parameters()[p])) << last;
        EXPECT_TRUE(
            test::bits_equal(second.trained_parameters()[p], whole.trained_parameters()[p]));
      }
    }
    Model other = compiled({});
    EXPECT_THROW(other.load_checkpoint(folder.file("c")), FormatError);
  }
}

TEST(Averaging, NamesTheOptionThatIsWrong) {
  EXPECT_THROW(compiled({.momentum = 1}), ConfigError);
  EXPECT_THROW(compiled({.start = -1}), ConfigError);
  EXPECT_THROW(compiled({.non_monotone = 0}), ConfigError);
}

}  // namespace
}  // namespace rnn
