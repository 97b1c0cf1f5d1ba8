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

TEST_F(FullDisk, WhatCannotBeReplacedIsReportedAndCleanedUp) {
  // A name that is taken by a folder: the rename at the very end fails.
  EXPECT_THROW(write_file(folder_.file("no/such/folder"), "x"), IoError);
  EXPECT_THROW(write_file(folder_.file("."), "x"), IoError);
  EXPECT_TRUE(folder_.names().empty());
}

}  // namespace
}  // namespace rnn
