#include "tasks/language_model_texts.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/text/corpus.h"
#include "rnn/text/sentencepiece.h"
#include "tasks/numbers_folder.h"
#include "tasks/training_run.h"
#include "text/utf8.h"

namespace rnn {
namespace {

/// The model file of the unit sentencepiece that a run starts from; empty: one is to be learned.
/// What is damaged, or of a model that is being replaced, is learned anew, and is then the same.
std::string tokenizer_model_of(const LanguageModelRun& run) {
  if (!run.tokenizer_model.empty()) return run.tokenizer_model;
  const ModelDirectory directory(run.directory);
  const bool goes_on = run.resume && is_there(directory.checkpoint()) && !directory.is_disowned() &&
                       !directory.loses_checkpoints();
  std::string path = directory.file(kTokenizerModel);
  if (!goes_on || !is_there(path)) return "";
  if (directory.is_sealed(kTokenizerModel)) return path;
  if (run.log) run.log(path + ": damaged or altered: its pieces are learned anew");
  return "";
}

TextPipeline pipeline_of(const LanguageModelRecipe& recipe, const LanguageModelRun& run,
                         const TextPipeline* first, CorpusOptions corpus) {
  TextPipeline made{.normalizer = std::make_shared<const Normalizer>(recipe.normalize),
                    .replace_invalid = recipe.replace_invalid};
  TokenizerOptions options{.unit = recipe.unit,
                           .locale = recipe.locale,
                           .model = run.tokenizer_model,
                           .pattern = recipe.pattern};
  if (recipe.unit == "sentencepiece") options.model = tokenizer_model_of(run);
  if (recipe.unit != "sentencepiece" || !options.model.empty()) {
    made.tokenizer = make_tokenizer(options);
  } else if (first != nullptr) {
    made.tokenizer = first->tokenizer;
  } else {
    if (run.log) run.log("learning " + std::to_string(recipe.sentencepiece_size) + " pieces");
    if (!made.normalizer->options().is_identity()) corpus.normalizer = made.normalizer.get();
    made.tokenizer = std::make_shared<SentencePieceTokenizer>(
        train_sentencepiece(run.train,
                            {.vocabulary_size = recipe.sentencepiece_size,
                             .model_type = recipe.sentencepiece_kind,
                             .character_coverage = recipe.sentencepiece_coverage,
                             .seed = recipe.seed},
                            corpus));
  }
  return made;
}

/// Those of a model to start from.
std::pair<TextPipeline, Vocabulary> read_units(const std::string& model) {
  return read_whole_model(model, [](const ModelDirectory& directory) {
    TextPipeline text = TextPipeline::load(directory, directory.read_config("language-model"));
    Vocabulary vocabulary = text.load_vocabulary(directory);
    return std::pair(std::move(text), std::move(vocabulary));
  });
}

std::string tokens_text(std::size_t tokens, std::int64_t unknown) {
  std::string text = std::to_string(tokens) + " tokens";
  if (unknown > 0) text += ", " + std::to_string(unknown) + " of them unknown";
  return text;
}

/// Of the lines after the first `before`, counted as a TokenFile counts them.
std::int64_t characters_after(std::int64_t before, std::span<const std::string> paths,
                              const TextPipeline& pipeline) {
  std::int64_t characters = 0;
  for (const std::string& path : paths) {
    for (LineReader reader(path, pipeline.policy()); reader.next();) {
      if (before-- > 0) continue;
      const std::string line = pipeline.prepare(reader.line());
      characters += static_cast<std::int64_t>(count_code_points(line)) + 1;
    }
  }
  return characters;
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

LanguageModelTexts read_texts(const LanguageModelRecipe& recipe, const LanguageModelRun& run) {
  if (run.train.empty()) throw ConfigError("train: expected at least one text file");
  if (std::find(run.train.begin(), run.train.end(), "-") != run.train.end()) {
    throw ConfigError(
        "train: the text is read twice, standard input can be read once; store it "
        "in a file");
  }
  for (const std::string& path : run.train) {
    std::error_code unknown;  // what is not there is told where it is read
    if (std::filesystem::is_fifo(path, unknown)) {
      throw ConfigError("train: the text is read twice, and " + path +
                        " is a pipe, which can be read once; store it in a file, or let `rnn lm "
                        "train --train -` do so");
    }
  }
  // A model whose parameters will be the first values means nothing without its vocabulary, nor
  // that without the same units.
  std::optional<std::pair<TextPipeline, Vocabulary>> units;
  if (!run.init_from.empty()) units = read_units(run.init_from);
  const TextPipeline* const first = units ? &units->first : nullptr;
  const std::string folder = numbers_folder(run.directory);
  TextPipeline pipeline =
      pipeline_of(recipe, run, first,
                  {.policy = {.replace_invalid = recipe.replace_invalid}, .directory = folder});
  if (first) pipeline.require_same(*first, "init-from: " + run.init_from);
  CorpusOptions corpus = pipeline.corpus();
  corpus.directory = folder;
  const Tokenizer& tokenizer = *pipeline.tokenizer;
  Vocabulary vocabulary =
      units ? units->second
      : tokenizer.vocabulary()
          ? *tokenizer.vocabulary()
          : count_symbols(run.train, tokenizer, corpus)
                .build({.minimum_count = recipe.min_count, .maximum_size = recipe.max_vocabulary});
  TokenFile train = TokenFile::build(run.train, tokenizer, vocabulary, corpus);
  LanguageModelTexts texts{std::move(pipeline),
                           corpus,
                           std::move(vocabulary),
                           std::move(train),
                           std::nullopt,
                           {},
                           {},
                           0};
  texts.train = texts.train_file.ids();
  if (!run.valid.empty()) {
    const std::string paths[] = {run.valid};
    texts.valid_file = TokenFile::build(paths, *texts.pipeline.tokenizer, texts.vocabulary, corpus);
    texts.valid = texts.valid_file->ids();
    texts.valid_characters = texts.valid_file->characters();
  } else {
    // The last tenth, from the beginning of a sentence on.
    std::size_t cut = texts.train.size() - texts.train.size() / 10;
    while (cut < texts.train.size() && texts.train[cut - 1] != texts.vocabulary.end_id()) ++cut;
    texts.valid = texts.train.subspan(cut);
    texts.train = texts.train.first(cut);
    const std::int64_t lines =
        std::count(texts.train.begin(), texts.train.end(), texts.vocabulary.end_id());
    texts.valid_characters = characters_after(lines, run.train, texts.pipeline);
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
