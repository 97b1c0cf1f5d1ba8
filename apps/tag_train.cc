#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/training_command.h"
#include "base/json.h"
#include "rnn/tasks/tagger.h"

namespace rnn {
namespace {

const OptionHelps kHelp = {
    {"field", {"the tag, of CoNLL-U files: upos, xpos or feats", "NAME"}},
    {"column", {"the tag, of files of columns: the number of its column, from 1"}},
    {"word-column", {"and of the word's"}},
    {"scheme",
     {"how the files write entities: iob1, bio or bioes; none: tags are just tags; auto: found out "
      "from the training tags",
      "NAME"}},
    {"training-scheme", {"in which entities are learned: bio or bioes", "NAME"}},
    {"lowercase", {"word vectors do not tell upper from lower case"}},
    {"fold-digits", {"word vectors do not tell one digit from another"}},
    {"min-count", {"words seen less often are unknown"}},
    {"char-min-count", {"characters seen less often are unknown"}},
    {"word-dropout", {"share of words that training takes for unknown"}},
    {"singleton-dropout", {"share of the words seen once, on top of that"}},
    {"embedding", {"width of word vectors"}},
    {"case-embedding", {"width of the vectors for word shapes; 0: none"}},
    {"characters", {"how spellings are read: cnn, bilstm or none", "NAME"}},
    {"char-embedding", {"width of character vectors"}},
    {"char-units", {"filters of each width, or units of each direction"}},
    {"char-widths", {"widths of the filters in characters, with spaces between"}},
    {"char-dropout", {"of character vectors"}},
    {"cell", {"lstm or gru", "NAME"}},
    {"hidden", {"units of each direction"}},
    {"layers", {"recurrent layers"}},
    {"dropout", {"before, between and after the recurrent layers"}},
    {"dropout-shared", {"the same dropout mask at every word of a sentence"}},
    {"head", {"softmax or crf; auto: crf for entities, else softmax", "NAME"}},
    {"network",
     {"the network of a config.json, instead of the options from --embedding on", "FILE"}},
    {"batch", {"sentences worked on together"}},
};

}  // namespace

void tag_train(const Arguments& arguments) {
  CommandLine line(
      "tag train --train F... --field NAME|--column N --model DIR [options]",
      "Trains a tagger. Progress goes to stderr; the model directory gets the best model\n"
      "by F1 of entities or by accuracy, and a checkpoint. Ctrl-C saves and exits.");
  add_training_files(
      line,
      "CoNLL-U (with --field) or files of columns (with --column): a word a line, an "
      "empty line after each sentence; - is standard input",
      "the same to validate on; without it the last tenth of the sentences");
  add_vectors_option(line);
  line.add_fields("Recipe", TaggerRecipe{}, with_training_help(kHelp));
  add_training_run(line);
  add_machine_options(line);
  if (!line.parse(arguments)) return;
  line.require("train");
  line.require("model");

  TaggerRecipe recipe;
  line.read_fields(recipe);
  if (!recipe.network.empty()) recipe.network = read_network(recipe.network);
  StopOnInterrupt stop_on_interrupt;
  ProgressBar progress(std::cerr, progress_options());
  auto run = training_run<TaggerRun>(line, {&stop_on_interrupt, &progress});
  run.vectors = line.get<std::string>("vectors");
  const History history = train_tagger(recipe, run);

  const EpochRecord* best = history.best();
  if (line.get<bool>("json")) {
    Json json = {{"model", line.get<std::string>("model")}, {"epochs", history.epochs.size()}};
    if (best) {
      json["best_epoch"] = best->epoch;
      json["valid_words"] = best->validation->targets;
      json["valid_nats_per_word"] = best->validation->mean();
      json["valid_quality"] = best->metric.value_or(0);
    }
    std::cout << json.dump() << "\n";
  }
}

}  // namespace rnn
