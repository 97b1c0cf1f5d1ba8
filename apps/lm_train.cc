#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/standard_input.h"
#include "base/file.h"
#include "base/json.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"

namespace rnn {
namespace {

namespace po = boost::program_options;
using Paths = std::vector<std::string>;

const OptionHelps kHelp = {
    {"unit", {"word, icu-word, char (grapheme cluster) or byte", "NAME"}},
    {"locale", {"of icu-word: a name such as ja or sv", "NAME"}},
    {"min-count", {"units seen less often become <unk>"}},
    {"max-vocabulary", {"keep so many of the most frequent units; 0: all"}},
    {"replace-invalid", {"replace invalid UTF-8 by U+FFFD instead of refusing it"}},
    {"cell", {"lstm, gru, gru-reset-before, rnn-tanh or rnn-relu", "NAME"}},
    {"embedding", {"width of the embedding; 0: as --hidden"}},
    {"hidden", {"units of each recurrent layer"}},
    {"layers", {"recurrent layers"}},
    {"tie", {"one table for embedding and softmax"}},
    {"dropout", {"after the embedding, between layers and before the softmax"}},
    {"dropout-shared", {"the same dropout mask at every step of a window"}},
    {"init", {"first weights uniform in [-X, X); 0: each layer's own rule"}},
    {"forget-bias", {"first value of the LSTM's forget bias"}},
    {"network", {"the network of a config.json, instead of the options from --cell on", "FILE"}},
    {"epochs", {"passes over the training text"}},
    {"batch", {"lanes worked on side by side"}},
    {"bptt", {"steps through which gradients flow"}},
    {"random-bptt", {"draw window lengths around --bptt (Merity et al. 2018)"}},
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
    {"early-stopping",
     {"stop after more epochs than this without a better validation; below 0: never"}},
    {"seed", {"of first weights and every random draw"}},
};

/// Columns of the terminal that standard error is.
int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// The network itself out of a file that holds it alone or, as config.json does, as a member.
std::string read_network(const std::string& path) {
  const Json json = parse_json(read_file(path, std::size_t{1} << 24), path);
  return (json.is_object() && json.contains("network") ? json["network"] : json).dump();
}

}  // namespace

void lm_train(const Arguments& arguments) {
  CommandLine line(
      "lm train --train F... --model DIR [options]",
      "Trains a language model. Progress goes to stderr; the model directory gets the\n"
      "best model by validation and a checkpoint. Ctrl-C saves and exits.");
  line.add("Files")(
      "train", po::value<Paths>()->multitoken()->value_name("F..."),
      "training text, UTF-8, one sentence a line, several files one after another; - is "
      "standard input")("valid", po::value<std::string>()->default_value("")->value_name("F"),
                        "validation text; without it the last tenth of the training text")(
      "model", po::value<std::string>()->value_name("DIR"), "model directory to write")(
      "overwrite", po::bool_switch(), "replace a model that is there")(
      "resume", po::bool_switch(), "go on from the checkpoint; from the beginning without one")(
      "init-from", po::value<std::string>()->default_value("")->value_name("DIR"),
      "a model of the same network whose vocabulary and weights to start from");
  line.add_fields("Recipe", LanguageModelRecipe{}, kHelp);
  line.add("Run")("max-time", po::value<double>()->default_value(0, "none")->value_name("SECONDS"),
                  "stop cleanly after so long; --resume goes on")(
      "initial-evaluation", po::bool_switch(), "also validate before the first step")(
      "json", po::bool_switch(), "print the result as one JSON object");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("train");
  line.require("model");

  LanguageModelRecipe recipe;
  line.read_fields(recipe);
  if (!recipe.network.empty()) recipe.network = read_network(recipe.network);
  Paths train = line.get<Paths>("train");
  if (const auto standard = std::find(train.begin(), train.end(), "-"); standard != train.end()) {
    if (line.get<std::string>("valid") == "-") {
      throw ConfigError("--train and --valid cannot both be standard input");
    }
    *standard = reopenable_standard_input();
  }

  StopOnInterrupt stop_on_interrupt;
  ProgressBar progress(std::cerr,
                       {.terminal = isatty(STDERR_FILENO) != 0, .columns = terminal_columns()});
  const History history = train_language_model(
      recipe, {.train = train,
               .valid = line.get<std::string>("valid"),
               .directory = line.get<std::string>("model"),
               .overwrite = line.get<bool>("overwrite"),
               .resume = line.get<bool>("resume"),
               .init_from = line.get<std::string>("init-from"),
               .initial_evaluation = line.get<bool>("initial-evaluation"),
               .max_time = line.get<double>("max-time"),
               .backend = backend_options(line),
               .callbacks = {&stop_on_interrupt, &progress},
               .log = [](const std::string& text) { std::cerr << text << std::endl; }});

  const EpochRecord* best = history.best();
  if (line.get<bool>("json")) {
    Json json = {{"model", line.get<std::string>("model")}, {"epochs", history.epochs.size()}};
    if (best) {
      json["best_epoch"] = best->epoch;
      json["train_ppl"] = perplexity(best->train);
      json["valid_tokens"] = best->validation->targets;
      json["valid_nats_per_token"] = best->validation->mean();
      json["valid_ppl"] = perplexity(*best->validation);
    }
    std::cout << json.dump() << "\n";
  }
}

}  // namespace rnn
