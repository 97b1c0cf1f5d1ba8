// Training and validation text of a language model as numbers.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "rnn/tasks/language_model.h"
#include "rnn/text/token_file.h"
#include "tasks/text_pipeline.h"

namespace rnn {

struct LanguageModelTexts {
  TextPipeline pipeline;
  CorpusOptions corpus;  ///< of that pipeline
  Vocabulary vocabulary;
  TokenFile train_file;
  std::optional<TokenFile> valid_file;  ///< none: the end of the training text is held out
  std::span<const std::int32_t> train, valid;
  std::int64_t valid_characters = 0;  ///< as TokenFile::characters, of what is validated on

  /// For a person: how much text there is, and what is validated on.
  std::string description() const;
  /// A number that tells one text and vocabulary from another: a checkpoint is resumed with its own
  /// only.
  std::string fingerprint() const;
};

/// Reads the texts of a run with the vocabulary of `init_from` or of the tokenizer, or else one
/// made of them. Throws ConfigError when the options do not go together, TextError when there is
/// too little text, and what reading throws.
LanguageModelTexts read_texts(const LanguageModelRecipe& recipe, const LanguageModelRun& run);

}  // namespace rnn
