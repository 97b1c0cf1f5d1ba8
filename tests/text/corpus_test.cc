#include "rnn/text/corpus.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/line_reader.h"
#include "rnn/text/token_file.h"
#include "support/file_size_limit.h"
#include "text/packed.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Ids = std::vector<std::int32_t>;
using Paths = std::vector<std::string>;

Ids ids_of(const TokenFile& file) { return {file.ids().begin(), file.ids().end()}; }

// As the Penn Treebank files are: a space before the first word and before the line feed, rare
// words replaced by <unk>.
constexpr std::string_view kPennLike =
    " aer banknote <unk> N \n pierre <unk> N years old will join \n mr. <unk> is chairman \n";

TEST(Corpus, PennTreebankLikeCounts) {
  const TextFiles files;
  const Paths paths{files.write("train.txt", kPennLike)};
  const auto tokenizer = make_tokenizer();
  const VocabularyBuilder counts = count_symbols(paths, *tokenizer);
  EXPECT_EQ(counts.total(), 15 + 3);  // words and ends
  EXPECT_EQ(counts.count("<unk>"), 3);
  EXPECT_EQ(counts.count("</s>"), 3);
  EXPECT_EQ(counts.count("N"), 2);
  const Vocabulary vocabulary = counts.build();
  EXPECT_EQ(vocabulary.size(), 13);  // 11 words, <unk> and </s>
  EXPECT_EQ(vocabulary.count(vocabulary.unknown_id()), 3);
  const TokenFile file = TokenFile::build(paths, *tokenizer, vocabulary);
  EXPECT_EQ(file.ids().size(), 18u);
  EXPECT_EQ(file.lines(), 3);
  EXPECT_EQ(file.unknown(), 0);  // the text says so itself
  EXPECT_EQ(file.bytes(), static_cast<std::int64_t>(kPennLike.size()));
  EXPECT_EQ(file.characters(), static_cast<std::int64_t>(kPennLike.size()));
}

TEST(Corpus, CharactersOfTextWithLineFeeds) {
  const TextFiles files;
  const std::string text = "First Citizen:\nBefore we\n\nproceed caf\u00E9";
  const Paths paths{files.write("play.txt", text)};
  const auto tokenizer = make_tokenizer({.unit = "char"});
  const Vocabulary vocabulary = count_symbols(paths, *tokenizer).build();
  const TokenFile file = TokenFile::build(paths, *tokenizer, vocabulary);
  // </s> stands for the line feed, also after the last line, which has none.
  EXPECT_EQ(file.ids().size(), 14u + 9u + 0u + 12u + 4u);
  EXPECT_EQ(file.characters(), 39);
  EXPECT_EQ(file.bytes(), 40);
  EXPECT_EQ(vocabulary.count(vocabulary.end_id()), 4);
  std::string back;
  for (const std::int32_t id : file.ids()) {
    back += id == vocabulary.end_id() ? "\n" : std::string(vocabulary.symbol(id));
  }
  EXPECT_EQ(back, text + "\n");
}

TEST(Corpus, UnknownWordsAreCounted) {
  const TextFiles files;
  const auto tokenizer = make_tokenizer();
  VocabularyBuilder builder;
  tokenizer->count("a b", builder);
  const Vocabulary vocabulary = builder.build();
  const Paths paths{files.write("t", "a c <unk>\n</s> b\n\n")};
  const TokenFile file = TokenFile::build(paths, *tokenizer, vocabulary);
  EXPECT_EQ(ids_of(file), (Ids{2, 0, 0, 1, 0, 3, 1, 1}));
  EXPECT_EQ(file.unknown(), 2);  // c, and </s> in the middle of the text
}

TEST(Corpus, LinesAreNormalizedFirst) {
  const TextFiles files;
  const auto tokenizer = make_tokenizer();
  const Normalizer normalizer({.form = "nfkc", .lowercase = true});
  const CorpusOptions options{.normalizer = &normalizer};
  const Paths paths{files.write("t", "The \uFB01sh THE\n")};
  const VocabularyBuilder counts = count_symbols(paths, *tokenizer, options);
  EXPECT_EQ(counts.count("the"), 2);
  EXPECT_EQ(counts.count("fish"), 1);
  const TokenFile file = TokenFile::build(paths, *tokenizer, counts.build(), options);
  EXPECT_EQ(ids_of(file), (Ids{2, 3, 2, 1}));
  EXPECT_EQ(file.characters(), 13);
}

