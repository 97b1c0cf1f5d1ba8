// What a divergence leaves on the disk, and how training goes on from there.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "support/compare.h"
#include "support/diverging.h"
#include "support/random_values.h"
#include "support/temporary_folder.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

using test::Overflow;
using test::recovering;
using test::SometimesBad;
using test::Told;

TEST(DivergenceRecovery, GoesBackToTheCheckpointWithALowerRate) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c"), .every_steps = 4};
  Model model = recovering(OnDivergence::kRestore);
  // As a learning rate that is too large would: bad until it has come down twice.
  class BadUntil : public SometimesBad {
   public:
    explicit BadUntil(const int& calm) : SometimesBad({}), calm_(calm) {}
    bool next(Batch& batch) override {
      if (!SometimesBad::next(batch)) return false;
      if (calm_ < 2 && position() == Position{1, 4}) {
        batch.values[0] = std::numeric_limits<float>::quiet_NaN();
      }
      return true;
    }

   private:
    const int& calm_;
  };
  int calm = 0;
  BadUntil data(calm);
  std::vector<std::pair<std::int64_t, double>> rates;
  class Calm : public Told {
   public:
    explicit Calm(int& calm) : calm_(calm) {}
    void on_divergence(Model& model, const std::string& what) override {
      Told::on_divergence(model, what);
      ++calm_;
    }

   private:
    int& calm_;
  } told(calm);
  OnStep watch([&](Model&, const StepRecord& r) { rates.emplace_back(r.steps, r.learning_rate); });
  const History& history =
      model.fit(data, {.epochs = 2, .checkpoint = &checkpoint, .callbacks = {&told, &watch}});
  ASSERT_EQ(told.messages.size(), 2u);
  EXPECT_NE(told.messages[0].find("step 10"), std::string::npos) << told.messages[0];
  EXPECT_NE(told.messages[0].find("going on from step 8"), std::string::npos) << told.messages[0];
  EXPECT_NE(told.messages[1].find("times 0.25"), std::string::npos) << told.messages[1];
  std::vector<std::int64_t> steps;
  for (const auto& [step, rate] : rates) steps.push_back(step);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 10, 11, 12}));
  EXPECT_FLOAT_EQ(static_cast<float>(rates[8].second), 0.01f);
  EXPECT_FLOAT_EQ(static_cast<float>(rates[9].second), 0.005f);
  EXPECT_FLOAT_EQ(static_cast<float>(rates.back().second), 0.0025f);
  EXPECT_EQ(history.epochs.back().steps, 12);
  // And the lower rate is in the checkpoint.
  Model again = recovering(OnDivergence::kRestore);
  again.load_checkpoint(checkpoint.path);
  OnStep last([&](Model&, const StepRecord& r) { rates.emplace_back(r.steps, r.learning_rate); });
  again.fit(data, {.epochs = 3, .checkpoint = &checkpoint, .callbacks = {&last}});
  EXPECT_FLOAT_EQ(static_cast<float>(rates.back().second), 0.0025f);
}

TEST(DivergenceRecovery, GivesUpGoingBackAndNeedsACheckpoint) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c")};
  SometimesBad data({0});
  Told told;
  EXPECT_THROW(recovering(OnDivergence::kRestore)
                   .fit(data, {.epochs = 2, .checkpoint = &checkpoint, .callbacks = {&told}}),
               DivergenceError);
  EXPECT_EQ(told.messages.size(), 10u);
  EXPECT_THROW(recovering(OnDivergence::kRestore).fit(data, {}), ConfigError);
}

/// The message with which training diverges.
std::string divergence_of(Model& model, BatchSource& data, const FitOptions& options) {
  try {
    model.fit(data, options);
  } catch (const DivergenceError& error) {
    return error.what();
  }
  return "it did not diverge";
}

void expect_parts(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "\"" << part << "\" not in: " << message;
  }
}

