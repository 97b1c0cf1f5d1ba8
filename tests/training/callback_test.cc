#include "rnn/callback.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "support/compare.h"
#include "support/temporary_folder.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

Model compiled() {
  Model model(test::toy_network());
  model.compile({.optimizer = Adam{.learning_rate = 0.01f}});
  return model;
}

/// A history whose epochs had these validation losses.
History history_of(const std::vector<double>& losses) {
  History history;
  for (double loss : losses) {
    history.epochs.push_back({.epoch = static_cast<std::int64_t>(history.epochs.size()) + 1,
                              .validation = LossSum{loss, 1}});
  }
  return history;
}

class Log : public Callback {
 public:
  Log(std::string& log, char name) : log_(log), name_(name) {}
  void on_train_begin(Model&) override { note('('); }
  void on_step_end(Model&, const StepRecord&) override { note('.'); }
  void on_epoch_end(Model&, const History&) override { note('|'); }
  void on_train_end(Model&, const History&) override { note(')'); }

 private:
  void note(char what) { log_ += {name_, what}; }
  std::string& log_;
  char name_;
};

TEST(Callbacks, AreCalledInTheirOrderAroundStepsAndEpochs) {
  Model model = compiled();
  test::ToySource data = test::random_source(6, 1, 8, 4);  // two batches an epoch
  std::string log;
  Log a(log, 'a'), b(log, 'b');
  model.fit(data, {.epochs = 2, .callbacks = {&a, &b}});
  EXPECT_EQ(log, "a(b(a.b.a.b.a|b|a.b.a.b.a|b|a)b)");
  EXPECT_EQ(model.stopped(), "");
}

TEST(Callbacks, SeeWhatTheStepDid) {
  Model model = compiled();
  test::ToySource data = test::random_source(6, 1, 10, 4, 3);  // 12, 12 and 6 targets
  std::vector<StepRecord> records;
  OnStep watch([&](Model&, const StepRecord& record) { records.push_back(record); });
  const History& history = model.fit(data, {.epochs = 2, .callbacks = {&watch}});
  ASSERT_EQ(records.size(), 6u);
  EXPECT_EQ(records[4].epoch, 2);
  EXPECT_EQ(records[4].epochs, 2);
  EXPECT_EQ(records[4].batch, 2);
  EXPECT_EQ(records[4].batches, 3);
  EXPECT_EQ(records[4].steps, 5);
  EXPECT_EQ(records[4].loss.targets, 12);
  EXPECT_EQ(records[5].loss.targets, 6);
  EXPECT_EQ(records[5].epoch_loss.targets, 30);
  EXPECT_EQ(records[5].epoch_loss.nats,
            records[3].loss.nats + records[4].loss.nats + records[5].loss.nats);
  EXPECT_FLOAT_EQ(static_cast<float>(records[0].learning_rate), 0.01f);
  EXPECT_GT(records[0].gradient_norm, 0);
  ASSERT_EQ(history.epochs.size(), 2u);
  EXPECT_EQ(history.epochs[1].epoch, 2);
  EXPECT_EQ(history.epochs[1].steps, 6);
  EXPECT_EQ(history.epochs[1].tokens, 60);
  EXPECT_EQ(history.epochs[1].train.nats, records[5].epoch_loss.nats);
  EXPECT_DOUBLE_EQ(
      history.epochs[0].gradient_norm,
      (records[0].gradient_norm + records[1].gradient_norm + records[2].gradient_norm) / 3);
  EXPECT_FALSE(history.epochs[1].validation);
}

TEST(Callbacks, StopAfterTheStepThatAskedForIt) {
  Model model = compiled();
  test::ToySource data = test::random_source(6, 1, 8, 4);
  std::string log;
  Log after(log, 'a');
  OnStep stop([](Model& m, const StepRecord& record) {
    if (record.steps == 3) m.stop("enough");
  });
  const History& history = model.fit(data, {.epochs = 5, .callbacks = {&stop, &after}});
  EXPECT_EQ(log, "a(a.a.a|a.a)");
  EXPECT_EQ(model.stopped(), "enough");
  EXPECT_EQ(history.epochs.size(), 1u);
}

TEST(Callbacks, AStopAtTheVeryEndIsNoStop) {
  Model model = compiled();
  test::ToySource data = test::random_source(6, 1, 8, 4);
  class StopAtEnd : public Callback {
    void on_epoch_end(Model& m, const History&) override { m.stop("too late"); }
  } stop;
  model.fit(data, {.epochs = 1, .callbacks = {&stop}});
  EXPECT_EQ(model.stopped(), "");
  model.fit(data, {.epochs = 3, .callbacks = {&stop}});
  EXPECT_EQ(model.stopped(), "too late");
  EXPECT_EQ(model.history().epochs.size(), 2u);
}

