// A disk that is full: an IoError, the file that was there stays whole, and nothing is left behind.
#include <gtest/gtest.h>

#include <functional>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "rnn/model_file.h"
#include "support/file_size_limit.h"
#include "support/temporary_folder.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

class FullDisk : public ::testing::Test {
 protected:
  FullDisk() : model_(test::toy_network()) {
    model_.compile({.optimizer = Adam{}});
    test::ToySource data = test::random_source(6, 1);
    model_.fit(data, {});
  }

  /// `save` writes to path_, first with room, then without.
  void expect_whole(const std::function<void()>& save) {
    save();
    const std::string before = read_file(path_);
    ASSERT_GT(before.size(), 20u);
    for (rlim_t room :
         {rlim_t{0}, rlim_t{1}, rlim_t{before.size() / 2}, rlim_t{before.size() - 1}}) {
      std::string message;
      {
        const test::FileSizeLimit limit(room);
        try {
          save();
        } catch (const IoError& error) {
          message = error.what();
        }
      }
      EXPECT_NE(message.find(path_), std::string::npos) << room << ": " << message;
      EXPECT_EQ(read_file(path_), before) << room;
      EXPECT_EQ(folder_.names(), std::vector<std::string>{"file"}) << room;
    }
    save();
    EXPECT_EQ(read_file(path_), before);
  }

  test::TemporaryFolder folder_;
  const std::string path_ = folder_.file("file");
  Model model_;
};

TEST_F(FullDisk, LeavesAPlainFileWhole) {
  expect_whole([&] { write_file(path_, std::string(100000, 'x')); });
}
TEST_F(FullDisk, LeavesWeightsWhole) {
  expect_whole([&] { save_safetensors(path_, model_.parameters()); });
}
TEST_F(FullDisk, LeavesACheckpointWhole) {
  expect_whole([&] { model_.save_checkpoint(path_); });
}
TEST_F(FullDisk, LeavesAHistoryWhole) {
  CsvHistory csv(path_);
  expect_whole([&] { csv.on_epoch_end(model_, model_.history()); });
}

TEST_F(FullDisk, OfWhoeverListensSaysWhatTrainingCanGoOnFrom) {
  class Save : public Callback {
   public:
    Save(const std::string& path, bool at_end) : path_(path), at_end_(at_end) {}
    void on_epoch_end(Model&, const History& history) override {
      if (!at_end_ && history.epochs.size() == 2) save();
    }
    void on_step_end(Model& model, const StepRecord& record) override {
      if (at_end_ && record.steps == 3) model.stop("enough");
    }
    void on_train_end(Model&, const History&) override {
      if (at_end_) save();
    }

   private:
    void save() const {
      const test::FileSizeLimit limit(10);
      write_file(path_, std::string(100, 'x'));
    }
    const std::string path_;
    const bool at_end_;
  };
  for (const bool at_end : {false, true}) {
    Model model(test::toy_network());
    model.compile({.optimizer = Adam{}});
    test::ToySource data = test::random_source(6, 1);
    const CheckpointOptions checkpoint{.path = path_, .every_steps = 2};
    Save save(folder_.file("model"), at_end);
    try {
      model.fit(data, {.epochs = 3, .checkpoint = &checkpoint, .callbacks = {&save}});
      ADD_FAILURE() << "the full disk went unnoticed";
    } catch (const IoError& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with(folder_.file("model") + ": cannot write")) << message;
      const auto found = find_checkpoint(path_);
      ASSERT_TRUE(found);
      EXPECT_NE(
          message.find("the checkpoint " + path_ + " is of step " + std::to_string(found->steps)),
          std::string::npos)
          << message;
      // When it was to be stopped, not a step is lost.
      EXPECT_TRUE(!at_end || found->steps == 3) << found->steps;
    }
    Model resumed(test::toy_network());
    resumed.compile({.optimizer = Adam{}});
    resumed.load_checkpoint(path_);
    EXPECT_EQ(resumed.fit(data, {.epochs = 3, .checkpoint = &checkpoint}).epochs.size(), 3u);
    remove_checkpoints(path_);
  }
}

TEST_F(FullDisk, WhatCannotBeReplacedIsReportedAndCleanedUp) {
  // A name that is taken by a folder: the rename at the very end fails.
  EXPECT_THROW(write_file(folder_.file("no/such/folder"), "x"), IoError);
  EXPECT_THROW(write_file(folder_.file("."), "x"), IoError);
  EXPECT_TRUE(folder_.names().empty());
}

}  // namespace
}  // namespace rnn