TEST(DivergenceRecovery, ThatStopsLeavesTheStateBeforeTheStepOnTheDisk) {
  for (StatePolicy policy : {StatePolicy::kReset, StatePolicy::kCarry}) {
    const test::TemporaryFolder folder;
    const CheckpointOptions checkpoint{.path = folder.file("c")};
    Model model = recovering(OnDivergence::kStop);
    SometimesBad bad({1}), good({});
    const std::string message =
        divergence_of(model, bad, {.epochs = 3, .state = policy, .checkpoint = &checkpoint});
    expect_parts(message, {"step 9", checkpoint.path + " is of step 8", "before it of step 6"});
    // Where nothing was wrong with the data after all, nothing is lost: not even a bit.
    Model whole = recovering(OnDivergence::kStop), resumed = recovering(OnDivergence::kStop);
    whole.fit(good, {.epochs = 3, .state = policy});
    resumed.load_checkpoint(checkpoint.path);
    resumed.fit(good, {.epochs = 3, .state = policy, .checkpoint = &checkpoint});
    for (std::size_t p = 0; p < whole.parameters().size(); ++p) {
      EXPECT_TRUE(test::bits_equal(resumed.parameters()[p], whole.parameters()[p]))
          << whole.parameters().name(p);
    }
  }
}

TEST(DivergenceRecovery, AtOnceAfterAResumePushesNoCheckpointOut) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c")};
  SometimesBad bad({1});
  Model model = recovering(OnDivergence::kStop);
  divergence_of(model, bad, {.epochs = 3, .checkpoint = &checkpoint});
  for (int i = 0; i < 3; ++i) {
    Model again = recovering(OnDivergence::kStop, 1e-4f);
    again.load_checkpoint(checkpoint.path);
    expect_parts(divergence_of(again, bad, {.epochs = 3, .checkpoint = &checkpoint}),
                 {"is of step 8", "before it of step 6", "remove the newer"});
  }
}

TEST(DivergenceRecovery, SaysThatThereIsNoCheckpointYet) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c")};
  class BadAtOnce : public SometimesBad {
   public:
    BadAtOnce() : SometimesBad({}) {}
    bool next(Batch& batch) override {
      const bool more = SometimesBad::next(batch);
      if (more) batch.values[0] = std::numeric_limits<float>::quiet_NaN();
      return more;
    }
  } bad;
  for (OnDivergence policy : {OnDivergence::kStop, OnDivergence::kSkip}) {
    Model model = recovering(policy);
    expect_parts(divergence_of(model, bad, {.epochs = 3, .checkpoint = &checkpoint}),
                 {"no checkpoint was written yet"});
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST(DivergenceRecovery, OfAnUpdateThatOverflowsIsCaughtBeforeItIsSaved) {
  // In the middle of an epoch with a checkpoint due, at the end of one, and at a stop.
  for (const std::int64_t step : {8, 12, 9}) {
    for (OnDivergence policy : {OnDivergence::kStop, OnDivergence::kSkip, OnDivergence::kRestore}) {
      const test::TemporaryFolder folder;
      const CheckpointOptions checkpoint{.path = folder.file("c"), .every_steps = 2};
      Model model = recovering(policy);
      SometimesBad good({});
      Overflow overflow(step);
      Told told;
      OnStep stop([&](Model& m, const StepRecord& record) {
        if (record.steps == 9) m.stop("enough");
      });
      FitOptions options{.epochs = 3, .checkpoint = &checkpoint, .callbacks = {&overflow, &told}};
      if (step == 9) options.callbacks.push_back(&stop);
      const std::string before = step == 12 ? "10" : step == 8 ? "6" : "8";
      if (policy == OnDivergence::kRestore) {
        model.fit(good, options);
        ASSERT_EQ(told.messages.size(), 1u);
        expect_parts(told.messages[0],
                     {"step " + std::to_string(step), "learning rate 0.01", "gradient norm ",
                      "not finite after it: softmax/bias", "going on from step " + before});
      } else {
        expect_parts(divergence_of(model, good, options),
                     {"step " + std::to_string(step), "learning rate 0.01", "gradient norm ",
                      "not finite after it: softmax/bias", "is of step " + before});
        model.load_checkpoint(checkpoint.path);
      }
      EXPECT_TRUE(std::isfinite(model.parameters().at("softmax/bias")[1]));
    }
  }
}

TEST(DivergenceRecovery, RightAfterACheckpointGoesBackToTheOneBefore) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c"), .every_steps = 2};
  class BadNinth : public SometimesBad {
   public:
    BadNinth() : SometimesBad({}) {}
    bool next(Batch& batch) override {
      const bool more = SometimesBad::next(batch);
      if (position() == Position{1, 3} && times > 0) {
        --times;
        batch.values[0] = std::numeric_limits<float>::quiet_NaN();
      }
      return more;
    }
    int times = 1;
  } data;
  Model model = recovering(OnDivergence::kRestore);
  Told told;
  model.fit(data, {.epochs = 3, .checkpoint = &checkpoint, .callbacks = {&told}});
  ASSERT_EQ(told.messages.size(), 1u);
  expect_parts(told.messages[0], {"step 9", "going on from step 6"});
  EXPECT_EQ(model.history().epochs.back().steps, 18);
}