TEST(EarlyStopping, WaitsForItsPatience) {
  const auto stops = [](const std::vector<double>& losses, const EarlyStoppingOptions& options) {
    Model model = compiled();
    EarlyStopping(options).on_epoch_end(model, history_of(losses));
    return !model.stopped().empty();
  };
  EXPECT_FALSE(stops({}, {}));
  EXPECT_FALSE(stops({5, 4, 3}, {}));
  EXPECT_TRUE(stops({5, 4, 4}, {}));
  EXPECT_FALSE(stops({5, 4, 4}, {.patience = 1}));
  EXPECT_FALSE(stops({5, 4, 6, 3.9, 6}, {.patience = 1}));
  EXPECT_TRUE(stops({5, 4, 6, 4}, {.patience = 1}));
  EXPECT_FALSE(stops({5, 4.5}, {.min_delta = 0.4}));
  EXPECT_TRUE(stops({5, 4.5}, {.min_delta = 0.6}));
  EXPECT_THROW(EarlyStopping({.patience = -1}), ConfigError);
  EXPECT_THROW(EarlyStopping({.min_delta = -1}), ConfigError);
}

TEST(EarlyStopping, EndsTrainingAndKeepsItEnded) {
  Model model(test::toy_network());
  model.compile({.optimizer = SGD{.learning_rate = 1e-30f}});  // nothing ever gets better
  test::ToySource data = test::random_source(6, 1, 8, 4), valid = test::random_source(6, 2, 8, 4);
  EarlyStopping early({.patience = 2});
  model.fit(data, {.epochs = 50, .validation = &valid, .callbacks = {&early}});
  EXPECT_EQ(model.history().epochs.size(), 4u);
  EXPECT_NE(model.stopped().find("3 epochs"), std::string::npos) << model.stopped();
  model.fit(data, {.epochs = 50, .validation = &valid, .callbacks = {&early}});
  EXPECT_EQ(model.history().epochs.size(), 4u);
}

TEST(EarlyStopping, NeedsSomethingToGoBy) {
  Model model = compiled();
  test::ToySource data = test::random_source(6, 1, 8, 4);
  EarlyStopping early;
  try {
    model.fit(data, {.epochs = 3, .callbacks = {&early}});
    FAIL() << "it would never stop";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("give validation"), std::string::npos) << error.what();
  }
  EXPECT_EQ(model.history().epochs.size(), 0u);
  model.fit(data, {.epochs = 9, .metric = [](Model&) { return 1; }, .callbacks = {&early}});
  EXPECT_EQ(model.history().epochs.size(), 2u);
}

TEST(BestModel, SavesWhenTheNewestEpochIsTheBest) {
  Model model = compiled();
  std::vector<std::size_t> saved;
  BestModel best([&](const Model&, const History& h) { saved.push_back(h.epochs.size()); });
  const std::vector<double> losses{5, 6, 4, 4, 3};
  for (std::size_t n = 1; n <= losses.size(); ++n) {
    best.on_epoch_end(model, history_of({losses.begin(), losses.begin() + static_cast<long>(n)}));
  }
  EXPECT_EQ(saved, (std::vector<std::size_t>{1, 3, 5}));
}

TEST(BestModel, StaysWhenADivergenceTakesItsEpochBack) {
  Model model = compiled();
  std::vector<double> saved;
  BestModel best(
      [&](const Model&, const History& h) { saved.push_back(cost_of(h.epochs.back())); });
  best.on_train_begin(model);
  for (const auto& losses : std::vector<std::vector<double>>{{5}, {5, 3}, {5, 4}, {5, 4, 2}}) {
    best.on_epoch_end(model, history_of(losses));
  }
  EXPECT_EQ(saved, (std::vector<double>{5, 3, 2}));
}

TEST(CsvHistory, WritesTheWholeHistoryAfterEveryEpoch) {
  const test::TemporaryFolder folder;
  Model model = compiled();
  test::ToySource data = test::random_source(6, 1, 8, 4), valid = test::random_source(6, 2, 8, 4);
  CsvHistory csv(folder.file("history.csv"));
  std::vector<std::string> seen;
  class Read : public Callback {
   public:
    Read(std::string path, std::vector<std::string>& seen) : path_(path), seen_(seen) {}
    void on_epoch_end(Model&, const History&) override { seen_.push_back(read_file(path_)); }

   private:
    std::string path_;
    std::vector<std::string>& seen_;
  } read(folder.file("history.csv"), seen);
  const History& history =
      model.fit(data, {.epochs = 2, .validation = &valid, .callbacks = {&csv, &read}});
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1], history.to_csv());
  EXPECT_EQ(seen[1].substr(0, seen[0].size()), seen[0]);
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(TimeLimit, StopsAtTheFirstStepBeyondIt) {
  Model model = compiled();
  test::ToySource data = test::random_source(6, 1, 8, 4);
  TimeLimit limit(1e-9);
  model.fit(data, {.epochs = 100, .callbacks = {&limit}});
  EXPECT_EQ(model.history().epochs.size(), 0u);
  EXPECT_NE(model.stopped().find("time limit"), std::string::npos);
  TimeLimit generous(1e6);
  model.fit(data, {.epochs = 2, .callbacks = {&generous}});
  EXPECT_EQ(model.history().epochs.size(), 2u);
  EXPECT_THROW(TimeLimit(0), ConfigError);
}

}  // namespace
}  // namespace rnn
