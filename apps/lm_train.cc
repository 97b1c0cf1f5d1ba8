#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/training_command.h"
#include "base/json.h"
#include "rnn/tasks/language_model.h"

namespace rnn {
namespace {

namespace po = boost::program_options;

const OptionHelps kHelp = {
    {"unit", {"word, icu-word, char (grapheme cluster) or byte", "NAME"}},
    {"locale", {"of icu-word: a name such as ja or sv", "NAME"}},
    {"min-count", {"units seen less often become <unk>"}},
    {"max-vocabulary", {"keep so many of the most frequent units; 0: all"}},
    {"replace-invalid", {"replace invalid UTF-8 by U+FFFD instead of refusing it"}},
    {"cell", {"lstm, gru, gru-reset-before, rnn (tanh) or rnn-relu", "NAME"}},
    {"embedding", {"width of the embedding; 0: as --hidden"}},
    {"hidden", {"units of each recurrent layer"}},
    {"layers", {"recurrent layers"}},
    {"tie", {"one table for embedding and softmax"}},
    {"dropout", {"after the embedding, between layers and before the softmax"}},
    {"dropout-shared", {"the same dropout mask at every step of a window"}},
    {"init", {"first weights uniform in [-X, X); 0: each layer's own rule"}},
    {"forget-bias", {"first value of the LSTM's forget bias"}},
    {"network", {"the network of a config.json, instead of the options from --cell on", "FILE"}},
    {"batch", {"lanes worked on side by side"}},
    {"bptt", {"steps through which gradients flow"}},
    {"random-bptt", {"draw window lengths around --bptt (Merity et al. 2018)"}},
};

}  // namespace

void lm_train(const Arguments& arguments) {
  CommandLine line(
      "lm train --train F... --model DIR [options]",
      "Trains a language model. Progress goes to stderr; the model directory gets the\n"
      "best model by validation and a checkpoint. Ctrl-C saves and exits.");
  add_training_files(line,
                     "training text, UTF-8, one sentence a line, several files one after another; "
                     "- is standard input",
                     "validation text; without it the last tenth of the training text");
  line.add("Files")("init-from", po::value<std::string>()->default_value("")->value_name("DIR"),
                    "a model of the same network whose vocabulary and weights to start from");
  line.add_fields("Recipe", LanguageModelRecipe{}, with_training_help(kHelp));
  add_training_run(line);
  line.add("Run")("initial-evaluation", po::bool_switch(), "also validate before the first step");
  add_machine_options(line);
  if (!line.parse(arguments)) return;
  line.require("train");
  line.require("model");

  LanguageModelRecipe recipe;
  line.read_fields(recipe);
  if (!recipe.network.empty()) recipe.network = read_network(recipe.network);
  StopOnInterrupt stop_on_interrupt;
  ProgressBar progress(std::cerr, progress_options());
  auto run = training_run<LanguageModelRun>(line, {&stop_on_interrupt, &progress});
  run.init_from = line.get<std::string>("init-from");
  run.initial_evaluation = line.get<bool>("initial-evaluation");
  const History history = train_language_model(recipe, run);

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