/// A training that diverges where its learning rate has not come down `calm` times yet, so that it
/// comes to the same place however often it is taken up again.
class BadWhileFast : public SometimesBad {
 public:
  explicit BadWhileFast(std::vector<Position> places)
      : SometimesBad({}), places_(std::move(places)) {}
  bool next(Batch& batch) override {
    const bool more = SometimesBad::next(batch);
    if (more && halved < places_.size() && position() == places_[halved]) {
      batch.values[0] = std::numeric_limits<float>::quiet_NaN();
    }
    return more;
  }
  std::size_t halved = 0;

 private:
  std::vector<Position> places_;
};

/// Trains, stopped after each of these steps and taken up again; says what it was told.
std::vector<std::string> train_in_parts(const CheckpointOptions& checkpoint,
                                        std::set<std::int64_t> stops,
                                        const std::vector<BatchSource::Position>& bad,
                                        std::optional<Model>& model) {
  BadWhileFast data(bad);
  class Count : public Told {
   public:
    explicit Count(std::size_t& halved) : halved_(halved) {}
    void on_divergence(Model& model, const std::string& what) override {
      Told::on_divergence(model, what);
      ++halved_;
    }

   private:
    std::size_t& halved_;
  } told(data.halved);
  OnStep stop([&](Model& m, const StepRecord& record) {
    if (stops.erase(record.steps) > 0) m.stop("enough");
  });
  SometimesBad valid({});
  do {
    model.emplace(recovering(OnDivergence::kRestore));
    if (find_checkpoint(checkpoint.path)) model->load_checkpoint(checkpoint.path);
    model->fit(data, {.epochs = 3,
                      .validation = &valid,
                      .checkpoint = &checkpoint,
                      .callbacks = {&told, &stop}});
  } while (!model->stopped().empty());
  return told.messages;
}

TEST(DivergenceRecovery, GoesBackToTheSamePlaceWhoeverStoppedTheTraining) {
  struct Way {
    std::int64_t every_steps, every_epochs;
    BatchSource::Position bad, then;
  };
  for (const auto& [every_steps, every_epochs, bad, then] :
       std::vector<Way>{{0, 1, {0, 4}, {0, 4}},
                        {0, 1, {1, 1}, {1, 1}},
                        {4, 1, {1, 3}, {1, 3}},
                        {4, 0, {1, 1}, {1, 1}},
                        {0, 0, {1, 4}, {1, 4}},
                        {4, 1, {0, 6}, {0, 5}},     // the first step after it went back
                        {4, 1, {1, 4}, {1, 3}}}) {  // likewise
    SCOPED_TRACE(std::to_string(every_steps) + " steps, " + std::to_string(every_epochs) +
                 " epochs, bad at " + std::to_string(6 * bad.epoch + bad.batch));
    const test::TemporaryFolder folder;
    CheckpointOptions checkpoint{
        .path = folder.file("whole"), .every_steps = every_steps, .every_epochs = every_epochs};
    std::optional<Model> whole, parts;
    const std::vector<std::string> told = train_in_parts(checkpoint, {}, {bad, then}, whole);
    ASSERT_EQ(told.size(), 2u);
    // Stopped some steps before it diverges, and after each step, with a checkpoint by the clock.
    const std::int64_t step = 6 * bad.epoch + bad.batch;
    for (const std::set<std::int64_t>& stops :
         {std::set{step - 2}, std::set{step - 3, step - 2}, std::set{step - 1, step, step + 1}}) {
      const test::TemporaryFolder again;
      checkpoint = {.path = again.file("parts"),
                    .every_steps = every_steps,
                    .every_minutes = stops.size() == 3 ? 1e-12 : 0,
                    .every_epochs = every_epochs};
      EXPECT_EQ(train_in_parts(checkpoint, stops, {bad, then}, parts), told);
      for (std::size_t p = 0; p < whole->parameters().size(); ++p) {
        EXPECT_TRUE(test::bits_equal(parts->parameters()[p], whole->parameters()[p]))
            << whole->parameters().name(p);
      }
    }
  }
}