TEST(Corpus, SeveralFilesAreOneText) {
  const TextFiles files;
  const auto tokenizer = make_tokenizer();
  const Paths paths{files.write("a", "x y"), files.write("empty", ""), files.write("b", "y z\n")};
  const Paths whole{files.write("c", "x y\ny z\n")};
  const Vocabulary vocabulary = count_symbols(paths, *tokenizer).build();
  EXPECT_EQ(ids_of(TokenFile::build(paths, *tokenizer, vocabulary)),
            ids_of(TokenFile::build(whole, *tokenizer, vocabulary)));
}

TEST(Corpus, ThreadsDoNotChangeTheResult) {
  const TextFiles files;
  Draws draws(1);
  std::string text;
  while (text.size() < 5'000'000) {
    text += random_text(draws, 500);
    text += '\n';
  }
  const Paths paths{files.write("big", text), files.write("small", "one line"),
                    files.write("third", text.substr(0, text.find('\n', 3'000'000)))};
  for (const char* unit : {"word", "icu-word"}) {
    const auto tokenizer = make_tokenizer({.unit = unit});
    const VocabularyBuilder one = count_symbols(paths, *tokenizer);
    const VocabularyBuilder many = count_symbols(paths, *tokenizer, {.threads = 3});
    EXPECT_EQ(one.types(), many.types());
    EXPECT_EQ(one.total(), many.total());
    const Vocabulary vocabulary = one.build({.minimum_count = 2});
    const TokenFile a = TokenFile::build(paths, *tokenizer, vocabulary);
    const TokenFile b =
        TokenFile::build(paths, *tokenizer, many.build({.minimum_count = 2}), {.threads = 3});
    EXPECT_EQ(ids_of(a), ids_of(b));
    EXPECT_EQ(a.lines(), b.lines());
    EXPECT_EQ(a.unknown(), b.unknown());
    EXPECT_GT(a.unknown(), 0);
    EXPECT_EQ(a.characters(), b.characters());
    EXPECT_EQ(a.bytes(), b.bytes());
  }
}

TEST(Corpus, ProgressEndsAtTheTotalAndMayStop) {
  const TextFiles files;
  const Paths paths{files.write("a", std::string(2'000'000, 'x') + "\n"), files.write("b", "y\n")};
  const auto tokenizer = make_tokenizer();
  std::int64_t last = 0;
  CorpusOptions options;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    EXPECT_GE(done, last);
    EXPECT_EQ(total, 2'000'003);
    last = done;
  };
  count_symbols(paths, *tokenizer, options);
  EXPECT_EQ(last, 2'000'003);
  struct Stop {};
  options.progress = [](std::int64_t, std::int64_t) { throw Stop(); };
  EXPECT_THROW(count_symbols(paths, *tokenizer, options), Stop);
}

