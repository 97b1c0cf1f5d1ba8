// What the commands `rnn text ...` share: their inputs, their output and the progress they show.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "rnn/text/corpus.h"

namespace rnn {

/// Bytes done on stderr, when that is a terminal, standard output is none and the whole is known;
/// nothing otherwise.
class ByteProgress {
 public:
  ByteProgress();
  ~ByteProgress();
  ByteProgress(const ByteProgress&) = delete;
  ByteProgress& operator=(const ByteProgress&) = delete;

  void show(std::int64_t done, std::int64_t total);

 private:
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

/// The positional F..., --replace-invalid and --keep-marks.
void add_inputs(CommandLine& line);
std::vector<std::string> inputs(const CommandLine& line);
TextPolicy text_policy(const CommandLine& line);

/// --unit and what belongs to single units.
void add_tokenizer(CommandLine& line);
std::shared_ptr<const Tokenizer> tokenizer_of(const CommandLine& line);

/// Writes what `make` makes to a file, whole or not at all, or to standard output for "-". Whether
/// there can be such a file is found out before.
void write_output(const std::string& path, const std::function<std::string()>& make);

/// Shows every line of the inputs to `write`, which appends to the output what is to be written.
void filter_lines(const std::vector<std::string>& paths, const TextPolicy& policy,
                  const std::function<void(const LineReader& line, std::string& output)>& write);

}  // namespace rnn