TEST(DivergenceRecovery, TellsWhyItGoesBackFurther) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c"), .every_steps = 2};
  Model model = recovering(OnDivergence::kRestore);
  SometimesBad data({});
  Overflow overflow(9);
  OnStep damage([&](Model&, const StepRecord& record) {
    if (record.steps == 9) write_file(checkpoint.path, "damaged");
  });
  Told told;
  model.fit(data,
            {.epochs = 2, .checkpoint = &checkpoint, .callbacks = {&damage, &overflow, &told}});
  ASSERT_GE(told.messages.size(), 1u);
  expect_parts(told.messages[0],
               {checkpoint.path, "going on from the checkpoint before it", "going on from step 6"});
}

TEST(DivergenceRecovery, InTheValidationNeverMakesABestModel) {
  for (OnDivergence policy : {OnDivergence::kStop, OnDivergence::kRestore}) {
    for (const std::int64_t bad_epoch : {1, 2}) {
      const test::TemporaryFolder folder;
      const CheckpointOptions checkpoint{.path = folder.file("c")};
      Model model = recovering(policy);
      SometimesBad data({});
      // Bad in the validation after that epoch.
      class Bad : public SometimesBad {
       public:
        Bad(const Model& model, std::int64_t epoch)
            : SometimesBad({}), model_(model), epoch_(epoch) {}
        bool next(Batch& batch) override {
          const bool more = SometimesBad::next(batch);
          const auto epoch = static_cast<std::int64_t>(model_.history().epochs.size()) + 1;
          if (epoch == epoch_ && more) batch.values[4] = std::nanf("");
          return more;
        }

       private:
        const Model& model_;
        std::int64_t epoch_;
      } valid(model, bad_epoch);
      std::vector<std::size_t> saved;
      BestModel best([&](const Model&, const History& h) { saved.push_back(h.epochs.size()); });
      Told told;
      const std::string message = divergence_of(model, data,
                                                {.epochs = 3,
                                                 .validation = &valid,
                                                 .checkpoint = &checkpoint,
                                                 .callbacks = {&best, &told}});
      const std::string step = std::to_string(6 * bad_epoch);
      expect_parts(message, {"step " + step, "validation after epoch", "gradient norm ",
                             "learning rate ", "all parameters are finite"});
      EXPECT_EQ(saved, bad_epoch == 1 ? std::vector<std::size_t>{} : std::vector<std::size_t>{1});
      if (policy == OnDivergence::kRestore) {
        EXPECT_EQ(told.messages.size(), 10u);
      }
      if (policy == OnDivergence::kStop) {
        expect_parts(message, {bad_epoch == 1 ? "no checkpoint was written yet" : "is of step 6"});
      }
    }
  }
}

TEST(DivergenceRecovery, OfEveryStepOfAnEpochCanBeGoneOnFrom) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c"), .every_epochs = 0};
  class BadEpoch : public SometimesBad {
   public:
    BadEpoch() : SometimesBad({}) {}
    bool next(Batch& batch) override {
      const bool more = SometimesBad::next(batch);
      if (more && bad && position().epoch == 1) {
        batch.values[0] = std::numeric_limits<float>::quiet_NaN();
      }
      return more;
    }
    bool bad = true;
  } data;
  Model model = recovering(OnDivergence::kSkip);
  expect_parts(divergence_of(model, data, {.epochs = 3, .checkpoint = &checkpoint}),
               {"every step of epoch 2", "is of step 6"});
  data.bad = false;
  Model resumed = recovering(OnDivergence::kSkip);
  resumed.load_checkpoint(checkpoint.path);
  resumed.fit(data, {.epochs = 3, .checkpoint = &checkpoint});
  EXPECT_EQ(resumed.history().epochs.back().steps, 18);
}

