// Reads the public corpora with the readers of the library and holds what it counts against the
// published figures; then sends every line of every file through the tokenizers that claim to give
// it back, and through the normalizer.
//
//   rnn_check_corpora DIR      as corpora/README.md lays them out; what is not there is left out
//
// Ends with exit code 1 when a figure differs.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/conll_reader.h"
#include "rnn/text/csv_reader.h"
#include "rnn/text/entity_tags.h"
#include "rnn/text/labelled_reader.h"
#include "rnn/text/normalizer.h"
#include "rnn/text/sentencepiece.h"
#include "rnn/text/token_file.h"

namespace rnn {
namespace {

int failures = 0;

void expect(const std::string& what, std::int64_t found, std::int64_t published) {
  const bool same = found == published;
  failures += !same;
  std::printf("%-4s %-44s %10lld  (published %lld)\n", same ? "ok" : "BAD", what.c_str(),
              static_cast<long long>(found), static_cast<long long>(published));
}

void check_ptb(const std::string& folder) {
  const auto tokenizer = make_tokenizer();
  const std::string train = folder + "/ptb.train.txt";
  const Vocabulary vocabulary = count_symbols(std::vector{train}, *tokenizer).build();
  expect("ptb types", vocabulary.size(), 10000);
  const std::map<std::string, std::int64_t> tokens{
      {"train", 929589}, {"valid", 73760}, {"test", 82430}};
  for (const auto& [part, published] : tokens) {
    const std::vector<std::string> paths{folder + "/ptb." + part + ".txt"};
    const TokenFile file = TokenFile::build(paths, *tokenizer, vocabulary);
    expect("ptb " + part + " tokens", static_cast<std::int64_t>(file.ids().size()), published);
    expect("ptb " + part + " unknown words", file.unknown(), 0);
  }
}

void check_shakespeare(const std::string& folder) {
  const auto tokenizer = make_tokenizer({.unit = "char"});
  const std::vector<std::string> paths{folder + "/input.txt"};
  const Vocabulary vocabulary = count_symbols(paths, *tokenizer).build();
  expect("tinyshakespeare characters", vocabulary.size() - 1, 65);
  const TokenFile file = TokenFile::build(paths, *tokenizer, vocabulary);
  expect("tinyshakespeare tokens", static_cast<std::int64_t>(file.ids().size()), 1115394);
}

void check_labelled(const std::string& path, const LabelledOptions& options, std::int64_t examples,
                    const std::string& label, std::int64_t with_label) {
  LabelledReader reader(path, options);
  LabelledText example;
  std::map<std::string, std::int64_t> labels;
  std::int64_t count = 0;
  while (reader.next(example)) {
    ++count;
    ++labels[example.labels.at(0)];
  }
  const std::string name = std::filesystem::path(path).filename();
  expect(name + " examples", count, examples);
  expect(name + " with the label " + label, labels[label], with_label);
}

/// A file whose every field stands in quotes, written again from what was read.
void check_quoted_csv(const std::string& path, std::int64_t rows, std::int64_t fields) {
  std::ifstream file(path, std::ios::binary);
  const std::string source{std::istreambuf_iterator<char>(file), {}};
  CsvReader reader(path);
  std::string again;
  std::int64_t count = 0, ragged = 0;
  while (reader.next()) {
    ++count;
    ragged += static_cast<std::int64_t>(reader.fields().size()) != fields;
    for (std::size_t i = 0; i < reader.fields().size(); ++i) {
      again += i > 0 ? ",\"" : "\"";
      for (const char c : reader.fields()[i]) again += c == '"' ? "\"\"" : std::string(1, c);
      again += '"';
    }
    again += '\n';
  }
  const std::string name = std::filesystem::path(path).filename();
  expect(name + " rows", count, rows);
  expect(name + " rows without " + std::to_string(fields) + " fields", ragged, 0);
  const auto same = std::mismatch(source.begin(), source.end(), again.begin(), again.end()).first;
  expect(name + " bytes that come back", same - source.begin(),
         static_cast<std::int64_t>(std::max(source.size(), again.size())));
}

void check_conll(const std::string& path, std::int64_t sentences, std::int64_t words,
                 std::int64_t entities) {
  ConllReader reader(path);
  ConllSentence sentence;
  std::int64_t sentence_count = 0, word_count = 0, entity_count = 0, changed = 0;
  while (reader.next(sentence)) {
    ++sentence_count;
    word_count += static_cast<std::int64_t>(sentence.rows.size());
    std::vector<std::string> tags;
    for (const auto& row : sentence.rows) tags.push_back(row.at(3));
    const std::vector<Entity> found = entities_of(tags, TagScheme::kIob1);
    entity_count += static_cast<std::int64_t>(found.size());
    for (const TagScheme to : {TagScheme::kIob1, TagScheme::kBio, TagScheme::kBioes}) {
      changed += entities_of(convert_tags(tags, TagScheme::kIob1, to), to) != found;
    }
  }
  const std::string name = std::filesystem::path(path).filename();
  expect(name + " sentences", sentence_count, sentences);
  expect(name + " tokens", word_count, words);
  expect(name + " entities", entity_count, entities);
  expect(name + " sentences changed by converting", changed, 0);
}

/// `not_spelled`: sentences whose text has white space that SpaceAfter=No cannot tell of.
void check_conllu(const std::string& path, std::int64_t sentences, std::int64_t words,
                  std::int64_t not_spelled = 0) {
  ConlluReader reader(path);
  ConlluSentence sentence;
  std::int64_t sentence_count = 0, word_count = 0, misspelled = 0;
  while (reader.next(sentence)) {
    ++sentence_count;
    word_count += static_cast<std::int64_t>(sentence.words.size());
    misspelled += sentence.spelled() != sentence.comment("text");
  }
  const std::string name = std::filesystem::path(path).filename();
  expect(name + " sentences", sentence_count, sentences);
  expect(name + " words", word_count, words);
  expect(name + " not spelled as the text", misspelled, not_spelled);
}

/// Every line of a file through the tokenizers and the normalizer.
void check_round_trips(const std::string& path,
                       const std::vector<std::shared_ptr<const Tokenizer>>& tokenizers) {
  const Normalizer normalizer({.form = "nfkc",
                               .lowercase = true,
                               .strip_accents = true,
                               .controls = "drop",
                               .white_space = "collapse"});
  LineReader reader(path, {.keep_marks = true});
  std::vector<Token> tokens;
  std::vector<std::string_view> views;
  std::int64_t bad = 0;
  while (reader.next()) {
    const std::string_view line = reader.line();
    for (const auto& tokenizer : tokenizers) {
      tokenizer->tokenize(line, tokens);
      views.clear();
      for (const Token& token : tokens) {
        views.push_back(token.text);
        bad += token.begin > token.end || token.end > line.size();
      }
      if (tokenizer->lossless()) bad += tokenizer->detokenize(views) != line;
    }
    const NormalizedText text = normalizer.align(line);
    std::size_t last = 0;
    for (std::size_t i = 0; i < text.text().size(); ++i) {
      const auto range = text.source(i, i + 1);
      bad += range.begin < last || range.begin >= range.end || range.end > line.size();
      last = range.begin;
    }
  }
  expect(std::filesystem::path(path).filename().string() + " lines that do not come back", bad, 0);
}

void check(const std::string& root) {
  const auto there = [&](const char* name) { return std::filesystem::exists(root + "/" + name); };
  if (there("ptb")) check_ptb(root + "/ptb");
  if (there("tinyshakespeare")) check_shakespeare(root + "/tinyshakespeare");
  if (there("r8")) {
    check_labelled(root + "/r8/r8-train-all-terms.txt", {}, 5485, "earn", 2840);
    check_labelled(root + "/r8/r8-test-all-terms.txt", {}, 2189, "grain", 10);
  }
  if (there("ag_news")) {
    const std::string path = root + "/ag_news/test.csv";
    check_labelled(path, {.format = "csv"}, 7600, "3", 1900);
    check_quoted_csv(path, 7600, 3);
  }
  if (there("sst2")) {
    const LabelledOptions options{.format = "tsv-plain", .label_column = 2};
    check_labelled(root + "/sst2/train.tsv", options, 6920, "1", 3610);
    check_labelled(root + "/sst2/test.tsv", options, 1821, "1", 909);
  }
  if (there("imdb")) {
    const LabelledOptions options{.format = "tsv-plain", .text_columns = {4}};
    check_labelled(root + "/imdb/train.tsv", options, 25000, "1", 12500);
    check_labelled(root + "/imdb/test.tsv", options, 25000, "0", 12500);
  }
  if (there("conll2003")) {
    check_conll(root + "/conll2003/eng.train", 14041, 203621, 23499);
    check_conll(root + "/conll2003/eng.testa", 3250, 51362, 5942);
    check_conll(root + "/conll2003/eng.testb", 3453, 46435, 5648);
  }
  if (there("ud_english_ewt")) {
    check_conllu(root + "/ud_english_ewt/en_ewt-ud-train.conllu", 12544, 204577);
    check_conllu(root + "/ud_english_ewt/en_ewt-ud-dev.conllu", 2001, 25147);
    check_conllu(root + "/ud_english_ewt/en_ewt-ud-test.conllu", 2077, 25094, 1);
  }
  if (there("ud_thai_tud")) {
    check_conllu(root + "/ud_thai_tud/th_tud-ud-train.conllu", 2902, 62011);
    check_conllu(root + "/ud_thai_tud/th_tud-ud-dev.conllu", 362, 7521);
    check_conllu(root + "/ud_thai_tud/th_tud-ud-test.conllu", 363, 7683);
  }
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::vector<std::shared_ptr<const Tokenizer>> tokenizers;
  for (const char* unit : {"word", "icu-word", "char", "byte"}) {
    tokenizers.push_back(make_tokenizer({.unit = unit}));
  }
  tokenizers.push_back(std::make_shared<SentencePieceTokenizer>(
      train_sentencepiece(files, {.vocabulary_size = 1000, .maximum_lines = 5000})));
  for (const std::string& file : files) check_round_trips(file, tokenizers);
}

}  // namespace
}  // namespace rnn

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: rnn_check_corpora DIR\n");
    return 2;
  }
  try {
    rnn::check(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rnn_check_corpora: %s\n", error.what());
    return 1;
  }
  return rnn::failures > 0 ? 1 : 0;
}
