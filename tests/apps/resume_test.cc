// Training that was stopped, by the clock, by a signal or by a kill, ends with the same model.
#include "apps/command.h"

namespace rnn::test {
namespace {

class Resume : public Command {
 protected:
  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
  /// Long enough to be stopped in the middle.
  static Words long_training(const std::string& model, const Words& more = {},
                             const char* threads = "1") {
    Words words = train(model, {"--hidden", "48", "--epochs", "6", "--dropout", "0.2", "--schedule",
                                "cosine", "--random-bptt", "--threads", threads});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  /// Runs again and again with --resume until nothing stops it; returns how often it was stopped.
  int resume_until_done(const Words& arguments, RunOptions options = {}) const {
    for (int stops = 0; stops < 2000; ++stops) {
      const RunResult result = run(arguments, options);
      EXPECT_EQ(result.code, 0) << result.err;
      if (result.code != 0 || result.err.find("stopped: ") == std::string::npos) return stops;
    }
    ADD_FAILURE() << "it never ends";
    return 0;
  }
};

TEST_F(Resume, ManyShortRunsGiveTheModelOfOneLongRun) {
  must_run(long_training("whole"));
  for (const char* threads : {"1", "2"}) {
    const std::string model = "parts" + std::string(threads);
    const Words again = long_training(model, {"--resume", "--max-time", "0.01"}, threads);
    EXPECT_GT(resume_until_done(again), 0);
    expect_same("whole", model);
  }
}

TEST_F(Resume, InBf16LikewiseAndThatIsAnotherModel) {
  must_run(long_training("fp32"));
  must_run(long_training("whole", {"--precision", "bf16"}));
  EXPECT_NE(read("whole/model.safetensors"), read("fp32/model.safetensors"));
  const Words again =
      long_training("parts", {"--precision", "bf16", "--resume", "--max-time", "0.01"}, "2");
  EXPECT_GT(resume_until_done(again), 0);
  expect_same("whole", "parts");
}

TEST_F(Resume, ASignalSavesAndExitsCleanly) {
  const Words epochs{"--epochs", "40"};
  must_train("whole", epochs);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const std::string model = "signal" + std::to_string(signal);
    Words again = train(model, epochs);
    again.push_back("--resume");
    // A signal before the first step just ends the program, which has nothing to save yet: a busy
    // machine may need a later one.
    bool stopped = false;
    for (int milliseconds = 15; !stopped && milliseconds < 4000; milliseconds *= 2) {
      RunOptions options;
      options.meanwhile = [&](pid_t child) {
        usleep(static_cast<useconds_t>(milliseconds) * 1000);
        kill(child, signal);
        if (signal == SIGHUP) kill(child, signal);  // as a shell and the kernel do
      };
      const RunResult result = run(again, options);
      stopped =
          result.err.find("stopped: interrupted; --resume goes on from here") != std::string::npos;
      EXPECT_EQ(result.code, stopped ? 0 : 128 + signal) << result.err;
    }
    EXPECT_TRUE(stopped);
    must_run({"lm", "eval", "--model", model, "--text", "valid.txt"});
    must_run(again);
    expect_same("whole", model);
  }
}

TEST_F(Resume, ASignalAmidAValidationSavesAndExits) {
  files.write("train.txt", made_up_text(12, 1));
  files.write("valid.txt", made_up_text(25000, 2));
  const Words more{"--hidden", "64", "--epochs", "1", "--checkpoint-steps", "1"};
  must_train("whole", more);
  Words again = train("m", more);
  again.push_back("--resume");
  RunOptions options;
  options.meanwhile = [&](pid_t child) {
    for (int tries = 0; tries < 20000 && !exists("m/checkpoint/checkpoint.safetensors"); ++tries) {
      usleep(1000);
    }
    usleep(50000);  // the steps that are left take less, the validation takes more
    kill(child, SIGTERM);
  };
  const RunResult result = run(again, options);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("stopped: interrupted"), std::string::npos) << result.err;
  EXPECT_NE(must_run(again).err.find("0 of 1 epochs are done"), std::string::npos);
  expect_same("whole", "m");
}

TEST_F(Resume, AHangupThatIsIgnoredStaysSo) {
  RunOptions options{.ignored = {SIGHUP}};  // nohup
  options.meanwhile = [&](pid_t child) {
    for (int tries = 0; tries < 20000 && !exists("m/checkpoint/checkpoint.safetensors"); ++tries) {
      usleep(1000);
    }
    kill(child, SIGHUP);
  };
  const RunResult result = run(train("m", {"--epochs", "20"}), options);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err.find("stopped"), std::string::npos) << result.err;
}