TEST(DivergenceRecovery, AnotherLearningRateIsTakenInFull) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c")};
  SometimesBad data({});
  Overflow overflow(9);
  recovering(OnDivergence::kRestore)
      .fit(data, {.epochs = 2, .checkpoint = &checkpoint, .callbacks = {&overflow}});
  for (const auto& [rate, expected] :
       std::vector<std::pair<float, float>>{{0.01f, 0.005f}, {0.002f, 0.002f}}) {
    Model resumed = recovering(OnDivergence::kStop, rate);
    resumed.load_checkpoint(checkpoint.path);
    const History& history = resumed.fit(data, {.epochs = 3});
    EXPECT_FLOAT_EQ(static_cast<float>(history.epochs.back().learning_rate), expected);
  }
}

TEST(DivergenceRecovery, AfterGoingBackTooOftenAnotherClippingIsARemedy) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c")};
  SometimesBad bad({1}), good({});
  Model model = recovering(OnDivergence::kRestore);
  expect_parts(divergence_of(model, bad, {.epochs = 2, .checkpoint = &checkpoint}),
               {"going back to a checkpoint 10 times"});
  for (const auto& [norm, value] : std::vector<std::pair<float, float>>{{0.5f, 0}, {0, 0.1f}}) {
    Model resumed(Sequential({LSTM({.units = 4}), Softmax({.units = 6})}, 3));
    resumed.compile(
        {.optimizer = Adam{.learning_rate = 0.01f}, .clip_norm = norm, .clip_value = value});
    resumed.load_checkpoint(checkpoint.path);
    const History& history = resumed.fit(good, {.epochs = 3});
    EXPECT_FLOAT_EQ(static_cast<float>(history.epochs.back().learning_rate), 0.01f);
  }
}

TEST(DivergenceRecovery, NeverGoesBackToWhatAnotherTrainingLeft) {
  const test::TemporaryFolder folder;
  const CheckpointOptions checkpoint{.path = folder.file("c"), .every_epochs = 0};
  SometimesBad good({});
  Model stranger = recovering(OnDivergence::kStop);
  stranger.fit(good, {.epochs = 2, .checkpoint = &checkpoint});
  for (const bool damaged : {false, true}) {
    class BadAtOnce : public SometimesBad {
     public:
      explicit BadAtOnce(std::function<void()> and_then)
          : SometimesBad({}), and_then_(std::move(and_then)) {}
      bool next(Batch& batch) override {
        const bool more = SometimesBad::next(batch);
        if (more && std::exchange(bad_, false)) {
          batch.values[0] = std::numeric_limits<float>::quiet_NaN();
          and_then_();
        }
        return more;
      }

     private:
      std::function<void()> and_then_;
      bool bad_ = true;
    } data([&] {
      if (damaged) write_file(checkpoint.path, "damaged");
    });
    Model model = recovering(OnDivergence::kRestore);
    Told told;
    const FitOptions options{.epochs = 1, .checkpoint = &checkpoint, .callbacks = {&told}};
    if (damaged) {
      expect_parts(divergence_of(model, data, options), {"step 1", checkpoint.path});
      continue;
    }
    model.fit(data, options);
    ASSERT_EQ(told.messages.size(), 1u);
    expect_parts(told.messages[0], {"step 1", "going on from step 0"});
    EXPECT_EQ(model.history().epochs.back().steps, 6);
  }
}

TEST(DivergenceRecovery, NeverReachesACheckpoint) {
  const test::TemporaryFolder folder;
  Model model = recovering(OnDivergence::kStop);
  model.save_checkpoint(folder.file("c"));
  TensorList values = model.parameters();
  values.at("softmax/bias")[2] = std::numeric_limits<float>::quiet_NaN();
  model.set_parameters(values);
  try {
    model.save_checkpoint(folder.file("c"));
    FAIL() << "saved what is not finite";
  } catch (const DivergenceError& error) {
    EXPECT_NE(std::string(error.what()).find("softmax/bias"), std::string::npos) << error.what();
  }
  EXPECT_NO_THROW(model.load_checkpoint(folder.file("c")));
}

}  // namespace
}  // namespace rnn
