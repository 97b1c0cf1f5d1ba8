// What the commands `rnn <task> train` share.
#pragma once

#include <string>
#include <vector>

#include "apps/command_line.h"
#include "rnn/callback.h"
#include "rnn/checkpoint.h"

namespace rnn {

/// The helps of a task's own fields, and those of the fields that every recipe has.
OptionHelps with_training_help(OptionHelps own);

/// --train, --valid, --model, --overwrite and --resume.
void add_training_files(CommandLine& line, const char* train, const char* valid);
/// --vectors.
void add_vectors_option(CommandLine& line);
/// --max-time, --json and when checkpoints are written.
void add_training_run(CommandLine& line);
/// What --train says; standard input among it can be read more than once.
std::vector<std::string> training_files(const CommandLine& line);

/// The network itself out of a file that holds it alone or, as config.json does, as a member.
std::string read_network(const std::string& path);

/// What --checkpoint-steps, -minutes and -epochs say.
CheckpointTimes checkpoint_times(const CommandLine& line);

void log_to_standard_error(const std::string& text);
/// For standard error as it is: a terminal or a file.
ProgressBarOptions progress_options();

/// The run of a task as far as all tasks have it. `callbacks` are borrowed.
template <class Run>
Run training_run(const CommandLine& line, const std::vector<Callback*>& callbacks) {
  Run run;
  run.train = training_files(line);
  run.valid = line.get<std::string>("valid");
  run.directory = line.get<std::string>("model");
  run.overwrite = line.get<bool>("overwrite");
  run.resume = line.get<bool>("resume");
  run.max_time = line.get<double>("max-time");
  run.checkpoint = checkpoint_times(line);
  run.backend = backend_options(line);
  run.callbacks = callbacks;
  run.log = log_to_standard_error;
  return run;
}

}  // namespace rnn
