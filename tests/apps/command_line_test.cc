// Help, config files, wrong commands, and what a terminal sees.
#include "apps/command.h"

namespace rnn::test {
namespace {

class CommandLineUse : public Command {};

TEST_F(CommandLineUse, HelpIsOnStandardOutputAndFitsIntoEightyColumns) {
  for (const Words& command : std::vector<Words>{{"--help"},
                                                 {"-h"},
                                                 {"help"},
                                                 {"lm", "--help"},
                                                 {"lm", "train", "--help"},
                                                 {"lm", "eval", "-h"},
                                                 {"lm", "score", "--help"},
                                                 {"lm", "generate", "--help"},
                                                 {"inspect", "--help"}}) {
    const RunResult help = must_run(command);
    EXPECT_EQ(help.err, "");
    EXPECT_NE(help.out.find("Usage: rnn "), std::string::npos);
    EXPECT_EQ(help.out.find(" arg "), std::string::npos) << "a value without a name: " << help.out;
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  }
  EXPECT_EQ(must_run({"--version"}).out.substr(0, 4), "rnn ");
}

TEST_F(CommandLineUse, WrongCommandsAreToldWhatThereIs) {
  refuses(2, {}, {"rnn lm train", "rnn inspect"});
  refuses(2, {"lm"}, {"'lm' needs a verb", "rnn lm train"});
  refuses(2, {"lm", "dance"}, {"there is no command 'lm dance'", "rnn lm train"});
  refuses(2, {"dance"}, {"there is no command 'dance'"});
  refuses(2, {"lm", "train"}, {"--train is missing; see rnn lm train --help"});
  refuses(2, {"lm", "train", "--train", "train.txt"}, {"--model is missing"});
  refuses(2, {"lm", "eval", "--model", "m"}, {"--text is missing; see rnn lm eval --help"});
  refuses(2, {"inspect"}, {"--model is missing; see rnn inspect --help"});
  refuses(2, train("m", {"--hiden", "3"}), {"--hiden", "see rnn lm train --help"});
  refuses(2, train("m", {"--hid", "3"}), {"--hid", "see rnn lm train --help"});
  refuses(2, {"lm", "eval", "stray"}, {"a word too many"});
  refuses(2, train("m", {"--seed", "1", "--seed", "2"}), {"--seed", "more than once"});
}

TEST_F(CommandLineUse, AConfigFileHasTheSameOptionsAndFlagsWin) {
  files.write("recipe.conf",
              "# a recipe\ntrain = valid.txt\nvalid=valid.txt\r\n\n  hidden = 12  # units\n"
              "layers = 1\nbatch = 4\nbptt = 10\nepochs = 2\nlr = 0.01\ntie = true\n"
              "threads = 1\noverwrite = false\n");
  must_train("flags", {"--tie"});
  const RunResult result =
      must_run({"lm", "train", "--config", "recipe.conf", "--model", "m", "--train", "train.txt"});
  EXPECT_EQ(read("m/model.safetensors"), read("flags/model.safetensors"));
  EXPECT_EQ(read("m/config.json"), read("flags/config.json"));
  must_run({"lm", "train", "--config", "recipe.conf", "--model", "n", "--hidden=9", "--tie=false"});
  const Json recipe = parse_json(read("n/config.json"), "config")["recipe"];
  EXPECT_EQ(recipe["hidden"], 9);
  EXPECT_EQ(recipe["tie"], false);
  EXPECT_EQ(recipe["batch"], 4);
  files.write("two.conf", "train = train.txt\ntrain = valid.txt\n");
  must_run(
      {"lm", "train", "--config", "two.conf", "--model", "o", "--epochs", "1", "--hidden", "4"});
}

TEST_F(CommandLineUse, AConfigFileIsReadStrictly) {
  const auto wrong = [&](const std::string& text, const Words& parts) {
    files.write("c", text);
    refuses(2, train("m", {"--config", "c"}), parts);
  };
  wrong("hidden = 3\nfrob = 1\n", {"c:2: unknown option 'frob'"});
  wrong("hid = 3\n", {"c:1: unknown option 'hid'"});
  wrong("= 3\n", {"c:1: unknown option ''"});
  wrong("\nclip 3\n", {"c:2: expected `name = value`"});
  wrong("clip = x\n", {"c:1:", "clip"});
  wrong("clip = 1%value%\n", {"c:1:", "1%value%"});
  refuses(2, train("m", {"--clip", "1%value%"}), {"1%value%"});
  wrong("clip = 1\nclip = 2\n", {"c:2: 'clip' was given in line 1 already"});
  wrong("config = c\n", {"c:1: unknown option 'config'"});
  wrong("help = 1\n", {"c:1: unknown option 'help'"});
  refuses(1, train("m", {"--config", "nowhere"}), {"nowhere", "No such file"});
  refuses(1, train("m", {"--config", "."}), {".:", "Is a directory"});
}

TEST_F(CommandLineUse, ProgressIsPlainLinesWhereThereIsNoTerminal) {
  const RunResult result = must_train("m");
  EXPECT_EQ(result.out, "");
  for (const char c : {'\r', '\x1b'}) EXPECT_EQ(result.err.find(c), std::string::npos);
  std::set<std::string> lines;
  std::istringstream text(result.err);
  for (std::string line; std::getline(text, line);) {
    EXPECT_TRUE(line.empty() || lines.insert(line).second) << "twice: " << line;
  }
  EXPECT_NE(result.err.find("epoch 2  train loss "), std::string::npos);
  EXPECT_NE(result.err.find("lr 0.01  "), std::string::npos) << result.err;
  EXPECT_EQ(result.err.substr(result.err.rfind('\n', result.err.size() - 2) + 1, 27),
            "m has the model of epoch 2,");
}

/// What stands on the terminal after all was written, line by line.
Words screen(const std::string& bytes) {
  Words lines{""};
  std::size_t column = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string& line = lines.back();
    if (bytes[i] == '\r') {
      column = 0;
    } else if (bytes[i] == '\n') {
      lines.emplace_back();
      column = 0;
    } else if (bytes.compare(i, 3, "\x1b[K") == 0) {
      line.resize(column);
      i += 2;
    } else {
      line.resize(std::max(line.size(), column + 1), ' ');
      line[column++] = bytes[i];
    }
  }
  return lines;
}

TEST_F(CommandLineUse, ProgressOnATerminalRedrawsOneLineAndEndsCleanly) {
  const Words words = train("m", {"--hidden", "64", "--epochs", "3"});
  const RunResult whole = must_run(words, {.terminal = true});
  EXPECT_NE(whole.err.find("epoch 1/3 ["), std::string::npos);
  // No redrawn line may be wider than the terminal.
  for (std::size_t at = whole.err.find("\repoch"); at != std::string::npos;
       at = whole.err.find("\repoch", at + 1)) {
    EXPECT_LT(whole.err.find("\x1b[K", at) - at - 1, 80u);
  }
  for (const std::string& line : screen(whole.err)) {
    EXPECT_EQ(line.find('['), line.find("[0-9]")) << "left on the screen: " << line;
  }
  // Stopped in the middle, or failing: the message has a line of its own.
  const Words stopped =
      screen(run(train("n", {"--hidden", "64", "--epochs", "100", "--max-time", "0.3"}),
                 {.terminal = true})
                 .err);
  EXPECT_EQ(stopped.at(stopped.size() - 3), "stopped: the time limit of 0.3 s is reached");
  const Words failed = screen(run(train("o", {"--optimizer", "sgd", "--clip", "0", "--lr", "1e4",
                                              "--epochs", "100", "--cell", "rnn-relu"}),
                                  {.terminal = true})
                                  .err);
  EXPECT_EQ(failed.at(failed.size() - 2).substr(0, 23), "rnn: training diverged ");
}

TEST_F(CommandLineUse, InspectTellsWhatThereIs) {
  must_train("m");
  const RunResult text = must_run({"inspect", "m"});
  for (const char* part : {"task language-model", "LSTM  units=12", "lstm/recurrent_kernel [12,48]",
                           "unit word", "hidden 12", "lr 0.01\n", "epoch 2"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " is not in " << text.out;
  }
  const Json json = must_run({"inspect", "m", "--json"}).json();
  EXPECT_EQ(json["format"], 1);
  EXPECT_EQ(json["tokenizer"]["unit"], "word");
  EXPECT_EQ(json["tensors"]["lstm/bias"], Json({48}));
  EXPECT_EQ(json["parameters"], 22 * 12 + 12 * 48 * 2 + 48 + 12 * 22 + 22);
  EXPECT_EQ(json["vocabulary_size"], 22);
}

}  // namespace
}  // namespace rnn::test
