// A small trained language model for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "rnn/tasks/language_model.h"
#include "text/text_files.h"

namespace rnn::test {

/// Over the words a to l.
class LanguageModelTask : public ::testing::Test {
 protected:
  LanguageModelTask() {
    std::string text;
    unsigned seed = 7;
    for (int i = 0; i < 120; ++i) {
      for (int w = 0; w < 3 + i % 5; ++w) {
        seed = seed * 1664525 + 1013904223;
        text += "abcdefghijkl"[seed / 65536 % 12];
        text += ' ';
      }
      text.back() = '\n';
    }
    train = files.write("train.txt", text);
    valid = files.write("valid.txt", text.substr(0, text.find('\n', text.size() / 4) + 1));
  }

  static LanguageModelRecipe small() {
    return {.hidden = 10,
            .layers = 1,
            .dropout = 0.2f,
            .epochs = 3,
            .batch = 4,
            .bptt = 8,
            .random_bptt = true,
            .lr = 0.02f,
            .schedule = {.kind = Schedule::Kind::kCosine}};
  }
  LanguageModelRun to(const std::string& name) const {
    return {.train = {train}, .valid = valid, .directory = files.path(name)};
  }
  LanguageModel trained() const {
    train_language_model(small(), to("m"));
    return LanguageModel::load(files.path("m"));
  }

  TextFiles files;
  std::string train, valid;
};

}  // namespace rnn::test
