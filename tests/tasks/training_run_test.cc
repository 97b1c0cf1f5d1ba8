// What a training does to the directory that it writes, whatever the task: what it goes on from,
// what it refuses, and what it never replaces.
#include "tasks/training_run.h"

#include <gtest/gtest.h>

#include <barrier>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <stdexcept>
#include <thread>
#include <utility>

#include "rnn/error.h"
#include "support/temporary_folder.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A training of the toy network.
struct ToyTraining {
  std::int64_t epochs = 2;
  double lr = 0.01;
  int hidden = 3;
  double clip = 0;
  std::string data = "some text";
  bool overwrite = false, resume = false;
  std::vector<double> metrics{};  ///< of the epochs in turn; empty: the validation loss decides
  std::vector<Callback*> callbacks{};
  std::int64_t every_steps = 0;  ///< checkpoints
};

class TrainingRunTest : public ::testing::Test {
 protected:
  static Json recipe_of(const ToyTraining& toy) {
    return {{"epochs", toy.epochs},    {"lr", toy.lr}, {"hidden", toy.hidden}, {"clip", toy.clip},
            {"on_divergence", "stop"}, {"seed", 1}};
  }
  TrainingRun run_of(const ToyTraining& toy) {
    return TrainingRun({.directory = directory_,
                        .overwrite = toy.overwrite,
                        .resume = toy.resume,
                        .checkpoint = {.steps = toy.every_steps},
                        .callbacks = toy.callbacks,
                        .log = [this](const std::string& line) { log_ += line + "\n"; }},
                       recipe_of(toy));
  }
  static Model model_of(const ToyTraining& toy) {
    Model model(test::toy_network({.units = toy.hidden}));
    model.compile({.optimizer = Adam{.learning_rate = static_cast<float>(toy.lr)},
                   .clip_norm = static_cast<float>(toy.clip)});
    return model;
  }
  History train(const ToyTraining& toy) {
    log_.clear();
    TrainingRun run = run_of(toy);
    run.use_data(toy.data);
    Model model = model_of(toy);
    run.begin(model);
    test::ToySource data = test::random_source(6, 1), valid = test::random_source(6, 2);
    FitOptions options{.epochs = toy.epochs, .validation = &valid};
    if (!toy.metrics.empty()) {
      options.metric = [&](const Model& now) { return toy.metrics[now.history().epochs.size()]; };
    }
    return run.fit(
        model, data, options,
        [&](ModelUpdate&, const Model&, const EpochRecord*) {
          return Json{{"format", 1}, {"task", "test"}, {"recipe", recipe_of(toy)}};
        },
        [](const EpochRecord& record) { return "epoch " + std::to_string(record.epoch); });
  }
  std::string refused(const ToyTraining& toy) {
    const auto before = files();
    try {
      train(toy);
    } catch (const ConfigError& error) {
      EXPECT_EQ(files(), before) << error.what();
      return error.what();
    }
    return "it was not refused";
  }
  std::string file(const std::string& name) const { return directory_ + "/" + name; }
  std::string read(const std::string& name) const { return read_file(file(name)); }
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> found;
    if (!fs::exists(directory_)) return found;
    for (const auto& entry : fs::recursive_directory_iterator(directory_)) {
      const std::string path = entry.path().string();
      found[path] = entry.is_directory() ? "" : read_file(path);
    }
    return found;
  }
  /// Of the model that is there; 0: of none.
  std::int64_t epoch_of_model() const {
    return parse_json(read("config.json"), "config")["resume"]["epoch"].get<std::int64_t>();
  }

  test::TemporaryFolder folder_;
  const std::string directory_ = folder_.file("m");
  std::string log_;
};

TEST_F(TrainingRunTest, ARemedyForADivergenceIsNoOtherRecipe) {
  train({});
  const std::int64_t steps = train({.epochs = 2, .resume = true}).epochs.back().steps;
  EXPECT_EQ(log_.find("instead of"), std::string::npos) << log_;
  const History history = train({.epochs = 4, .lr = 0.002, .clip = 0.5, .resume = true});
  EXPECT_NE(log_.find("from step " + std::to_string(steps + 1) +
                      " on: --lr 0.002 instead of 0.01, --clip 0.5 instead of 0"),
            std::string::npos)
      << log_;
  EXPECT_FLOAT_EQ(static_cast<float>(history.epochs[1].learning_rate), 0.01f);
  EXPECT_FLOAT_EQ(static_cast<float>(history.epochs[2].learning_rate), 0.002f);
  const std::string message = refused({.hidden = 4, .resume = true});
  EXPECT_NE(message.find("--hidden 3, now it is 4"), std::string::npos) << message;
}

