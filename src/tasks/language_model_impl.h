#pragma once

#include "base/json.h"
#include "rnn/tasks/language_model.h"
#include "rnn/text/token_file.h"

namespace rnn {

struct LanguageModel::Impl {
  Network network;
  Parameters parameters;
  Vocabulary vocabulary;
  std::shared_ptr<const Tokenizer> tokenizer;
  bool replace_invalid = false;
  std::shared_ptr<const Backend> backend;
};

}  // namespace rnn
