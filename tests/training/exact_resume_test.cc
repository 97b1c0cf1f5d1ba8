// Promise 4: training taken up again from a checkpoint gives the same bits as training that was
// never interrupted, wherever it was interrupted.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "rnn/checkpoint.h"
#include "support/resume.h"

namespace rnn {
namespace {

TEST_F(Resume, AfterAnyStepGivesTheSameBits) {
  const std::vector<std::pair<Optimizer, Schedule::Kind>> ways{
      {SGD{.learning_rate = 0.2f}, Schedule::Kind::kStep},
      {SGD{.learning_rate = 0.2f, .momentum = 0.9f, .nesterov = true}, Schedule::Kind::kPlateau},
      {RMSprop{.learning_rate = 0.01f}, Schedule::Kind::kOneCycle},
      {Adam{.learning_rate = 0.01f}, Schedule::Kind::kCosine},
      {AdamW{.learning_rate = 0.01f}, Schedule::Kind::kConstant}};
  for (const auto& [optimizer, schedule] : ways) {
    const CompileOptions options = recipe(optimizer, schedule);
    Model whole = compiled(options);
    train(whole);
    ASSERT_EQ(whole.history().epochs.back().steps, kEpochs * kBatches);
    for (std::int64_t last = 1; last <= kEpochs * kBatches; ++last) {
      SCOPED_TRACE("optimizer " + std::to_string(optimizer.index()) + ", step " +
                   std::to_string(last));
      Model first = compiled(options);
      OnStep interrupt([&](Model& m, const StepRecord& record) {
        if (record.steps == last) m.stop("interrupted");
      });
      train(first, {&interrupt});
      expect_goes_on(first, options, whole);
    }
  }
}

TEST_F(Resume, AfterAnyEpochAndFromTheMiddleOfAStepGivesTheSameBits) {
  const CompileOptions options = recipe(Adam{.learning_rate = 0.01f}, Schedule::Kind::kPlateau);
  class Save : public Callback {
   public:
    explicit Save(const test::TemporaryFolder& folder) : folder_(folder) {}
    void on_train_begin(Model& m) override { save(m, "begin"); }
    void on_step_end(Model& m, const StepRecord& r) override {
      save(m, "step" + std::to_string(r.steps));
    }
    void on_epoch_end(Model& m, const History& h) override {
      save(m, "epoch" + std::to_string(h.epochs.size()));
    }
    void on_train_end(Model& m, const History&) override { save(m, "end"); }

   private:
    void save(Model& m, const std::string& name) { m.save_checkpoint(folder_.file(name)); }
    const test::TemporaryFolder& folder_;
  } save(folder_);
  Model whole = compiled(options);
  train(whole, {&save});
  const std::vector<std::string> names = folder_.names();
  EXPECT_EQ(names.size(), 2 + kEpochs + kEpochs * kBatches);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    Model resumed = compiled(options);
    resumed.load_checkpoint(folder_.file(name));
    train(resumed);
    expect_same(resumed, whole);
  }
}

TEST_F(Resume, FromAmidAValidationGivesTheSameBits) {
  /// Stops before the batch of that number of all validations together.
  class StopAt : public Callback {
   public:
    explicit StopAt(int batch) : left_(batch) {}
    void on_validation_batch(Model& m) override {
      if (left_-- == 0) m.stop("interrupted");
    }

   private:
    int left_;
  };
  for (const Averaging::Kind averaging : {Averaging::Kind::kNone, Averaging::Kind::kAsgd}) {
    CompileOptions options = recipe(Adam{.learning_rate = 0.01f}, Schedule::Kind::kPlateau);
    options.averaging.kind = averaging;
    Model whole = compiled(options);
    train(whole);
    // Each validation asks once a batch, and once more at its end.
    for (int batch = 0; batch < kEpochs * (kBatches + 1); ++batch) {
      SCOPED_TRACE(batch);
      StopAt interrupt(batch);
      Model first = compiled(options);
      train(first, {&interrupt});
      EXPECT_EQ(first.history().epochs.size(), static_cast<std::size_t>(batch / (kBatches + 1)));
      expect_goes_on(first, options, whole);
    }
  }
}

TEST_F(Resume, AStopAmidAValidationWritesACheckpoint) {
  const CheckpointOptions when{.path = path_};
  class Stop : public Callback {
    void on_validation_batch(Model& m) override { m.stop("enough"); }
  } stop;
  Model model = compiled(recipe(Adam{}, Schedule::Kind::kConstant));
  test::ToySource data = test::random_source(6, 1), valid = test::random_source(6, 2);
  model.fit(data,
            {.epochs = kEpochs, .validation = &valid, .checkpoint = &when, .callbacks = {&stop}});
  EXPECT_TRUE(model.history().epochs.empty());
  EXPECT_EQ(find_checkpoint(path_)->steps, kBatches);
}

}  // namespace
}  // namespace rnn