TEST_F(TrainingRunTest, AModelWithoutItsCheckpointIsNotTrainedAnew) {
  train({.epochs = 4});
  ASSERT_GT(epoch_of_model(), 1);
  fs::remove_all(file("checkpoint"));
  for (const double lr : {0.01, 0.02}) {
    const std::string message = refused({.epochs = 4, .lr = lr, .resume = true});
    EXPECT_NE(message.find("--overwrite"), std::string::npos) << message;
    EXPECT_NE(message.find(lr == 0.01 ? "checkpoint of the model there is missing" : "--lr 0.01"),
              std::string::npos)
        << message;
  }
  // Nor one that does not say how far it is.
  Json config = parse_json(read("config.json"), "config");
  config.erase("resume");
  write_file(file("config.json"), config.dump());
  const std::string message = refused({.epochs = 4, .resume = true});
  EXPECT_NE(message.find("is missing"), std::string::npos) << message;
  train({.epochs = 4, .overwrite = true});
}

TEST_F(TrainingRunTest, KilledBeforeItsFirstCheckpointItBeginsAnewAndWritesTheSame) {
  train({.epochs = 1});
  const std::string model = read("model.safetensors"), config = read("config.json");
  fs::remove_all(file("checkpoint"));  // as if it had not been written yet
  const std::string message = refused({.epochs = 1, .data = "another", .resume = true});
  EXPECT_NE(message.find("another text"), std::string::npos) << message;
  train({.epochs = 1, .resume = true});
  EXPECT_NE(log_.find("no checkpoint yet"), std::string::npos) << log_;
  EXPECT_EQ(read("model.safetensors"), model);
  EXPECT_EQ(read("config.json"), config);
}

TEST_F(TrainingRunTest, ABrokenModelIsNeverTheBest) {
  // The first epoch is broken, too.
  const History history = train({.epochs = 4, .metrics = {kNaN, 0.5, kNaN, 0.4}});
  EXPECT_EQ(history.best()->epoch, 2);
  EXPECT_EQ(epoch_of_model(), 2);
  EXPECT_NE(log_.find("has the model of epoch 2"), std::string::npos) << log_;
  // After a resume as well: what is not a number is read back.
  const double infinity = std::numeric_limits<double>::infinity();
  train({.epochs = 7, .resume = true, .metrics = {kNaN, 0.5, kNaN, 0.4, kNaN, infinity, 0.45}});
  EXPECT_EQ(epoch_of_model(), 2);
  EXPECT_NE(read("history.csv").find(",nan,"), std::string::npos);
}

TEST_F(TrainingRunTest, AModelThatWasNeverWorthANumberIsSavedAtTheEnd) {
  bool there = true;
  OnEpoch watch([&](Model&, const History&) { there = fs::exists(file("model.safetensors")); });
  train({.epochs = 2, .metrics = {kNaN, kNaN}, .callbacks = {&watch}});
  EXPECT_FALSE(there);
  EXPECT_EQ(epoch_of_model(), 0);
}

TEST_F(TrainingRunTest, AWorseModelNeverTakesABetterOnesPlace) {
  train({.epochs = 2, .metrics = {0.1, 0.2}});
  train({.epochs = 3, .resume = true, .metrics = {0.1, 0.2, 0.9}});
  ASSERT_EQ(epoch_of_model(), 3);
  const std::string model = read("model.safetensors");
  // The newest checkpoint is lost, and the epoch goes another way this time.
  fs::remove(file("checkpoint/checkpoint.safetensors"));
  train({.epochs = 3, .lr = 0.3, .resume = true, .metrics = {0.1, 0.2, 0.5}});
  EXPECT_NE(log_.find("keeps the model that was there"), std::string::npos) << log_;
  EXPECT_EQ(read("model.safetensors"), model);
  train({.epochs = 4, .lr = 0.3, .resume = true, .metrics = {0.1, 0.2, 0.5, 0.95}});
  EXPECT_EQ(epoch_of_model(), 4);
  EXPECT_NE(read("model.safetensors"), model);
}

