#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/training_command.h"
#include "base/json.h"
#include "rnn/tasks/text_classifier.h"

namespace rnn {
namespace {

namespace po = boost::program_options;

const OptionHelps kHelp = {
    {"format", {"tab (label TAB text), csv, tsv, tsv-plain, jsonl or fasttext", "NAME"}},
    {"header", {"csv, tsv: the first record is passed over; columns go by number"}},
    {"label-column", {"csv, tsv: from 1"}},
    {"text-columns", {"csv, tsv: such as 2,3; all others without it", "N,..."}},
    {"label-field", {"jsonl", "NAME"}},
    {"text-field", {"jsonl", "NAME"}},
    {"label-prefix", {"fasttext"}},
    {"replace-invalid", {"replace invalid UTF-8 by U+FFFD instead of refusing it"}},
    {"unit", {"icu-word, word, char, byte, sentencepiece or regex", "NAME"}},
    {"locale", {"of icu-word: a name such as ja or sv", "NAME"}},
    {"pattern", {"of regex", "REGEX"}},
    {"form", {"normalization: nfc, nfd, nfkc or nfkc-casefold", "NAME"}},
    {"lowercase", {"fold the case of letters (--lowercase=false: do not)"}},
    {"min-count", {"units seen less often become <unk>"}},
    {"max-vocabulary", {"keep so many of the most frequent units; 0: all"}},
    {"max-units", {"of a longer text the first and the last half of so many units are read"}},
    {"multi-label",
     {"any number of labels a text (of jsonl and fasttext), each decided for itself"}},
    {"holdout",
     {"without --valid: share of the texts of each label, its last ones, that is "
      "validated on; 0: none, and the last epoch's model is kept"}},
    {"arch", {"bag, lstm, gru, bilstm, bigru, cnn, clstm or char-cnn-lstm", "NAME"}},
    {"embedding", {"width of the embedding"}},
    {"ngrams", {"longest n-gram that has a vector of its own"}},
    {"buckets", {"rows that all n-grams of two and more units share"}},
    {"hidden", {"units of each recurrent layer and direction"}},
    {"layers", {"recurrent layers"}},
    {"filters", {"width of a convolution"}},
    {"kernel-size", {"units that a convolution of clstm and char-cnn-lstm sees"}},
    {"kernel-sizes", {"the same of cnn, several with commas between", "N,..."}},
    {"strides", {"steps of a convolution from place to place"}},
    {"pooling",
     {"max, mean, last, attention or sum; several with commas between stand side by side",
      "NAME,..."}},
    {"skip", {"put the average of the embeddings beside what the rest makes of them"}},
    {"dropout-embedding", {"after the embedding"}},
    {"dropout-shared",
     {"there: one mask for a whole text (--dropout-shared=false: a fresh one at "
      "every step)"}},
    {"dropout", {"between layers and before the head"}},
    {"word-dropout", {"share of the units that are left out"}},
    {"label-smoothing", {"share of the target spread over all labels"}},
    {"naive-bayes",
     {"above 0: beside the rest, each n-gram of a text speaks for labels by its log-count ratio, "
      "at first so many times (NBSVM)"}},
    {"naive-bayes-ngrams", {"of it: longest n-gram"}},
    {"naive-bayes-words",
     {"of it, with --unit char: longest n-gram of words beside those of characters; 0: none"}},
    {"naive-bayes-buckets",
     {"of it: rows that all n-grams of two and more units share, and as many for those of words"}},
    {"naive-bayes-min-count", {"of it: n-grams of fewer training texts say nothing"}},
    {"naive-bayes-dropout",
     {"of it: share of the texts that the rest must tell alone in training"}},
    {"network",
     {"the network of a config.json, instead of the options from --arch to "
      "--naive-bayes-dropout, which must then be left out",
      "FILE"}},
    {"class-weights",
     {"weights of texts by their label: balanced, or such as \"praise=2 complaint=0.5\"; a "
      "space in a label is written \\s",
      "NAME|LABEL=X ..."}},
    {"choose", {"the best epoch is chosen by loss, accuracy or macro-f1", "NAME"}},
    {"unfreeze-epochs",
     {"with --init-from: its layers stand still, and after so many epochs each the next from above "
      "learns; 0: all from the start"}},
    {"batch", {"texts of a batch"}},
    {"epsilon", {"of adam, adamw and rmsprop; near 1e-4 rare n-grams are learned slowly"}},
    {"batch-units", {"units of a batch at most, padding included; 0: no limit"}},
    {"bucket-batches",
     {"texts of so many batches are sorted by length together, for less padding; 1: none is"}},
};

}  // namespace

void classify_train(const Arguments& arguments) {
  CommandLine line(
      "classify train --train F... --model DIR [options]",
      "Trains a text classifier on labelled texts. Progress goes to stderr; the model\n"
      "directory gets the best model by validation and a checkpoint. Ctrl-C saves and\n"
      "exits.");
  add_training_files(line, "labelled texts, see --format; - is standard input",
                     "labelled texts to validate on; without it a part of --train, see --holdout");
  line.add("Files")("tokenizer-model", po::value<std::string>()->default_value("")->value_name("F"),
                    "of the unit sentencepiece; without it that of --init-from")(
      "init-from", po::value<std::string>()->default_value("")->value_name("DIR"),
      "a language model whose vocabulary, embedding and layers to start from");
  add_vectors_option(line);
  line.add_fields("Recipe", TextClassifierRecipe{}, with_training_help(kHelp));
  add_training_run(line);
  add_machine_options(line);
  if (!line.parse(arguments)) return;
  line.require("train");
  line.require("model");

  TextClassifierRecipe recipe;
  line.read_fields(recipe);
  if (!recipe.network.empty()) recipe.network = read_network(recipe.network);
  StopOnInterrupt stop_on_interrupt;
  ProgressBarOptions bar = progress_options();
  bar.unit = recipe.multi_label ? "labels" : "texts";
  ProgressBar progress(std::cerr, bar);
  auto run = training_run<TextClassifierRun>(line, {&stop_on_interrupt, &progress});
  run.tokenizer_model = line.get<std::string>("tokenizer-model");
  run.vectors = line.get<std::string>("vectors");
  run.init_from = line.get<std::string>("init-from");
  const History history = train_text_classifier(recipe, run);

  if (line.get<bool>("json")) {
    Json json = {{"model", line.get<std::string>("model")}, {"epochs", history.epochs.size()}};
    double seconds = 0;
    for (const EpochRecord& record : history.epochs) seconds += record.seconds;
    json["seconds"] = seconds;
    if (const EpochRecord* best = history.best(); best && best->validation) {
      json["best_epoch"] = best->epoch;
      json["valid_nats_per_example"] = best->validation->mean();
      const std::string measure = recipe.choose == "macro-f1" ? "macro_f1" : recipe.choose;
      if (recipe.choose != "loss") json["valid_" + measure] = best->metric.value_or(0);
    }
    std::cout << json.dump() << "\n";
  }
}

}  // namespace rnn
