// The small calls around fit: train_on_batch, clone, score, validation_split.
#include <gtest/gtest.h>

#include "rnn/dense.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "rnn/sigmoid.h"
#include "support/compare.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

Model compiled() {
  Model model(test::toy_network({.dropout = 0.2f}));
  model.compile({.optimizer = Adam{.learning_rate = 0.02f}, .clip_norm = 1, .seed = 5});
  return model;
}

TEST(TrainOnBatch, IsAStepOfFit) {
  Model by_fit = compiled(), by_hand = compiled();
  test::ToySource data = test::random_source(6, 1);
  std::vector<StepRecord> steps;
  OnStep watch([&](Model&, const StepRecord& record) { steps.push_back(record); });
  by_fit.fit(data, {.epochs = 1, .state = StatePolicy::kCarry, .callbacks = {&watch}});
  data.seek({});
  Batch batch;
  for (const StepRecord& expected : steps) {
    ASSERT_TRUE(data.next(batch));
    const StepRecord record = by_hand.train_on_batch(batch, StatePolicy::kCarry);
    EXPECT_EQ(record.steps, expected.steps);
    EXPECT_EQ(record.loss.nats, expected.loss.nats);
    EXPECT_EQ(record.gradient_norm, expected.gradient_norm);
  }
  for (std::size_t p = 0; p < by_fit.parameters().size(); ++p) {
    EXPECT_TRUE(test::bits_equal(by_hand.parameters()[p], by_fit.parameters()[p]));
  }
}

TEST(Clone, IsUntrainedAndLearnsTheSame) {
  Model first = compiled();
  test::ToySource data = test::random_source(6, 1);
  first.fit(data, {.epochs = 2});
  Model second = first.clone();
  EXPECT_TRUE(second.history().epochs.empty());
  second.fit(data, {.epochs = 2});
  for (std::size_t p = 0; p < first.parameters().size(); ++p) {
    EXPECT_TRUE(test::bits_equal(second.parameters()[p], first.parameters()[p]));
  }
  EXPECT_THROW(Model(test::toy_network()).clone().parameters().at("none"), ConfigError);
}

TEST(Score, IsTheShareOfTargetsThatAreTheMostProbableClass) {
  // What comes next is what came: a perfect model of it, a useless one, and one that is half right.
  test::ToySource same(
      [](std::int64_t) {
        Batch batch = test::random_batch(12, 3, 4, 1);
        batch.targets = batch.ids;
        for (std::size_t i = 0; i < 6; ++i) batch.targets[i] = -1;
        return batch;
      },
      5);
  Model model(Sequential(
      {Embedding({.input_dim = 4, .output_dim = 4}), Softmax({.units = 4, .use_bias = false})}));
  model.compile({});
  Parameters values = model.parameters();
  for (NamedTensor& entry : values) {
    entry.tensor.fill(0);
    for (Index i = 0; i < 4; ++i) entry.tensor[5 * i] = 1;
  }
  model.set_parameters(values);
  EXPECT_EQ(model.score(same), 1);
  values.at("softmax/kernel").fill(0);
  values.at("softmax/kernel")[3] = 1;  // symbol 0 becomes class 3; all others tie: class 0
  model.set_parameters(values);
  EXPECT_EQ(model.score(same), 0);
}

TEST(Score, OfLabelsCountsEachOfThem) {
  Model model(Sequential({Dense({.units = 1}), Sigmoid({.units = 2, .use_bias = false})}, 1));
  model.compile({});
  Parameters values = model.parameters();
  values.at("dense/kernel")[0] = 1;
  values.at("dense/bias")[0] = 0;
  values.at("sigmoid/kernel")[0] = 1;   // the first label: is the number positive
  values.at("sigmoid/kernel")[1] = -1;  // the second: is it negative
  model.set_parameters(values);
  class Numbers : public BatchSource {
   public:
    bool next(Batch& batch) override {
      if (place_.batch++ > 0) return false;
      batch = {.time = 1, .batch = 3, .targets = {1, 1, 0, 1, -1, 1}};
      batch.values = Tensor(Shape{1, 3, 1});
      batch.values[0] = 2;   // labels 1 0: one of two is right
      batch.values[1] = -2;  // labels 0 1: both are
      batch.values[2] = 3;   // labels 1 0: the first is masked, the second wrong
      return true;
    }
    void seek(const Position& position) override { place_ = position; }
    Position position() const override { return place_; }

   private:
    Position place_{};
  } numbers;
  EXPECT_DOUBLE_EQ(model.score(numbers), 3.0 / 5);
}

TEST(ValidationSplit, AsksTheSource) {
  class Divisible : public BatchSource {
   public:
    explicit Divisible(std::int64_t first, std::int64_t last) : first_(first), last_(last) {}
    bool next(Batch& batch) override {
      if (first_ + place_.batch >= last_) return false;
      batch = test::random_batch(5, 2, 6, static_cast<std::uint64_t>(first_ + place_.batch++));
      return true;
    }
    void seek(const Position& position) override { place_ = position; }
    Position position() const override { return place_; }
    std::unique_ptr<BatchSource> hold_out(double share) override {
      last_ = 10 - static_cast<std::int64_t>(10 * share);
      return std::make_unique<Divisible>(last_, 10);
    }

   private:
    std::int64_t first_, last_;
    Position place_{};
  } data(0, 10);
  Model model = compiled();
  const History& history = model.fit(data, {.epochs = 2, .validation_split = 0.3});
  EXPECT_EQ(history.epochs.back().train.targets, 70);
  EXPECT_EQ(history.epochs.back().validation->targets, 30);
  EXPECT_EQ(history.epochs.back().steps, 14);
  EXPECT_THROW(model.fit(data, {.validation = &data, .validation_split = 0.3}), ConfigError);
  EXPECT_THROW(model.fit(data, {.validation_split = 1}), ConfigError);
  test::ToySource whole = test::random_source(6, 1);
  EXPECT_THROW(model.fit(whole, {.validation_split = 0.5}), ConfigError);
}

}  // namespace
}  // namespace rnn