TEST_F(TrainingRunTest, AModelThatIsBeingReplacedDoesNotStandInForTheNewOne) {
  /// As a kill does: nothing is saved any more.
  class Kill : public Callback {
   public:
    explicit Kill(std::int64_t at) : at_(at) {}
    void on_step_end(Model&, const StepRecord& record) override {
      if (record.steps == at_) throw std::runtime_error("killed");
    }

   private:
    std::int64_t at_;
  };
  const std::vector<double> good{0.8, 0.9}, bad{0.1, 0.2, 0.15};
  train({.epochs = 3, .lr = 0.001, .metrics = bad});
  const auto whole = std::pair(read("model.safetensors"), read("config.json"));
  fs::remove_all(directory_);
  for (const std::int64_t at : {2, 3, 4, 5, 9}) {  // epochs have four steps
    SCOPED_TRACE(at);
    train({.epochs = 2, .metrics = good});
    const std::string old = read("model.safetensors");
    Kill kill(at);
    EXPECT_THROW(train({.epochs = 3,
                        .lr = 0.001,
                        .overwrite = true,
                        .metrics = bad,
                        .callbacks = {&kill},
                        .every_steps = 1}),
                 std::runtime_error);
    if (at <= 4) {
      EXPECT_EQ(read("model.safetensors"), old);
      EXPECT_NO_THROW(ModelDirectory(directory_).verify());  // until there is another
    }
    train({.epochs = 3, .lr = 0.001, .resume = true, .metrics = bad});
    EXPECT_EQ(log_.find("keeps the model that was there"), std::string::npos) << log_;
    EXPECT_EQ(std::pair(read("model.safetensors"), read("config.json")), whole);
    fs::remove_all(directory_);
  }
}

TEST_F(TrainingRunTest, KilledBeforeTheFirstCheckpointOfAReplacementItBeginsAnew) {
  train({.epochs = 3, .lr = 0.001, .hidden = 5});
  const auto whole = std::pair(read("model.safetensors"), read("config.json"));
  // The model that is replaced may be of the same recipe, of another, or not say of which.
  for (const char* old : {"same", "another", "unknown", "damaged"}) {
    SCOPED_TRACE(old);
    const bool same = old == std::string("same");
    fs::remove_all(directory_);
    train({.epochs = 3, .lr = same ? 0.001 : 0.01, .hidden = same ? 5 : 3});
    if (old == std::string("unknown")) {
      Json config = parse_json(read("config.json"), "config");
      config.erase("resume");
      config.erase("recipe");
      write_file(file("config.json"), config.dump());
      ModelDirectory(directory_).seal();
    }
    if (old == std::string("damaged")) write_file(file("config.json"), "{");
    const std::string model = read("model.safetensors"), config = read("config.json");
    const std::string checkpoint = read("checkpoint/checkpoint.safetensors");
    {
      const ToyTraining toy{.epochs = 3, .lr = 0.001, .hidden = 5, .overwrite = true};
      TrainingRun run = run_of(toy);
      run.use_data(toy.data);
      Model fresh = model_of(toy);
      run.begin(fresh);  // and is killed
    }
    EXPECT_FALSE(fs::exists(file("checkpoint/checkpoint.safetensors")));
    EXPECT_EQ(std::pair(read("model.safetensors"), read("config.json")), std::pair(model, config));
    if (same) {  // or already amid the removal of the old checkpoints
      ModelDirectory(directory_).disown(/*checkpoints_go=*/true);
      std::ofstream(file("checkpoint/checkpoint.safetensors.previous"), std::ios::binary)
          << checkpoint;
    }
    if (old != std::string("damaged")) {
      EXPECT_NO_THROW(ModelDirectory(directory_).verify());
    }
    const std::string message = refused({.epochs = 3, .lr = 0.001, .hidden = 5});
    EXPECT_NE(message.find("there is a model already"), std::string::npos) << message;
    train({.epochs = 3, .lr = 0.001, .hidden = 5, .resume = true});
    EXPECT_NE(log_.find("starting from the beginning"), std::string::npos) << log_;
    EXPECT_EQ(std::pair(read("model.safetensors"), read("config.json")), whole);
    EXPECT_FALSE(ModelDirectory(directory_).is_disowned());
    // From here on it is the model of this training.
    fs::remove_all(file("checkpoint"));
    EXPECT_NE(refused({.epochs = 3, .lr = 0.001, .hidden = 5, .resume = true}).find("is missing"),
              std::string::npos);
  }
}

