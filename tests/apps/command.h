// Runs the built command as a user does: in a process of its own, in a directory that goes with the
// test, on a made-up text.
#pragma once

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "text/text_files.h"

namespace rnn::test {

using Words = std::vector<std::string>;

struct RunOptions {
  std::string input{};        ///< what standard input has
  bool input_is_pipe = true;  ///< otherwise a file
  std::string output{};       ///< a file for standard output that the command did not make
  std::map<std::string, std::string> environment{};
  std::int64_t largest_file = -1;  ///< bytes that a file may have (RLIMIT_FSIZE)
  bool terminal = false;           ///< standard error is a terminal of 80 columns
  int error = -1;                  ///< or this descriptor
  std::set<int> ignored{};         ///< signals that whoever started it has it ignore
  /// Called with the process while it runs.
  std::function<void(pid_t)> meanwhile{};
};

struct RunResult {
  int code = -1;
  std::string out{}, err{};
  Json json() const { return parse_json(out, "standard output"); }
};

/// About so many sentences over twenty words. The same numbers give the same text.
inline std::string made_up_text(int sentences, unsigned seed) {
  static const char* const kWords[] = {"the",  "a",    "old",  "young", "red",  "fox",  "crow",
                                       "hen",  "wolf", "saw",  "met",   "fed",  "left", "river",
                                       "hill", "moon", "home", "and",   "then", "sang"};
  std::string text;
  for (int i = 0; i < sentences; ++i) {
    const unsigned length = 3 + (seed = seed * 1664525 + 1013904223) / 65536 % 7;
    for (unsigned w = 0; w < length; ++w) {
      seed = seed * 1664525 + 1013904223;
      text += (w > 0 ? " " : "") + std::string(kWords[seed / 65536 % 20]);
    }
    text += '\n';
  }
  return text;
}

class Command : public ::testing::Test {
 protected:
  Command() {
    files.write("train.txt", made_up_text(300, 1));
    files.write("valid.txt", made_up_text(40, 2));
  }

  std::string path(const std::string& name) const { return files.path(name); }
  std::string read(const std::string& name) const { return TextFiles::read(path(name)); }

  /// Every file and directory below the test's own, for before and after.
  std::set<std::string> listing() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(files.directory())) {
      names.insert(entry.path().string());
    }
    return names;
  }

  /// Runs `rnn` with these arguments in the test's directory.
  RunResult run(const Words& arguments, const RunOptions& options = {}) const {
    const TextFiles streams;
    const std::string in = streams.write("in", options.input), err = streams.write("err", "");
    const std::string out = options.output.empty() ? streams.write("out", "") : options.output;
    int pipe_ends[2] = {-1, -1}, master = -1, slave = -1;
    if (options.input_is_pipe && pipe2(pipe_ends, O_CLOEXEC) != 0) ADD_FAILURE() << "pipe";
    winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    if (options.terminal && openpty(&master, &slave, nullptr, nullptr, &size) != 0) {
      ADD_FAILURE() << "openpty";
    }
    const pid_t child = fork();
    if (child == 0) {
      dup2(options.input_is_pipe ? pipe_ends[0] : open(in.c_str(), O_RDONLY), 0);
      dup2(open(out.c_str(), O_WRONLY), 1);
      dup2(options.terminal     ? slave
           : options.error >= 0 ? options.error
                                : open(err.c_str(), O_WRONLY),
           2);
      for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
        signal(number, options.ignored.contains(number) ? SIG_IGN : SIG_DFL);
      }
      for (const auto& [name, value] : options.environment) {
        setenv(name.c_str(), value.c_str(), 1);
      }
      if (options.largest_file >= 0) {
        const auto bytes = static_cast<rlim_t>(options.largest_file);
        const rlimit limit{bytes, bytes};
        setrlimit(RLIMIT_FSIZE, &limit);
      }
      Words words{"rnn"};
      words.insert(words.end(), arguments.begin(), arguments.end());
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      if (chdir(files.directory().c_str()) == 0) execv(RNN_COMMAND, argv.data());
      _exit(127);
    }
    RunResult result;
    if (options.input_is_pipe) {
      close(pipe_ends[0]);
      // Small enough for the pipe; a command that does not read is no error.
      EXPECT_LE(options.input.size(), 65536u);
      [[maybe_unused]] const ssize_t written =
          write(pipe_ends[1], options.input.data(), options.input.size());
      close(pipe_ends[1]);
    }
    if (options.meanwhile) options.meanwhile(child);
    if (options.terminal) {
      close(slave);
      char buffer[4096];
      for (ssize_t n; (n = ::read(master, buffer, sizeof buffer)) > 0;) {
        result.err.append(buffer, static_cast<std::size_t>(n));
      }
      close(master);
    }
    int status = 0;
    waitpid(child, &status, 0);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (options.output.empty()) result.out = TextFiles::read(out);
    if (!options.terminal) result.err = TextFiles::read(err);
    return result;
  }

  /// Arguments that train a small model quickly. `more` wins, because nothing here repeats it.
  static Words train(const std::string& model, const Words& more = {}) {
    Words words{"lm", "train", "--model", model};
    const auto standard = [&](const char* option, const char* value) {
      if (std::find(more.begin(), more.end(), option) == more.end()) {
        words.insert(words.end(), {option, value});
      }
    };
    standard("--train", "train.txt");
    standard("--valid", "valid.txt");
    if (std::find(more.begin(), more.end(), "--network") == more.end()) {
      standard("--hidden", "12");
      standard("--layers", "1");
    }
    standard("--batch", "4");
    standard("--bptt", "10");
    standard("--epochs", "2");
    standard("--lr", "0.01");
    standard("--threads", "1");
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  /// Trains, and expects that to succeed.
  RunResult must_train(const std::string& model, const Words& more = {}) const {
    const RunResult result = run(train(model, more));
    EXPECT_EQ(result.code, 0) << result.err;
    return result;
  }
  RunResult must_run(const Words& arguments, const RunOptions& options = {}) const {
    const RunResult result = run(arguments, options);
    EXPECT_EQ(result.code, 0) << result.err;
    return result;
  }
  /// Expects a refusal whose message has all the parts, on standard error alone, that leaves the
  /// directory as it was.
  void refuses(int code, const Words& arguments, const Words& parts,
               const RunOptions& options = {}) const {
    const auto before = listing();
    const RunResult result = run(arguments, options);
    EXPECT_EQ(result.code, code) << result.err;
    for (const std::string& part : parts) {
      EXPECT_NE(result.err.find(part), std::string::npos)
          << "\"" << part << "\" is not in: " << result.err;
    }
    EXPECT_EQ(result.err.find("unexpected failure"), std::string::npos) << result.err;
    EXPECT_EQ(listing(), before);
  }

  /// Two model directories, but for the seconds that their trainings took.
  void expect_same(const std::string& a, const std::string& b) const {
    for (const char* file : {"/model.safetensors", "/config.json", "/vocabulary.txt"}) {
      EXPECT_EQ(read(a + file), read(b + file)) << file;
    }
    EXPECT_EQ(without_seconds(read(a + "/history.csv")), without_seconds(read(b + "/history.csv")));
  }
  static std::string without_seconds(const std::string& csv) {
    std::string text;
    std::istringstream lines(csv);
    for (std::string line; std::getline(lines, line);)
      text += line.substr(0, line.rfind(',')) + '\n';
    return text;
  }

  TextFiles files;
};

}  // namespace rnn::test