TEST(Corpus, InvalidTextIsNamedByFileAndLineOnEveryThreadCount) {
  const TextFiles files;
  std::string text;
  for (int i = 0; i < 400'000; ++i) text += "some words\n";
  const std::string good = files.write("good.txt", text);
  text.insert(text.size() - 11 * 1000, "bad \xFF byte\n");
  const Paths paths{good, files.write("bad.txt", text)};
  const auto tokenizer = make_tokenizer();
  for (const int threads : {1, 4}) {
    expect_error<TextError>([&] { count_symbols(paths, *tokenizer, {.threads = threads}); },
                            "bad.txt:399001:5: ", "byte 5", "0xFF");
  }
  CorpusOptions replace;
  replace.policy.replace_invalid = true;
  EXPECT_EQ(count_symbols(paths, *tokenizer, replace).count("\uFFFD"), 1);
}

TEST(Corpus, TheFirstErrorIsTheOneReported) {
  const TextFiles files;
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "some words\n";
  const Paths paths{files.write("a.txt", text + "bad \xFF\n" + text + "\xFF\n"),
                    files.path("missing.txt")};
  const auto tokenizer = make_tokenizer();
  for (int round = 0; round < 20; ++round) {
    expect_error<TextError>([&] { count_symbols(paths, *tokenizer, {.threads = 3}); },
                            "a.txt:200001:5: ");
  }
  const Paths missing{files.write("b.txt", text), files.path("missing.txt")};
  for (const int threads : {1, 3}) {
    expect_error<IoError>([&] { count_symbols(missing, *tokenizer, {.threads = threads}); },
                          "missing.txt");
  }
}

TEST(Corpus, DamagedGzipIsNamedByTheLineReached) {
  const TextFiles files;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919 % 100'003) + " words\n";
  const std::string whole = packed(text);
  const Paths paths{files.write("good.gz", whole),
                    files.write("bad.gz", whole.substr(0, whole.size() / 2))};
  std::int64_t lines = 0;
  LineReader reader(paths[1]);
  EXPECT_THROW(
      {
        while (reader.next()) ++lines;
      },
      IoError);
  EXPECT_GT(lines, 40'000);
  const auto tokenizer = make_tokenizer();
  for (const int threads : {1, 4}) {
    expect_error<IoError>([&] { count_symbols(paths, *tokenizer, {.threads = threads}); },
                          "bad.gz:" + std::to_string(lines + 1) + ": cannot unpack", "too early");
  }
}

TEST(Corpus, BytesNeedNotBeUtf8) {
  const TextFiles files;
  const Paths paths{files.write("a", "\xFF\x80\n")};
  const auto tokenizer = make_tokenizer({.unit = "byte"});
  const Vocabulary vocabulary = count_symbols(paths, *tokenizer).build();
  EXPECT_EQ(ids_of(TokenFile::build(paths, *tokenizer, vocabulary)), (Ids{3, 2, 1}));
}

TEST(Corpus, EmptyAndMissingFilesAreNamed) {
  const TextFiles files;
  const auto tokenizer = make_tokenizer();
  const Paths empty{files.write("nothing.txt", ""), files.write("blank.txt", "\n \n")};
  expect_error<TextError>([&] { count_symbols(empty, *tokenizer); }, "nothing.txt", "blank.txt",
                          "2 empty lines");
  VocabularyBuilder builder;
  builder.add("a");
  const Vocabulary vocabulary = builder.build();
  expect_error<TextError>([&] { TokenFile::build(empty, *tokenizer, vocabulary); }, "nothing.txt",
                          "blank.txt");
  const Paths missing{files.path("nowhere.txt")};
  expect_error<IoError>([&] { count_symbols(missing, *tokenizer); }, "nowhere.txt");
  expect_error<ConfigError>([&] { count_symbols({}, *tokenizer); }, "at least one file");
  expect_error<ConfigError>([&] { count_symbols(missing, *tokenizer, {.threads = 0}); },
                            "`threads`");
}

TEST(TokenFile, LeavesNothingBehind) {
  const TextFiles files, place;
  const Paths paths{files.write("a", "x y\n")};
  const auto tokenizer = make_tokenizer();
  const Vocabulary vocabulary = count_symbols(paths, *tokenizer).build();
  TokenFile file =
      TokenFile::build(paths, *tokenizer, vocabulary, {.directory = place.directory().string()});
  EXPECT_EQ(place.count(), 0u);
  const TokenFile moved = std::move(file);
  EXPECT_EQ(ids_of(moved), (Ids{2, 3, 1}));
}

TEST(TokenFile, FullDiskAndMissingDirectoryAreErrors) {
  const TextFiles files;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "w ";
  const Paths paths{files.write("a", text + "\n")};
  const auto tokenizer = make_tokenizer();
  const Vocabulary vocabulary = count_symbols(paths, *tokenizer).build();
  expect_error<IoError>(
      [&] { TokenFile::build(paths, *tokenizer, vocabulary, {.directory = files.path("none")}); },
      files.path("none"), "No such file");
  const test::FileSizeLimit limit(100'000);
  expect_error<IoError>([&] { TokenFile::build(paths, *tokenizer, vocabulary); }, "File too large",
                        "100000 bytes (4 bytes a token)", "TMPDIR");
}

}  // namespace
}  // namespace rnn