TEST_F(TrainingRunTest, CheckpointsOfAModelGoOnlyWhereItIsSaidThatItIsBeingReplaced) {
  train({.epochs = 2});
  const std::string checkpoint = read("checkpoint/checkpoint.safetensors");
  fs::create_directories(file("checkpoint/replaced/in_the_way"));
  EXPECT_THROW(train({.epochs = 2, .overwrite = true}), IoError);
  EXPECT_EQ(read("checkpoint/checkpoint.safetensors"), checkpoint);
}

TEST_F(TrainingRunTest, DamageToAModelThatIsBeingReplacedStaysToBeSeen) {
  train({.epochs = 1, .metrics = {0.9}});
  Json config = parse_json(read("config.json"), "config");
  config["altered"] = true;
  std::ofstream(file("config.json"), std::ios::binary) << config.dump(2);
  TrainingRun run = run_of({.overwrite = true});
  run.use_data("some text");
  Model model = model_of({});
  run.begin(model);
  EXPECT_THROW(ModelDirectory(directory_).verify(), FormatError);
}

TEST_F(TrainingRunTest, AModelThatIsMissingIsSaidAndMadeGood) {
  const std::vector<double> metrics{0.9, 0.2, 0.5, 0.4, 0.6};
  const auto lose = [&] {
    fs::remove_all(directory_);
    train({.epochs = 2, .metrics = metrics});
    for (const char* name : {"model.safetensors", "config.json", "SHA256SUMS", "history.csv"}) {
      fs::remove(file(name));
    }
  };
  // The best of the epochs from here on, whether or not there is a resume between.
  for (const bool in_parts : {false, true}) {
    SCOPED_TRACE(in_parts);
    lose();
    if (in_parts) {
      train({.epochs = 3, .resume = true, .metrics = metrics});
      EXPECT_EQ(epoch_of_model(), 3);
    }
    train({.epochs = 4, .resume = true, .metrics = metrics});
    if (!in_parts) {
      EXPECT_NE(log_.find(file("config.json") + ": the model of epoch 1 is missing"),
                std::string::npos)
          << log_;
    }
    EXPECT_NE(log_.find("has the model of epoch 3"), std::string::npos) << log_;
    EXPECT_EQ(epoch_of_model(), 3);
    EXPECT_NO_THROW(ModelDirectory(directory_).verify());
    train({.epochs = 5, .resume = true, .metrics = metrics});
    EXPECT_EQ(epoch_of_model(), 5);
  }
  // Where none is left, the last.
  lose();
  train({.epochs = 2, .resume = true, .metrics = metrics});
  EXPECT_NE(log_.find("has the model of epoch 2"), std::string::npos) << log_;
  EXPECT_EQ(epoch_of_model(), 2);
  // Stopped amid an epoch, as it is; then the next epoch's.
  lose();
  OnStep stop([](Model& model, const StepRecord&) { model.stop("enough"); });
  train({.epochs = 4, .resume = true, .metrics = metrics, .callbacks = {&stop}});
  EXPECT_NE(log_.find("of no epoch"), std::string::npos) << log_;
  EXPECT_EQ(epoch_of_model(), 0);
  train({.epochs = 4, .resume = true, .metrics = metrics});
  EXPECT_EQ(epoch_of_model(), 3);
}

TEST_F(TrainingRunTest, ASecondOneInTheDirectoryChangesNothing) {
  train({.epochs = 3});
  const ToyTraining again{.epochs = 4, .resume = true};
  TrainingRun first = run_of(again);
  first.use_data(again.data);
  Model model = model_of(again);
  first.begin(model);
  // A checkpoint that the one before would have to stand in for.
  std::ofstream(file("checkpoint/checkpoint.safetensors"), std::ios::binary) << "damaged";
  const auto before = files();
  TrainingRun second = run_of(again);
  second.use_data(again.data);
  Model other = model_of(again);
  EXPECT_THROW(second.begin(other), IoError);
  EXPECT_EQ(files(), before);
}

