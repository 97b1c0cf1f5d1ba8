// What Model::plan_training says before a training, against what the training then takes from the
// memory resource.
#include <gtest/gtest.h>

#include <memory_resource>

#include "rnn/model.h"
#include "support/counting_memory.h"
#include "support/for_each_backend.h"
#include "support/spelling_network.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

/// A plan leaves out the states carried from batch to batch and what a step makes of them.
constexpr double kTolerance = 0.05;

/// While it lives, tensors come from a resource that counts.
class CountedTensors {
 public:
  CountedTensors() : before_(std::pmr::set_default_resource(&memory_)) {}
  ~CountedTensors() { std::pmr::set_default_resource(before_); }
  CountedTensors(const CountedTensors&) = delete;
  CountedTensors& operator=(const CountedTensors&) = delete;

  const test::CountingMemory& memory() const { return memory_; }

 private:
  test::CountingMemory memory_;
  std::pmr::memory_resource* before_;
};

/// These batches in every epoch.
class GivenBatches : public BatchSource {
 public:
  explicit GivenBatches(std::vector<Batch> batches) : batches_(std::move(batches)) {}
  bool next(Batch& batch) override {
    if (place_.batch == static_cast<std::int64_t>(batches_.size())) return false;
    batch = batches_[static_cast<std::size_t>(place_.batch++)];
    return true;
  }
  void seek(const Position& position) override { place_ = position; }
  Position position() const override { return place_; }

 private:
  std::vector<Batch> batches_;
  Position place_{};
};

Network network() {
  return test::toy_network({.symbols = 300, .units = 64, .layers = 2, .dropout = 0.2f});
}

TEST(MemoryPlan, IsWhatATrainingHoldsAtMost) {
  for (const std::string& name : test::float_backends()) {
    for (const Optimizer& optimizer :
         {Optimizer(SGD{}), Optimizer(SGD{.momentum = 0.9f}), Optimizer(Adam{})}) {
      for (const bool averages : {false, true}) {
        SCOPED_TRACE(testing::Message() << name << ", optimizer " << optimizer.index());
        const CountedTensors counted;
        Model model(network());
        CompileOptions options{.optimizer = optimizer,
                               .backend = {.name = name, .threads = {.threads = 2}}};
        if (averages) options.averaging.kind = Averaging::Kind::kEma;
        model.compile(options);
        const MemoryPlan plan = model.plan_training(20, 16);
        // What it says of activations is taken already.
        const auto now = static_cast<double>(counted.memory().bytes());
        EXPECT_NEAR(static_cast<double>(plan.parameters + plan.gradients + plan.activations), now,
                    kTolerance * now);
        test::ToySource data = test::random_source(300, 1, 60, 20, 16);
        model.fit(data, {.epochs = 2});
        const auto most = static_cast<double>(counted.memory().most_bytes());
        EXPECT_NEAR(static_cast<double>(plan.total()), most, kTolerance * most);
      }
    }
  }
}

TEST(MemoryPlan, LeavesOutGradientsOfWhatIsNotTrained) {
  const Sequential frozen({Embedding({.input_dim = 3000, .output_dim = 8, .trainable = false}),
                           LSTM({.units = 8}), Softmax({.units = 6})});
  const CountedTensors counted;
  Model model(frozen);
  model.compile({.optimizer = Adam{}});
  const MemoryPlan plan = model.plan_training(5, 4);
  EXPECT_LT(plan.gradients, plan.parameters / 10);
  EXPECT_EQ(plan.optimizer, 2 * plan.gradients);
  test::ToySource data = test::random_source(6, 1, 20, 5, 4);
  model.fit(data, {.epochs = 1});
  const auto most = static_cast<double>(counted.memory().most_bytes());
  EXPECT_NEAR(static_cast<double>(plan.total()), most, kTolerance * most);
}

TEST(MemoryPlan, CoversAValidationOfBatchesNoLargerThanItsOwn) {
  for (const std::string& name : test::float_backends()) {
    SCOPED_TRACE(name);
    const CountedTensors counted;
    Model model(network());
    model.compile({.backend = {.name = name, .threads = {.threads = 2}}});
    const MemoryPlan plan = model.plan_training(20, 16);
    test::ToySource data = test::random_source(300, 1, 60, 20, 16);
    test::ToySource validation = test::random_source(300, 2, 3, 20, 16);
    model.fit(data, {.epochs = 2, .validation = &validation});
    const auto most = static_cast<double>(counted.memory().most_bytes());
    EXPECT_NEAR(static_cast<double>(plan.total()), most, kTolerance * most);
    // Outside of fit there is memory of its own, in which weights stay packed.
    EXPECT_EQ(model.evaluate(validation, StatePolicy::kReset).nats,
              model.history().epochs.back().validation->nats);
    EXPECT_GT(counted.memory().bytes(), static_cast<std::size_t>(most));
  }
}

TEST(MemoryPlan, OfASourceCoversItsLargestBatches) {
  std::vector<Batch> batches;
  for (const auto& [time, batch] :
       {std::pair<Index, Index>{3, 2}, {20, 4}, {5, 30}, {14, 12}, {1, 40}, {20, 3}, {9, 9}}) {
    batches.push_back(test::random_batch(time, batch, 300, 1));
  }
  const CountedTensors counted;
  Model model(network());
  model.compile({.optimizer = Adam{}});
  GivenBatches data(batches);
  data.seek({1, 5});
  const MemoryPlan plan = model.plan_training(data);
  EXPECT_EQ(data.position(), (BatchSource::Position{1, 5}));
  model.fit(data, {.epochs = 2});
  EXPECT_EQ(model.plan_training(data).activations, plan.activations) << "training took more";
  const auto most = static_cast<double>(counted.memory().most_bytes());
  EXPECT_NEAR(static_cast<double>(plan.total()), most, kTolerance * most);
}

TEST(MemoryPlan, OfASourceCoversInputsThatAreNotAligned) {
  std::vector<Batch> batches{test::spelling_batch(2, 2, 1), test::spelling_batch(7, 5, 2),
                             test::spelling_batch(7, 5, 3), test::spelling_batch(4, 8, 4)};
  Model model(test::spelling_network({.dropout = 0.2f}));
  model.compile({});
  GivenBatches data(batches);
  const MemoryPlan plan = model.plan_training(data);
  model.fit(data, {.epochs = 1});
  EXPECT_EQ(model.plan_training(data).activations, plan.activations);
}

TEST(MemoryPlan, IsPartOfTheSummaryOnceMade) {
  Model model(network());
  model.compile({.optimizer = Adam{}});
  const std::string before = model.summary();
  EXPECT_EQ(before.find("training takes"), std::string::npos);
  const MemoryPlan plan = model.plan_training(20, 16);
  EXPECT_EQ(model.summary(), before + "training takes " + plan.to_string() + "\n");
  model.compile({.optimizer = SGD{}});
  EXPECT_EQ(model.summary().find("training takes"), std::string::npos);
  EXPECT_THROW(Model(network()).plan_training(20, 16), ConfigError);
}

TEST(MemoryPlan, IsWrittenInMegabytes) {
  MemoryPlan plan{
      .parameters = 1500000, .gradients = 1500000, .optimizer = 3000000, .activations = 250000};
  EXPECT_EQ(plan.to_string(),
            "6.2 MB: parameters 1.5, gradients 1.5, optimizer 3.0, activations 0.2");
  plan.averages = 1500000;
  EXPECT_EQ(plan.to_string(),
            "7.8 MB: parameters 1.5, gradients 1.5, optimizer 3.0, averages 1.5, activations 0.2");
}

}  // namespace
}  // namespace rnn