TEST_F(Resume, MessagesThatNobodyReadsDoNotEndATraining) {
  must_train("whole", {"--epochs", "20"});
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  RunOptions options{.error = ends[1]};
  options.meanwhile = [&](pid_t) {
    for (int tries = 0; tries < 20000 && !exists("m/checkpoint/checkpoint.safetensors"); ++tries) {
      usleep(1000);
    }
    close(ends[0]);
    close(ends[1]);
  };
  EXPECT_EQ(run(train("m", {"--epochs", "20"}), options).code, 0);
  expect_same("whole", "m");
}

TEST_F(Resume, ASecondCtrlCExitsAtOnceWithoutDamage) {
  // Steps that are long enough for a second signal to arrive in the one where the first did.
  const auto slow = [](const std::string& model) {
    return train(model, {"--hidden", "512", "--batch", "16", "--bptt", "30", "--epochs", "2",
                         "--checkpoint-steps", "2", "--threads", "1", "--resume"});
  };
  must_run(slow("whole"));
  bool at_once = false;
  for (int milliseconds = 60; !at_once && milliseconds < 2000; milliseconds += 90) {
    RunOptions options;
    options.meanwhile = [&](pid_t child) {
      // It may take seconds to begin, under sanitizers or beside other work.
      for (int tries = 0; tries < 20000 && !exists("m/checkpoint"); ++tries) usleep(1000);
      usleep(static_cast<useconds_t>(milliseconds) * 1000);
      kill(child, SIGINT);
      usleep(1000);
      kill(child, SIGINT);
    };
    const RunResult result = run(slow("m"), options);
    const bool saved = result.err.find("stopped: interrupted") != std::string::npos;
    const bool training = result.err.find("epoch") != std::string::npos || exists("m/checkpoint");
    at_once = result.code == 128 + SIGINT && !saved && training;
  }
  EXPECT_TRUE(at_once);
  must_run(slow("m"));
  expect_same("whole", "m");
}

TEST_F(Resume, AKillAtAnyMomentLeavesNothingThatResumingDoesNotMend) {
  must_run(long_training("whole"));
  for (int milliseconds = 20; milliseconds < 400; milliseconds += 45) {
    RunOptions options;
    options.meanwhile = [&](pid_t child) {
      usleep(static_cast<useconds_t>(milliseconds) * 1000);
      kill(child, SIGKILL);
    };
    run(long_training("killed", {"--resume"}), options);
  }
  must_run(long_training("killed", {"--resume"}, "2"));
  expect_same("whole", "killed");
  const auto written = [&](const char* model, const char* threads) {
    return must_run({"lm", "generate", "--model", model, "--length", "30", "--seed", "5",
                     "--threads", threads})
        .out;
  };
  EXPECT_EQ(written("whole", "1"), written("killed", "3"));
}

