// A loss, gradient or parameter that is no number: caught in its step, named, and skipped if asked.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
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

using test::recovering;
using test::SometimesBad;
using test::Told;

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
      EXPECT_NE(message.find("gradient norm nan"), std::string::npos) << message;
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
    EXPECT_NE(message.find("loss nan, gradient norm nan, learning rate"), std::string::npos)
        << message;
    EXPECT_NE(message.find("parameter that is not finite: softmax/bias"), std::string::npos)
        << message;
  }
}

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

}  // namespace
}  // namespace rnn
