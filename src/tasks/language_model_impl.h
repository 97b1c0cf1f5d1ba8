#pragma once

#include "base/json.h"
#include "rnn/tasks/language_model.h"
#include "rnn/text/token_file.h"
#include "tasks/text_pipeline.h"

namespace rnn {

struct LanguageModel::Impl {
  Network network;
  Parameters parameters;
  Vocabulary vocabulary;
  TextPipeline text;
  std::shared_ptr<const Backend> backend;

  /// Texts as numbers, read as `policy` says.
  TokenFile tokens_of(std::span<const std::string> paths, const TextPolicy& policy) const;
};

/// What there is to evaluate, without a loss yet.
LanguageModelEvaluation evaluation_of(const TokenFile& text);

}  // namespace rnn
