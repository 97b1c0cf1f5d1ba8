// Files of checkpoints: what is read back, what is refused, what is damaged, and what is kept.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/file.h"
#include "base/json.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "rnn/model_file.h"
#include "support/damage.h"
#include "support/for_each_backend.h"
#include "support/resume.h"
#include "training/checkpoint_checksum.h"

namespace rnn {
namespace {

TEST_F(Resume, ASavedCheckpointReadsBackAsItself) {
  Model model = compiled(recipe(Adam{}, Schedule::Kind::kCosine));
  train(model);
  model.save_checkpoint(path_);
  Model other = compiled(recipe(Adam{}, Schedule::Kind::kCosine));
  other.load_checkpoint(path_);
  other.save_checkpoint(folder_.file("again"));
  EXPECT_EQ(read_file(folder_.file("again")), read_file(path_));
}

/// The number of the run is told by the run: a checkpoint that is loaded does not take it away.
TEST_F(Resume, GoingBackKeepsTheCharactersOfTheValidation) {
  Model model = compiled(recipe(SGD{.learning_rate = 0.1f}, Schedule::Kind::kConstant));
  test::ToySource data = test::random_source(6, 1), valid = test::random_source(6, 2);
  model.fit(data, {.epochs = 2, .validation = &valid, .validation_characters = 100});
  const std::string csv = model.history().to_csv();
  model.save_checkpoint(path_);
  model.load_checkpoint(path_);
  EXPECT_EQ(model.history().to_csv(), csv);
  EXPECT_NE(csv.find("valid_bits_per_char"), csv.npos);
}

TEST_F(Resume, WhatDoesNotBelongIsRefusedAndChangesNothing) {
  const CompileOptions options = recipe(Adam{.learning_rate = 0.01f}, Schedule::Kind::kCosine);
  Model whole = compiled(options);
  train(whole);

  Model model = compiled(options);
  OnStep interrupt([](Model& m, const StepRecord& record) {
    if (record.steps == 6) m.stop("interrupted");
  });
  train(model, {&interrupt});
  const auto expect_refused = [&](const std::string& file, const char* part) {
    try {
      model.load_checkpoint(file);
      ADD_FAILURE() << "accepted " << file;
    } catch (const FormatError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(file), std::string::npos) << message;
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  };
  // Another optimizer, other shapes, other layers.
  Model sgd = compiled(recipe(SGD{}, Schedule::Kind::kCosine));
  train(sgd);
  sgd.save_checkpoint(folder_.file("sgd"));
  expect_refused(folder_.file("sgd"), "optimizer");
  for (const test::ToyOptions& other : {test::ToyOptions{.units = 4, .layers = 2, .dropout = 0.3f},
                                        test::ToyOptions{.layers = 1, .dropout = 0.3f},
                                        test::ToyOptions{.layers = 3, .dropout = 0.3f}}) {
    Model trained{test::toy_network(other)};
    trained.compile(options);
    train(trained);
    trained.save_checkpoint(folder_.file("other"));
    expect_refused(folder_.file("other"), "tensor '");
  }
  // Files that are no checkpoints, or no longer.
  save_safetensors(folder_.file("weights"), model.parameters());
  expect_refused(folder_.file("weights"), "no checkpoint");
  model.save_checkpoint(path_);
  const std::string good = read_file(path_);
  for (std::size_t length = 0; length < good.size(); length += 97) {
    std::ofstream(folder_.file("short"), std::ios::binary) << good.substr(0, length);
    EXPECT_THROW(model.load_checkpoint(folder_.file("short")), FormatError) << length;
  }
  EXPECT_THROW(model.load_checkpoint(folder_.file("nothing")), IoError);
  // After all that, training goes on as if nothing had been tried.
  train(model);
  expect_same(model, whole);
}

TEST_F(Resume, AStateThatIsNotInTheFileIsRefusedBeforeMemoryIsTaken) {
  Model model = compiled(recipe(SGD{}, Schedule::Kind::kConstant));
  train(model);
  model.save_checkpoint(path_);
  const SafetensorsContents good = load_safetensors(path_);
  // Rows without columns take no place in a file: as many as one likes can be claimed.
  for (const Shape& shape : {Shape{Index{1} << 40, 0}, Shape{Index{1} << 36, 0, 1}, Shape{0}}) {
    TensorList tensors;
    for (const NamedTensor& entry : good.tensors) {
      if (!entry.name.starts_with("state/")) tensors.add(entry.name, entry.tensor);
    }
    for (const NamedTensor& entry : good.tensors) {
      if (entry.name.starts_with("state/")) tensors.add(entry.name, Tensor(shape));
    }
    std::map<std::string, std::string> metadata = good.metadata;
    metadata[kCheckpointChecksum] = checkpoint_checksum(tensors, metadata);
    save_safetensors(path_, tensors, metadata);
    try {
      model.load_checkpoint(path_);
      ADD_FAILURE() << shape.to_string();
    } catch (const FormatError& error) {
      EXPECT_NE(std::string(error.what()).find(path_ + ": the state '"), std::string::npos)
          << error.what();
    }
  }
}

TEST_F(Resume, WhatCannotBeReadIsNotLost) {
  Model model = compiled(recipe(Adam{}, Schedule::Kind::kCosine));
  model.save_checkpoint(path_, "first");
  model.save_checkpoint(path_, "second");
  std::filesystem::rename(path_, folder_.file("elsewhere"));
  std::filesystem::create_directory(path_);  // opens, and fails to be read
  EXPECT_EQ(find_checkpoint(path_)->note, "first");
  EXPECT_TRUE(std::filesystem::is_directory(path_));
  const auto found = take_checkpoint(path_);
  EXPECT_EQ(found->note, "first");
  EXPECT_NE(found->warning.find(path_ + ": is no regular file"), std::string::npos)
      << found->warning;
  EXPECT_NE(found->warning.find(unread_checkpoint(path_)), std::string::npos) << found->warning;
  EXPECT_TRUE(std::filesystem::is_directory(unread_checkpoint(path_)));
  // With nothing that could be read, training need not begin anew.
  for (const bool before : {false, true}) {
    std::filesystem::remove(path_);
    std::filesystem::create_directory(path_);
    if (before) std::ofstream(previous_checkpoint(path_)) << "damaged";
    try {
      take_checkpoint(path_);
      ADD_FAILURE() << before;
    } catch (const IoError& error) {
      EXPECT_EQ(std::string(error.what()).find("anew"), std::string::npos) << error.what();
    }
    EXPECT_TRUE(std::filesystem::is_directory(path_));
  }
}

TEST_F(Resume, WhatAnotherVersionWroteIsNotLost) {
  Model model = compiled(recipe(Adam{}, Schedule::Kind::kCosine));
  model.save_checkpoint(path_, "first");
  model.save_checkpoint(path_, "second");
  const auto make_other = [](const std::string& path, bool checksum) {
    SafetensorsContents contents = load_safetensors(path);
    std::string& json = contents.metadata["rnn_checkpoint"];
    const std::string format = "\"format\":";
    json.replace(json.find(format), format.size() + 1, format + "9");
    contents.metadata.erase(kCheckpointChecksum);  // the first versions had none
    if (checksum) {
      contents.metadata[kCheckpointChecksum] =
          checkpoint_checksum(contents.tensors, contents.metadata);
    }
    save_safetensors(path, contents.tensors, contents.metadata);
  };
  make_other(path_, true);
  const std::string newer = read_file(path_);
  const auto found = take_checkpoint(path_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->note, "first");
  EXPECT_NE(found->warning.find(path_ + ": written by another version"), std::string::npos)
      << found->warning;
  EXPECT_NE(found->warning.find("kept as " + unread_checkpoint(path_)), std::string::npos)
      << found->warning;
  EXPECT_EQ(read_file(unread_checkpoint(path_)), newer);
  // With no other, training need not begin anew: that version goes on.
  for (const bool before : {false, true}) {
    make_other(path_, false);
    if (before) std::filesystem::copy_file(path_, previous_checkpoint(path_));
    try {
      take_checkpoint(path_);
      ADD_FAILURE() << before;
    } catch (const FormatError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.find("anew"), std::string::npos) << message;
      EXPECT_NE(message.find("another version"), std::string::npos) << message;
    }
    EXPECT_TRUE(std::filesystem::exists(path_));
  }
}

TEST_F(Resume, ReadsBackNumbersThatAreNotFinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> metrics{std::numeric_limits<double>::quiet_NaN(), infinity, -infinity};
  const CompileOptions options = recipe(Adam{}, Schedule::Kind::kConstant);
  Model model = compiled(options);
  test::ToySource data = test::random_source(6, 1);
  model.fit(data, {.epochs = kEpochs, .metric = [&](const Model& now) {
                     return metrics[now.history().epochs.size()];
                   }});
  model.save_checkpoint(path_);
  Model other = compiled(options);
  other.load_checkpoint(path_);
  ASSERT_EQ(other.history().epochs.size(), metrics.size());
  for (std::size_t e = 0; e < metrics.size(); ++e) {
    const double metric = other.history().epochs[e].metric.value();
    EXPECT_TRUE(metric == metrics[e] || (std::isnan(metric) && std::isnan(metrics[e]))) << e;
  }
  EXPECT_EQ(other.history().best(), nullptr);
}

TEST_F(Resume, CountsThatNoTrainingHasAreRefusedAndChangeNothing) {
  const CompileOptions options = recipe(Adam{}, Schedule::Kind::kCosine);
  Model model = compiled(options);
  train(model);
  model.save_checkpoint(path_);
  const std::string good = read_file(path_);
  const SafetensorsContents contents = load_safetensors(path_);
  const auto name = std::find_if(contents.metadata.begin(), contents.metadata.end(),
                                 [](const auto& item) { return item.second.starts_with("{"); });
  ASSERT_NE(name, contents.metadata.end());
  for (const char* place :
       {"/optimizer_steps", "/optimizer_slots", "/averaged_steps", "/progress/batches",
        "/progress/steps", "/progress/tokens", "/progress/epoch", "/progress/batch",
        "/progress/epoch_steps", "/progress/skipped", "/progress/restored",
        "/progress/epoch_loss/targets", "/format", "/optimizer", "/averaging", "/history/1/epoch",
        "/history/1/steps", "/history/1/tokens", "/history/1/train/targets"}) {
    for (const Json& value : {Json(-1), Json(std::uint64_t{1} << 63), Json(std::int64_t{1} << 62),
                              Json(1e300), Json(1.5), Json("1"), Json()}) {
      SCOPED_TRACE(place + (" " + value.dump()));
      Json json = parse_json(name->second, "metadata");
      ASSERT_TRUE(json.contains(Json::json_pointer(place)));
      json[Json::json_pointer(place)] = value;
      std::map<std::string, std::string> metadata = contents.metadata;
      metadata[name->first] = json.dump();
      metadata[kCheckpointChecksum] = checkpoint_checksum(contents.tensors, metadata);
      save_safetensors(path_, contents.tensors, metadata);
      try {
        model.load_checkpoint(path_);
        ADD_FAILURE() << "accepted";
      } catch (const FormatError& error) {
        EXPECT_NE(std::string(error.what()).find(path_), std::string::npos) << error.what();
      }
    }
  }
  model.save_checkpoint(path_);
  EXPECT_EQ(read_file(path_), good);
}

TEST_F(Resume, EveryDamageIsFoundAndNothingOfItIsTaken) {
  const auto tiny = [] {
    Model model(test::toy_network({.symbols = 2, .units = 1}));
    model.compile({.optimizer = SGD{}});
    return model;
  };
  Model trained = tiny();
  test::ToySource data = test::random_source(2, 1);
  test::ToySource valid = test::random_source(2, 2);
  trained.fit(data, {.epochs = 1, .validation = &valid, .state = StatePolicy::kCarry});
  trained.save_checkpoint(path_, "note");
  Model model = tiny();
  const Parameters before = model.parameters();
  test::damage(path_, 1, [&] {
    try {
      model.load_checkpoint(path_);
      ADD_FAILURE() << "accepted";
    } catch (const FormatError& error) {
      EXPECT_NE(std::string(error.what()).find(path_), std::string::npos) << error.what();
    }
  });
  for (std::size_t p = 0; p < before.size(); ++p) {
    EXPECT_TRUE(test::bits_equal(model.parameters()[p], before[p])) << before.name(p);
  }
  model.load_checkpoint(path_);
  expect_same(model, trained);
}

TEST_F(Resume, ACheckpointWithoutAnEndIsNamedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  ASSERT_EQ(symlink("/dev/zero", previous_checkpoint(path_).c_str()), 0);
  Model model = compiled(recipe(SGD{}, Schedule::Kind::kConstant));
  for (const std::string& path : {path_, previous_checkpoint(path_)}) {
    try {
      model.load_checkpoint(path);
      ADD_FAILURE() << "accepted";
    } catch (const IoError& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(find_checkpoint(path_), IoError);
}

TEST_F(Resume, NeedsAModelThatIsCompiled) {
  Model model(test::toy_network());
  EXPECT_THROW(model.save_checkpoint(path_), ConfigError);
  EXPECT_THROW(model.load_checkpoint(path_), ConfigError);
  EXPECT_TRUE(folder_.names().empty());
}

/// Steps after which a checkpoint was written, in three epochs of four.
std::vector<std::int64_t> saved_after(CheckpointOptions when, std::int64_t stop_after = -1) {
  const test::TemporaryFolder folder;
  when.path = folder.file("c");
  Model model = compiled(recipe(Adam{}, Schedule::Kind::kConstant));
  test::ToySource data = test::random_source(6, 1);
  std::vector<std::int64_t> steps;
  std::string before;
  const auto look = [&](std::int64_t done) {
    const std::string now = std::filesystem::exists(when.path) ? read_file(when.path) : "";
    if (now != before) steps.push_back(done);
    before = now;
  };
  OnStep watch([&](Model& m, const StepRecord& record) {
    look(record.steps - 1);  // callbacks come before the checkpoint
    if (record.steps == stop_after) m.stop("enough");
  });
  model.fit(data, {.epochs = kEpochs, .checkpoint = &when, .callbacks = {&watch}});
  look(stop_after > 0 ? stop_after : kEpochs * kBatches);
  return steps;
}

TEST_F(Resume, CheckpointsAreWrittenAtTheirIntervals) {
  using Steps = std::vector<std::int64_t>;
  EXPECT_EQ(saved_after({}), (Steps{4, 8, 12}));
  // The first epoch is the best so far; a stop has one of its own.
  EXPECT_EQ(saved_after({.every_steps = 3, .every_epochs = 0}, 7), (Steps{3, 4, 6, 7}));
  EXPECT_EQ(saved_after({.every_minutes = 1e-9, .every_epochs = 0}, 3), (Steps{1, 2, 3}));
  EXPECT_EQ(saved_after({.every_epochs = 0}).back(), 12);
  EXPECT_THROW(saved_after({.every_steps = -1}), ConfigError);
  EXPECT_THROW(saved_after({.every_minutes = -1}), ConfigError);
  EXPECT_THROW(saved_after({.every_epochs = -1}), ConfigError);
}

TEST_F(Resume, TheCheckpointBeforeIsKeptAndTakesADamagedOnesPlace) {
  Model model = compiled(recipe(Adam{}, Schedule::Kind::kCosine));
  EXPECT_FALSE(find_checkpoint(path_));
  model.save_checkpoint(path_, "first");
  EXPECT_EQ(folder_.names().size(), 1u);
  train(model);
  model.save_checkpoint(path_, "second");
  EXPECT_EQ(folder_.names().size(), 2u);
  EXPECT_EQ(find_checkpoint(path_)->note, "second");
  EXPECT_EQ(find_checkpoint(path_)->steps, kEpochs * kBatches);
  EXPECT_EQ(find_checkpoint(path_)->warning, "");
  const std::string whole = read_file(path_);
  // Each part of the file: its length, its header, its notes, its numbers.
  for (std::size_t place = 3; place < whole.size(); place += whole.size() / 23) {
    const std::string before = read_file(previous_checkpoint(path_));
    std::string damaged = whole;
    damaged[place] = static_cast<char>(damaged[place] ^ 4);
    std::ofstream(path_, std::ios::binary) << damaged;
    const auto seen = find_checkpoint(path_);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->note, "first") << place;
    EXPECT_EQ(seen->path, previous_checkpoint(path_));
    EXPECT_EQ(read_file(path_), damaged) << "who only looks changes nothing";
    const auto found = take_checkpoint(path_);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->note, "first") << place;
    EXPECT_EQ(found->path, path_);
    EXPECT_NE(found->warning.find(path_), std::string::npos) << found->warning;
    EXPECT_EQ(read_file(path_), before);
    EXPECT_EQ(folder_.names().size(), 1u);
    std::ofstream(previous_checkpoint(path_), std::ios::binary) << before;
  }
  std::filesystem::remove(path_);  // as between the two renames
  EXPECT_EQ(find_checkpoint(path_)->note, "first");
  EXPECT_EQ(take_checkpoint(path_)->note, "first");
  std::ofstream(path_, std::ios::binary) << "x";
  EXPECT_THROW(find_checkpoint(path_), FormatError);
  std::ofstream(previous_checkpoint(path_), std::ios::binary) << "y";
  EXPECT_THROW(find_checkpoint(path_), FormatError);
  remove_checkpoints(path_);
  EXPECT_FALSE(find_checkpoint(path_));
}

TEST_F(Resume, ThroughALinkTheCheckpointBeforeIsBesideTheFile) {
  std::filesystem::create_directory(folder_.file("large"));
  ASSERT_EQ(symlink("large/file", path_.c_str()), 0);
  Model model = compiled(recipe(Adam{}, Schedule::Kind::kCosine));
  model.save_checkpoint(path_, "first");
  train(model);
  model.save_checkpoint(path_, "second");
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
  EXPECT_EQ(folder_.names().size(), 2u) << "nothing beside the link";
  EXPECT_EQ(find_checkpoint(path_)->note, "second");
  EXPECT_EQ(find_checkpoint(folder_.file("large/file.previous"))->note, "first");
  std::filesystem::remove(folder_.file("large/file"));  // as between the two renames
  EXPECT_EQ(find_checkpoint(path_)->note, "first");
  EXPECT_EQ(take_checkpoint(path_)->note, "first");
  EXPECT_EQ(find_checkpoint(folder_.file("large/file"))->note, "first");
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
  model.save_checkpoint(path_, "third");
  remove_checkpoints(path_);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.file("large")));
}

}  // namespace
}  // namespace rnn