TEST_F(TrainingRunTest, WhatWasWrittenMeanwhileIsLookedAtAgain) {
  TrainingRun late = run_of({});
  late.use_data("some text");
  train({});
  const auto before = files();
  Model model = model_of({});
  try {
    late.begin(model);
    FAIL() << "it would replace a model that it did not see";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("there is a model already"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(files(), before);
}

TEST_F(TrainingRunTest, AnUnreadableCheckpointGivesItsPlaceUpAndIsKept) {
  train({.epochs = 3});
  const std::string newest = file("checkpoint/checkpoint.safetensors");
  fs::remove(newest);
  fs::create_directory(newest);  // opens, and fails to be read
  std::ofstream(newest + "/inside") << "x";
  const History history = train({.epochs = 4, .resume = true});
  EXPECT_EQ(history.epochs.size(), 4u);
  EXPECT_NE(log_.find(newest + ": is no regular file"), std::string::npos) << log_;
  EXPECT_NE(log_.find("kept as " + unread_checkpoint(newest)), std::string::npos) << log_;
  EXPECT_EQ(read_file(unread_checkpoint(newest) + "/inside"), "x");
}

TEST_F(TrainingRunTest, ADivergenceSaysHowToGoOn) {
  class Spoil : public Callback {
   public:
    void on_step_end(Model& model, const StepRecord& record) override {
      if (record.steps != 6) return;
      TensorList values = model.trained_parameters();
      values[0][0] = std::numeric_limits<float>::infinity();
      model.set_parameters(values);
    }
  } spoil;
  try {
    train({.epochs = 4, .callbacks = {&spoil}});
    FAIL() << "a parameter that is not finite went unnoticed";
  } catch (const DivergenceError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("is of step 4"), std::string::npos) << message;
    EXPECT_NE(message.find("--resume goes on with another --lr"), std::string::npos) << message;
  }
  EXPECT_EQ(epoch_of_model(), 1);
  train({.epochs = 4, .lr = 0.005, .resume = true});
  EXPECT_NE(log_.find("from step 5 on: --lr 0.005 instead of 0.01"), std::string::npos) << log_;
}

TEST_F(TrainingRunTest, DamageToTheModelIsNoticedAndNotMadeGood) {
  train({.epochs = 1, .metrics = {0.9}});
  const std::string weights = file("model.safetensors");
  std::string bytes = read_file(weights);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(weights, std::ios::binary) << bytes;
  // No epoch is better: only the history is written.
  train({.epochs = 3, .resume = true, .metrics = {0.9, 0.1, 0.2}});
  EXPECT_NE(log_.find(weights + ": damaged or altered"), std::string::npos) << log_;
  EXPECT_NE(log_.find("leaves it as it is"), std::string::npos) << log_;
  EXPECT_EQ(log_.find("has the model of"), std::string::npos) << log_;
  EXPECT_EQ(read("model.safetensors"), bytes);
  EXPECT_THROW(ModelDirectory(directory_).verify(), FormatError);
  train({.epochs = 4, .resume = true, .metrics = {0.9, 0.1, 0.2, 0.95}});
  EXPECT_NE(log_.find("has the model of epoch 4"), std::string::npos) << log_;
  EXPECT_NO_THROW(ModelDirectory(directory_).verify());
}

TEST_F(TrainingRunTest, OfTwoThatBeginAtOnceTheLoserLeavesTheDirectory) {
  for (int time = 0; time < 50; ++time) {
    fs::remove_all(directory_);
    std::barrier start(2);
    std::optional<TrainingRun> winners[2];
    const auto begin = [&](int which) {
      auto& run = winners[which];
      run.emplace(TrainingRunOptions{.directory = directory_}, recipe_of({}));
      run->use_data("some text");
      Model model = model_of({});
      start.arrive_and_wait();
      try {
        run->begin(model);
      } catch (const Error&) {
        run.reset();
      }
    };
    std::thread other(begin, 1);
    begin(0);
    other.join();
    EXPECT_NE(winners[0].has_value(), winners[1].has_value());
    EXPECT_TRUE(fs::is_directory(file("checkpoint")));
  }
}

}  // namespace
}  // namespace rnn
