// A small classifier of made-up notes, and files to train it on.
#pragma once

#include <string>
#include <vector>

#include "rnn/tasks/text_classifier.h"
#include "support/notes.h"
#include "text/text_files.h"

namespace rnn {

class TextClassifierTask : public ::testing::Test {
 protected:
  TextClassifierTask() {
    train = files.write("train.tsv", test::as_lines(test::made_up_notes(150, 1)));
    valid = files.write("valid.tsv", test::as_lines(test::made_up_notes(45, 2)));
  }

  static TextClassifierRecipe small(const std::string& arch = "bilstm") {
    TextClassifierRecipe recipe;
    recipe.arch = arch;
    recipe.embedding = recipe.hidden = recipe.filters = 8;
    recipe.buckets = 101;
    recipe.epochs = 3;
    recipe.batch = 8;
    recipe.lr = 0.02f;
    recipe.word_dropout = 0.05f;
    recipe.schedule.kind = Schedule::Kind::kCosine;
    return recipe;
  }
  TextClassifierRun to(const std::string& name) const {
    return {.train = {train}, .valid = valid, .directory = files.path(name)};
  }
  TextClassifier trained(const TextClassifierRecipe& recipe) const {
    train_text_classifier(recipe, to("m"));
    return TextClassifier::load(files.path("m"));
  }
  static std::vector<std::string> texts() {
    std::vector<std::string> texts{"", "north south", "zebra \xF0\x9F\xA6\x93 quagga",
                                   "The old ship sailed north and then south by night."};
    for (int i = 0; i < 40; ++i) texts.push_back(std::string(static_cast<std::size_t>(i), 'a'));
    for (int i = 0; i < 40; ++i) {
      std::string text;
      for (int w = 0; w < i; ++w) text += w % 3 ? "ship " : "north ";
      texts.push_back(text);
    }
    return texts;
  }

  TextFiles files;
  std::string train, valid;
};

}  // namespace rnn
