#include "tasks/language_model_texts.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "rnn/error.h"
#include "rnn/text/corpus.h"
#include "tasks/training_run.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;

/// Where the token files are kept: as TMPDIR asks, otherwise on the disk where the model will be,
/// which was chosen to hold much, as /tmp often is not.
std::string folder_for_tokens(const std::string& model) {
  if (std::getenv("TMPDIR") != nullptr) return {};
  fs::path folder = fs::absolute(model);
  while (!fs::is_directory(folder) && folder.has_relative_path()) folder = folder.parent_path();
  return folder.string();
}

/// The vocabulary of a model whose parameters will be the first values: they mean nothing without
/// it, nor it without the same units.
Vocabulary vocabulary_of(const std::string& model, const Tokenizer& tokenizer) {
  const ModelDirectory directory(model);
  directory.verify();
  const std::string where = directory.file("config.json");
  const Json theirs = member<Json>(directory.read_config("language-model"), "tokenizer", where);
  const auto unit = member<std::string>(theirs, "unit", where);
  const auto locale = member<std::string>(theirs, "locale", where);
  const TokenizerOptions& ours = tokenizer.options();
  if (unit != ours.unit || locale != ours.locale) {
    throw ConfigError("init-from: " + model + " was trained with --unit " + unit +
                      (locale.empty() ? "" : " --locale " + locale) + ", now it is --unit " +
                      ours.unit + (ours.locale.empty() ? "" : " --locale " + ours.locale) +
                      "; give the same");
  }
  return Vocabulary::load(directory.file("vocabulary.txt"));
}

std::string tokens_text(std::size_t tokens, std::int64_t unknown) {
  std::string text = std::to_string(tokens) + " tokens";
  if (unknown > 0) text += ", " + std::to_string(unknown) + " of them unknown";
  return text;
}

}  // namespace

std::string LanguageModelTexts::description() const {
  const std::string types = "; vocabulary: " + std::to_string(vocabulary.size()) + " types\n";
  if (valid_file) {
    return "train: " + tokens_text(train.size(), train_file.unknown()) + types +
           "valid: " + tokens_text(valid.size(), valid_file->unknown());
  }
  return "text: " + tokens_text(train.size() + valid.size(), train_file.unknown()) + types +
         "no --valid given: the last tenth is held out\ntrain: " + tokens_text(train.size(), 0) +
         "\nvalid: " + tokens_text(valid.size(), 0);
}

std::string LanguageModelTexts::fingerprint() const {
  Fingerprint hash;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) hash.add(vocabulary.symbol(id));
  hash.add(train);
  hash.add(valid);
  return hash.text();
}

LanguageModelTexts read_texts(const LanguageModelRecipe& recipe, const LanguageModelRun& run,
                              const Tokenizer& tokenizer) {
  if (run.train.empty()) throw ConfigError("train: expected at least one text file");
  if (std::find(run.train.begin(), run.train.end(), "-") != run.train.end()) {
    throw ConfigError(
        "train: the text is read twice, standard input can be read once; store it "
        "in a file");
  }
  const CorpusOptions corpus{
      .policy = {.replace_invalid = recipe.replace_invalid, .any_bytes = tokenizer.any_bytes()},
      .directory = folder_for_tokens(run.directory)};
  Vocabulary vocabulary =
      run.init_from.empty()
          ? count_symbols(run.train, tokenizer, corpus)
                .build({.minimum_count = recipe.min_count, .maximum_size = recipe.max_vocabulary})
          : vocabulary_of(run.init_from, tokenizer);
  TokenFile train = TokenFile::build(run.train, tokenizer, vocabulary, corpus);
  LanguageModelTexts texts{std::move(vocabulary), std::move(train), std::nullopt, {}, {}};
  texts.train = texts.train_file.ids();
  if (!run.valid.empty()) {
    const std::string paths[] = {run.valid};
    texts.valid_file = TokenFile::build(paths, tokenizer, texts.vocabulary, corpus);
    texts.valid = texts.valid_file->ids();
  } else {
    // The last tenth, from the beginning of a sentence on.
    std::size_t cut = texts.train.size() - texts.train.size() / 10;
    while (cut < texts.train.size() && texts.train[cut - 1] != texts.vocabulary.end_id()) ++cut;
    texts.valid = texts.train.subspan(cut);
    texts.train = texts.train.first(cut);
  }
  if (static_cast<std::int64_t>(texts.valid.size()) < recipe.bptt) {
    const std::string what = run.valid.empty()
                                 ? "the last tenth of " + run.train.front() +
                                       (run.train.size() > 1 ? " and the other training files" : "")
                                 : run.valid;
    throw TextError(
        what + ": validation needs at least one window of " + std::to_string(recipe.bptt) +
        " tokens, got " + std::to_string(texts.valid.size()) + "; give a longer text" +
        (run.valid.empty() ? ", a file of its own with --valid," : "") + " or a smaller --bptt");
  }
  return texts;
}

}  // namespace rnn