TEST_F(Resume, CheckpointsAreWrittenWhenTheCommandSaysSo) {
  // Epochs are long; killed in the first, only what was written at intervals is left.
  const auto training = [](const std::string& model, const Words& more) {
    Words words{"--epochs", "9", "--hidden", "256", "--batch", "1", "--bptt", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return train(model, words);
  };
  const auto left_of = [&](const std::string& model, const Words& when) {
    RunOptions options;
    options.meanwhile = [&](pid_t child) {
      const std::string checkpoint = model + "/checkpoint/checkpoint.safetensors";
      for (int tries = 0; tries < 20000 && !exists(checkpoint); ++tries) usleep(1000);
      kill(child, SIGKILL);
    };
    run(training(model, when), options);
    return must_run(training(model, {"--resume", "--max-time", "0.01"})).err;
  };
  EXPECT_NE(left_of("steps", {"--checkpoint-steps", "5"}).find("0 of 9 epochs"), std::string::npos);
  EXPECT_NE(left_of("minutes", {"--checkpoint-minutes", "0.0002"}).find("0 of 9 epochs"),
            std::string::npos);
  EXPECT_EQ(left_of("epochs", {}).find("0 of 9 epochs"), std::string::npos);
  refuses(2, train("m", {"--checkpoint-steps", "-1"}), {"checkpoint every_steps", "at least 0"});
}

TEST_F(Resume, AfterTheEndItChangesNothing) {
  must_train("m");
  const auto before = listing();
  const std::string model = read("m/model.safetensors"), history = read("m/history.csv"),
                    checkpoint = read("m/checkpoint/checkpoint.safetensors");
  const RunResult again = must_train("m", {"--resume", "--json"});
  EXPECT_NE(again.err.find("2 of 2 epochs are done"), std::string::npos) << again.err;
  EXPECT_EQ(again.json()["epochs"], 2);
  EXPECT_EQ(listing(), before);
  EXPECT_EQ(read("m/model.safetensors"), model);
  EXPECT_EQ(read("m/history.csv"), history);
  EXPECT_EQ(read("m/checkpoint/checkpoint.safetensors"), checkpoint);
}

TEST_F(Resume, MoreEpochsGoOn) {
  must_train("m", {"--epochs", "4"});
  must_train("n", {"--epochs", "2"});
  must_train("n", {"--epochs", "4", "--resume"});
  expect_same("m", "n");
}

TEST_F(Resume, EarlyStoppingStaysStopped) {
  const Words much{"--epochs", "50", "--lr", "0.2", "--early-stopping", "1"};
  must_train("m", much);
  const std::string history = read("m/history.csv");
  Words again = much;
  again.push_back("--resume");
  must_train("m", again);
  EXPECT_EQ(read("m/history.csv"), history);
  EXPECT_LT(std::count(history.begin(), history.end(), '\n'), 51);
}

TEST_F(Resume, WithoutACheckpointItStarts) {
  const RunResult result = must_train("m", {"--resume"});
  EXPECT_NE(result.err.find("no checkpoint yet: starting from the beginning"), std::string::npos);
  must_train("n");
  expect_same("m", "n");
}

TEST_F(Resume, AModelWhoseCheckpointWasRemovedIsNotTrainedAnew) {
  must_train("m");
  std::filesystem::remove_all(path("m/checkpoint"));
  refuses(2, train("m", {"--resume"}),
          {"m/checkpoint/checkpoint.safetensors", "missing", "--overwrite"});
  refuses(2, train("m", {"--resume", "--hidden", "13"}), {"--hidden 12", "now it is 13"});
  refuses(2, train("m", {"--resume", "--lr", "0.02"}), {"--lr 0.01", "now it is 0.02"});
  refuses(2, train("m", {"--resume", "--valid", "train.txt"}), {"another text"});
  must_train("m", {"--overwrite"});
  // Killed before its first checkpoint, it becomes the same model.
  must_train("n", {"--epochs", "1"});
  std::filesystem::remove_all(path("n/checkpoint"));
  refuses(2, train("n", {"--resume", "--epochs", "1", "--valid", "train.txt"}), {"another text"});
  must_train("n", {"--resume"});
  expect_same("m", "n");
}

TEST_F(Resume, ADivergenceIsGoneOnFromWithARemedy) {
  const Words more{"--optimizer", "sgd", "--clip", "0", "--epochs", "4"};
  const auto training = [&](const Words& others) {
    Words words = more;
    words.insert(words.end(), others.begin(), others.end());
    return train("m", words);
  };
  must_train("m", {"--optimizer", "sgd", "--clip", "0", "--lr", "0.5"});
  const std::string model = read("m/model.safetensors");
  const RunResult result = run(training({"--resume", "--lr", "3e38"}));
  EXPECT_EQ(result.code, 1);
  for (const char* part :
       {"--lr 3e+38 instead of 0.5", "training diverged at step ", "gradient norm ",
        "learning rate ", "finite", "the checkpoint m/checkpoint/", "is of step ",
        "--resume goes on with another --lr"}) {
    EXPECT_NE(result.err.find(part), std::string::npos) << part << " not in: " << result.err;
  }
  EXPECT_EQ(read("m/model.safetensors"), model);
  const RunResult mended =
      must_run(training({"--resume", "--lr", "0.2", "--on-divergence", "restore"}));
  for (const char* part :
       {"--lr 0.2 instead of ", "--on-divergence \"restore\" instead of \"stop\""}) {
    EXPECT_NE(mended.err.find(part), std::string::npos) << part << " not in: " << mended.err;
  }
  EXPECT_NE(mended.err.find("m has the model of epoch 4"), std::string::npos) << mended.err;
}

TEST_F(Resume, AnotherRecipeIsRefusedByItsName) {
  must_train("m");
  for (const auto& [option, value] : std::map<std::string, std::string>{{"--hidden", "13"},
                                                                        {"--cell", "gru"},
                                                                        {"--batch", "5"},
                                                                        {"--optimizer", "sgd"},
                                                                        {"--seed", "2"},
                                                                        {"--unit", "char"},
                                                                        {"--accumulate", "2"},
                                                                        {"--schedule-warmup", "3"},
                                                                        {"--dropout", "0.1"},
                                                                        {"--min-count", "2"}}) {
    refuses(2, train("m", {"--resume", option, value}),
            {"resume:", option + " ", value, "overwrite"});
  }
  refuses(2, train("m", {"--resume", "--tie"}), {"--tie false", "now it is true"});
}

TEST_F(Resume, AnotherTextIsRefused) {
  must_train("m");
  const std::string text = read("train.txt");
  files.write("other.txt", text.substr(text.find('\n') + 1) + text.substr(0, text.find('\n') + 1));
  refuses(2, train("m", {"--resume", "--train", "other.txt"}), {"another text", "--train"});
  refuses(2, train("m", {"--resume", "--valid", "train.txt"}), {"another text", "--valid"});
}

TEST_F(Resume, ADamagedCheckpointIsReplacedByTheOneBefore) {
  const std::string newest = "m/checkpoint/checkpoint.safetensors", before = newest + ".previous";
  must_train("whole", {"--epochs", "4"});
  must_train("m", {"--epochs", "3"});
  const std::string whole = read(newest);
  std::string flipped = whole;
  flipped[whole.size() - 9] ^= 1;
  for (const std::string& damaged : {whole.substr(0, whole.size() - 9), flipped, std::string()}) {
    files.write(newest, damaged);
    const RunResult result = must_train("m", {"--epochs", "4", "--resume"});
    EXPECT_NE(result.err.find(newest), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("going on from the checkpoint before it"), std::string::npos);
    EXPECT_NE(result.err.find("2 of 4 epochs are done"), std::string::npos) << result.err;
    expect_same("whole", "m");
    std::filesystem::remove_all(path("m"));
    must_train("m", {"--epochs", "3"});
  }
  files.write(newest, flipped);
  files.write(before, "");
  refuses(1, train("m", {"--resume"}), {newest + ": damaged", before, "begin anew"});
  must_train("m", {"--overwrite"});
}

TEST_F(Resume, AModelThatIsBeingReplacedIsNotKeptForTheNewOne) {
  must_train("m");
  const Words worse{"--lr", "0.00001"};
  must_train("whole", worse);
  // The first epoch is long enough to be killed in.
  Words words = train("m", {"--lr", "0.00001", "--checkpoint-steps", "1", "--overwrite"});
  namespace fs = std::filesystem;
  const std::string checkpoint = path("m/checkpoint/checkpoint.safetensors");
  const auto old = fs::last_write_time(checkpoint);
  RunOptions options;
  options.meanwhile = [&](pid_t child) {
    for (int tries = 0; tries < 20000; ++tries) {
      std::error_code error;
      if (const auto now = fs::last_write_time(checkpoint, error); !error && now != old) break;
      usleep(500);
    }
    kill(child, SIGKILL);
  };
  run(words, options);
  const RunResult result = must_train("m", {"--lr", "0.00001", "--resume"});
  EXPECT_EQ(result.err.find("keeps the model that was there"), std::string::npos) << result.err;
  expect_same("whole", "m");
}

TEST_F(Resume, AnyNumberOfThreadsTrainsTheSameModel) {
  const Words more{"--averaging", "asgd", "--accumulate", "2",
                   "--dropout",   "0.2",  "--hidden",     "33"};
  must_train("one", more);
  for (const char* threads : {"2", "3", "8"}) {
    Words words = more;
    words.insert(words.end(), {"--threads", threads});
    must_train(threads, words);
    expect_same("one", threads);
  }
}

TEST_F(Resume, OverwriteReplacesAndExcludesResume) {
  must_train("m");
  refuses(2, train("m"), {"m: there is a model already", "--overwrite", "--resume"});
  refuses(2, train("m", {"--resume", "--overwrite"}), {"--overwrite", "--resume"});
  must_train("m", {"--overwrite", "--hidden", "8"});
  must_train("n", {"--hidden", "8"});
  expect_same("m", "n");
}

}  // namespace
}  // namespace rnn::test
