#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "rnn/error.h"
#include "rnn/model.h"
#include "support/compare.h"
#include "support/random_values.h"
#include "support/temporary_folder.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

/// Vectors with one bad number in the third batch.
class BadThirdBatch : public BatchSource {
 public:
  explicit BadThirdBatch(float bad) : bad_(bad) {}
  bool next(Batch& batch) override {
    if (place_.batch == 5) return false;
    batch = test::random_batch(4, 2, 6, 7 + static_cast<std::uint64_t>(place_.batch));
    batch.ids.clear();
    batch.values = test::random_values<float>({4, 2, 3}, Random(5));
    if (place_.batch == 2) batch.values[4] = bad_;
    ++place_.batch;
    return true;
  }
  void seek(const Position& position) override { place_ = position; }
  Position position() const override { return place_; }

 private:
  float bad_;
  Position place_{};
};

TEST(Divergence, NamesStepAndGradientAndLeavesParametersAsTheyWere) {
  for (float clip_value : {0.0f, 0.1f}) {
    Model model(Sequential({LSTM({.units = 4}), Softmax({.units = 6})}, 3));
    model.compile({.optimizer = Adam{}, .clip_norm = 1, .clip_value = clip_value});
    Parameters last;
    OnStep watch([&](Model& m, const StepRecord&) { last = m.parameters(); });
    BadThirdBatch data(std::nanf(""));
    try {
      model.fit(data, {.epochs = 3, .callbacks = {&watch}});
      FAIL() << "a loss that is no number went unnoticed";
    } catch (const DivergenceError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("step 3"), std::string::npos) << message;
      EXPECT_NE(message.find("gradient that is not finite: lstm/kernel"), std::string::npos)
          << message;
      EXPECT_NE(message.find("learning rate 0.001"), std::string::npos) << message;
    }
    for (std::size_t p = 0; p < last.size(); ++p) {
      EXPECT_TRUE(test::bits_equal(model.parameters()[p], last[p])) << last.name(p);
    }
  }
}

TEST(Divergence, NamesTheParameterThatIsNotFinite) {
  Model model(test::toy_network());
  model.compile({});
  TensorList values = model.parameters();
  values.at("softmax/bias")[2] = std::numeric_limits<float>::quiet_NaN();
  model.set_parameters(values);
  test::ToySource data = test::random_source(6, 1);
  try {
    model.fit(data, {});
    FAIL() << "a loss that is no number went unnoticed";
  } catch (const DivergenceError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("step 1"), std::string::npos) << message;
    EXPECT_NE(message.find("parameter that is not finite: softmax/bias"), std::string::npos)
        << message;
  }
}

/// Six batches an epoch, with a bad number in the third of them in the epochs named.
class SometimesBad : public BatchSource {
 public:
  explicit SometimesBad(std::set<std::int64_t> epochs) : epochs_(std::move(epochs)) {}
  bool next(Batch& batch) override {
    if (place_.batch == 6) return false;
    batch =
        test::random_batch(4, 2, 6, static_cast<std::uint64_t>(10 * place_.epoch + place_.batch));
    batch.ids.clear();
    batch.values = test::random_values<float>({4, 2, 3}, Random(5));
    const bool bad = place_.batch == 2 && epochs_.contains(place_.epoch);
    if (bad) batch.values[4] = std::numeric_limits<float>::infinity();
    ++place_.batch;
    return true;
  }
  void seek(const Position& position) override { place_ = position; }
  Position position() const override { return place_; }

 private:
  std::set<std::int64_t> epochs_;
  Position place_{};
};

Model recovering(OnDivergence what, float learning_rate = 0.01f) {
  Model model(Sequential({LSTM({.units = 4}), Softmax({.units = 6})}, 3));
  model.compile({.optimizer = Adam{.learning_rate = learning_rate}, .on_divergence = what});
  return model;
}

/// What it was told.
class Told : public Callback {
 public:
  void on_divergence(Model&, const std::string& what) override { messages.push_back(what); }
  std::vector<std::string> messages;
};

TEST(Divergence, OfAStepThatIsSkippedLeavesNoTrace) {
  for (StatePolicy policy : {StatePolicy::kReset, StatePolicy::kCarry}) {
    Model model = recovering(OnDivergence::kSkip);
    SometimesBad data({1});
    Told told;
    const History& history = model.fit(data, {.epochs = 3, .state = policy, .callbacks = {&told}});
    ASSERT_EQ(told.messages.size(), 1u);
    EXPECT_NE(told.messages[0].find("step 9"), std::string::npos) << told.messages[0];
    EXPECT_NE(told.messages[0].find("skipped"), std::string::npos);
    EXPECT_EQ(history.epochs[1].steps, 11);
    EXPECT_EQ(history.epochs[1].train.targets, 40);
    EXPECT_EQ(history.epochs[2].steps, 17);
    EXPECT_TRUE(std::isfinite(history.epochs[2].train.nats));
  }
}

TEST(Divergence, ThatIsNotWorthSkippingStops) {
  // Every batch is bad.
  class Hopeless : public SometimesBad {
   public:
    Hopeless() : SometimesBad({}) {}
    bool next(Batch& batch) override {
      if (!SometimesBad::next(batch)) return false;
      batch.values[0] = std::numeric_limits<float>::quiet_NaN();
      return true;
    }
  } hopeless;
  Told told;
  EXPECT_THROW(recovering(OnDivergence::kSkip).fit(hopeless, {.epochs = 9, .callbacks = {&told}}),
               DivergenceError);
  EXPECT_LE(told.messages.size(), 10u);
  // Nothing can be skipped that mends a parameter.
  Model broken = recovering(OnDivergence::kSkip);
  TensorList values = broken.parameters();
  values.at("softmax/bias")[2] = std::numeric_limits<float>::quiet_NaN();
  broken.set_parameters(values);
  SometimesBad data({});
  EXPECT_THROW(broken.fit(data, {}), DivergenceError);
}

TEST(Divergence, GoesBackToTheCheckpointWithALowerRate) {
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

TEST(Divergence, GivesUpGoingBackAndNeedsACheckpoint) {
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

TEST(Divergence, NeverReachesACheckpoint) {
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
