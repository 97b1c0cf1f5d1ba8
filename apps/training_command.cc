#include "apps/training_command.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "apps/standard_input.h"
#include "base/file.h"
#include "base/json.h"
#include "rnn/error.h"

namespace rnn {
namespace {

namespace po = boost::program_options;

const OptionHelps kTrainingHelp = {
    {"epochs", {"passes over the training text"}},
    {"optimizer", {"sgd, momentum, rmsprop, adam or adamw", "NAME"}},
    {"lr", {"learning rate, for a loss that is a mean per token"}},
    {"momentum", {"of the optimizer momentum"}},
    {"weight-decay", {"L2 penalty; decoupled for adamw"}},
    {"clip", {"largest norm of all gradients together; 0: no limit"}},
    {"clip-value", {"largest absolute value of one gradient; 0: no limit"}},
    {"schedule", {"constant, step, plateau, cosine or one-cycle", "NAME"}},
    {"schedule-unit", {"what the schedule counts: steps, tokens or epochs", "NAME"}},
    {"schedule-warmup", {"rise linearly from 0 over this long"}},
    {"schedule-after", {"step: the first decay"}},
    {"schedule-every", {"step: between decays"}},
    {"schedule-factor", {"step, plateau: what the rate is multiplied by"}},
    {"schedule-patience", {"plateau: validations without gain that are endured"}},
    {"schedule-threshold", {"plateau: relative gain that counts"}},
    {"schedule-total", {"cosine, one-cycle: length; 0: the whole training"}},
    {"schedule-first", {"one-cycle: factor at the start"}},
    {"schedule-peak", {"one-cycle: where the rate is highest, as a share of the length"}},
    {"schedule-last", {"cosine, one-cycle: factor at the end"}},
    {"accumulate", {"batches whose gradients make one update"}},
    {"averaging", {"evaluate and save averaged weights: none, ema, asgd or nt-asgd", "NAME"}},
    {"averaging-momentum", {"ema: share of the old average that is kept at a step"}},
    {"averaging-start", {"asgd: epochs before it begins"}},
    {"averaging-non-monotone", {"nt-asgd: validations without gain before it begins"}},
    {"on-divergence",
     {"stop, skip the step, or restore the last checkpoint of an epoch or of --checkpoint-steps "
      "with half the rate",
      "NAME"}},
    {"early-stopping",
     {"stop after more epochs than this without a better validation; below 0: never"}},
    {"seed", {"of first weights and every random draw"}},
    {"precision", {"of products in training: fp32 or bf16", "NAME"}},
};

/// Columns of the terminal that standard error is.
int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

OptionHelps with_training_help(OptionHelps own) {
  own.insert(kTrainingHelp.begin(), kTrainingHelp.end());
  return own;
}

void add_training_files(CommandLine& line, const char* train, const char* valid) {
  line.add("Files")("train",
                    po::value<std::vector<std::string>>()->multitoken()->value_name("F..."), train)(
      "valid", po::value<std::string>()->default_value("")->value_name("F"), valid)(
      "model", po::value<std::string>()->value_name("DIR"), "model directory to write")(
      "overwrite", po::bool_switch(), "replace a model that is there")(
      "resume", po::bool_switch(),
      "go on from the checkpoint, perhaps with another --lr, --clip or --on-divergence; from the "
      "beginning without one");
}

void add_vectors_option(CommandLine& line) {
  line.add("Files")(
      "vectors", po::value<std::string>()->default_value("")->value_name("F"),
      "word vectors to start from, as text of word2vec or GloVe, as wide as --embedding");
}

void add_training_run(CommandLine& line) {
  line.add("Run")(
      "max-time", po::value<double>()->default_value(0, "none")->value_name("SECONDS"),
      "stop cleanly after so long, counted from the first step; a validation at hand and "
      "saving come on top; --resume goes on")(
      "checkpoint-steps", po::value<std::int64_t>()->default_value(0, "none")->value_name("N"),
      "write a checkpoint every N updates")(
      "checkpoint-minutes",
      po::value<double>()->default_value(CheckpointTimes().minutes, "10")->value_name("X"),
      "write one after so many minutes; 0: not by the clock")(
      "checkpoint-epochs", po::value<std::int64_t>()->default_value(1)->value_name("N"),
      "write one every N evaluations; a best one has its own in any case")(
      "json", po::bool_switch(), "print the result as one JSON object");
}

CheckpointTimes checkpoint_times(const CommandLine& line) {
  return {.steps = line.get<std::int64_t>("checkpoint-steps"),
          .minutes = line.get<double>("checkpoint-minutes"),
          .epochs = line.get<std::int64_t>("checkpoint-epochs")};
}

std::vector<std::string> training_files(const CommandLine& line) {
  auto train = line.get<std::vector<std::string>>("train");
  if (const auto standard = std::find(train.begin(), train.end(), "-"); standard != train.end()) {
    if (line.get<std::string>("valid") == "-") {
      throw ConfigError("--train and --valid cannot both be standard input");
    }
    *standard = reopenable_standard_input();
  }
  return train;
}

std::string read_network(const std::string& path) {
  const Json json = parse_json(read_stream(path, std::size_t{1} << 24), path);
  return (json.is_object() && json.contains("network") ? json["network"] : json).dump();
}

ProgressBarOptions progress_options() {
  return {.terminal = isatty(STDERR_FILENO) != 0, .columns = terminal_columns()};
}

void log_to_standard_error(const std::string& text) { std::cerr << text << std::endl; }

}  // namespace rnn
