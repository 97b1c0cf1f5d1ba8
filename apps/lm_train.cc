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
    {"unit",
     {"word, icu-word, char (grapheme cluster), byte, sentencepiece (pieces learned from the text) "
      "or regex",
      "NAME"}},
    {"locale", {"of icu-word: a name such as ja or sv", "NAME"}},
    {"pattern", {"of regex: what a unit is, such as \\p{L}+|\\p{N}", "REGEX"}},
    {"min-count", {"units seen less often become <unk>"}},
    {"max-vocabulary", {"keep so many of the most frequent units; 0: all"}},
    {"replace-invalid", {"replace invalid UTF-8 by U+FFFD instead of refusing it"}},
    {"normalize-form", {"before anything else: nfc, nfd, nfkc or nfkc-casefold", "NAME"}},
    {"normalize-lowercase", {"lower case"}},
    {"normalize-locale", {"whose rules lower case follows, such as tr", "NAME"}},
    {"normalize-strip-accents", {"take accents off Latin and Greek letters"}},
    {"normalize-controls", {"control characters: keep, drop or space", "NAME"}},
    {"normalize-digits", {"keep; ascii: any decimal digit becomes 0 to 9; zero: 0", "NAME"}},
    {"normalize-white-space", {"keep; collapse: one space, none at the ends", "NAME"}},
    {"sentencepiece-size", {"pieces to learn, 256 bytes among them"}},
    {"sentencepiece-kind", {"unigram or bpe", "NAME"}},
    {"sentencepiece-coverage", {"share of the text's characters that get pieces"}},
    {"sentencepiece-nbest",
     {"train on segmentations drawn anew each epoch among so many best (Kudo 2018); 1: the best"}},
    {"sentencepiece-alpha", {"how much likelier segmentations are preferred in that draw"}},
    {"cell", {"lstm, gru, gru-reset-before, rnn (tanh) or rnn-relu", "NAME"}},
    {"embedding", {"width of the embedding; 0: as --hidden"}},
    {"hidden", {"units of each recurrent layer"}},
    {"layers", {"recurrent layers"}},
    {"tie", {"one table for embedding and softmax; the last layer is as wide as the embedding"}},
    {"dropout", {"after the embedding, between layers and before the softmax"}},
    {"dropout-input", {"after the embedding; below 0: as --dropout"}},
    {"dropout-hidden", {"between layers; below 0: as --dropout"}},
    {"dropout-output", {"before the softmax; below 0: as --dropout"}},
    {"dropout-shared", {"the same mask at every step of a window (variational dropout)"}},
    {"dropout-embedding", {"share of units that are dropped wherever they occur in a window"}},
    {"dropout-recurrent", {"of a layer's own last output, the same mask at every step"}},
    {"weight-drop", {"of recurrent weights, one mask for a window (Merity et al. 2018)"}},
    {"ar", {"activation regularization: X * mean(h^2) of the last layer's output"}},
    {"tar", {"temporal: X * mean((h(t) - h(t-1))^2) of the last layer's output"}},
    {"softmax",
     {"full; adaptive: rare units in clusters; sampled: learns from some units at a time", "NAME"}},
    {"softmax-cutoffs",
     {"of adaptive: where clusters begin, such as \"2000 10000\"; none: a fifth of the vocabulary",
      "N..."}},
    {"softmax-samples", {"of sampled: units drawn for each window"}},
    {"label-smoothing", {"share of a target's weight that is spread over all units"}},
    {"init", {"first weights uniform in [-X, X); 0: each layer's own rule"}},
    {"forget-bias", {"first value of the LSTM's forget bias"}},
    {"network",
     {"the network of a config.json, instead of the options from --cell to --forget-bias, which "
      "must then be left out",
      "FILE"}},
    {"batch", {"lanes worked on side by side"}},
    {"bptt", {"steps through which gradients flow"}},
    {"random-bptt",
     {"draw window lengths around --bptt and scale the rate by them (Merity et al. 2018)"}},
};

}  // namespace

void lm_train(const Arguments& arguments) {
  CommandLine line(
      "lm train --train F... --model DIR [options]",
      "Trains a language model. Progress goes to stderr; the model directory gets the\n"
      "best model by validation and a checkpoint. Ctrl-C saves and exits. Bits per\n"
      "character count the text as the normalizer leaves it, and one line end a line.");
  add_training_files(line,
                     "training text, UTF-8, one sentence a line, several files one after another; "
                     "- is standard input",
                     "validation text; without it the last tenth of the training text");
  line.add("Files")(
      "init-from", po::value<std::string>()->default_value("")->value_name("DIR"),
      "a model whose vocabulary and weights to start from; weights of the same names and "
      "shapes are needed");
  line.add("Files")("tokenizer-model",
                    po::value<std::string>()->default_value("")->value_name("FILE"),
                    "of sentencepiece; without it one is learned from the training text");
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
  run.tokenizer_model = line.get<std::string>("tokenizer-model");
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
      json["valid_characters"] = history.validation_characters;
      json["valid_bits_per_char"] = *history.bits_per_character(*best);
    }
    std::cout << json.dump() << "\n";
  }
}

}  // namespace rnn
