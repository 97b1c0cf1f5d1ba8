// How a model turns text into units, and what its directory keeps of that.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "rnn/text/corpus.h"
#include "rnn/text/normalizer.h"
#include "rnn/text/tokenizer.h"
#include "rnn/text/vocabulary.h"
#include "tasks/model_directory.h"

namespace rnn {

/// Where a model directory keeps the model of its tokenizer, if that has one.
inline constexpr const char* kTokenizerModel = "tokenizer.model";

/// Normalizer and tokenizer. Training, evaluation, scoring and writing use the same one, so that
/// they cannot disagree about a text. Immutable; copies share both.
struct TextPipeline {
  std::shared_ptr<const Tokenizer> tokenizer{};
  std::shared_ptr<const Normalizer> normalizer{};
  bool replace_invalid = false;

  /// How text must be read.
  TextPolicy policy() const {
    return {.replace_invalid = replace_invalid, .any_bytes = tokenizer->any_bytes()};
  }
  /// For a pass over files; valid as long as the normalizer.
  CorpusOptions corpus() const;
  /// A line as it is tokenized.
  std::string prepare(std::string_view line) const;

  /// The members "tokenizer" and "normalizer" of config.json.
  void describe(Json& config) const;
  /// Writes what else is needed to read text again: vocabulary.txt, or the tokenizer.model that
  /// has the vocabulary in it.
  void save(ModelUpdate& update, const Vocabulary& vocabulary) const;
  /// From a directory and its config.json. Throws FormatError, naming the file.
  static TextPipeline load(const ModelDirectory& directory, const Json& config);
  /// The file that has the vocabulary.
  const char* vocabulary_file() const;
  /// The tokenizer's own, or else that of the directory.
  Vocabulary load_vocabulary(const ModelDirectory& directory) const;

  /// Throws ConfigError, beginning with `what`, unless `other` reads text in the same way.
  void require_same(const TextPipeline& other, const std::string& what) const;
};

}  // namespace rnn
