#include "rnn/text/vocabulary.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "rnn/error.h"
#include "text/escape.h"
#include "text/packed.h"
#include "text/random_text.h"
#include "text/symbol_hash.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using std::string_literals::operator""s;

std::vector<std::string> symbols(const Vocabulary& vocabulary) {
  std::vector<std::string> result;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id)
    result.emplace_back(vocabulary.symbol(id));
  return result;
}

TEST(SymbolTable, NumbersInOrderOfArrival) {
  SymbolTable table;
  Draws draws(1);
  std::vector<std::string> arrived;
  for (int i = 0; i < 20000; ++i) {
    std::string symbol = random_bytes(draws, draws.below(12)) + std::to_string(i);
    EXPECT_EQ(table.find(symbol), -1);
    EXPECT_EQ(table.insert(symbol), i);
    arrived.push_back(std::move(symbol));
  }
  for (int i = 0; i < 20000; ++i) {
    const std::string& symbol = arrived[static_cast<std::size_t>(i)];
    EXPECT_EQ(table.insert(symbol), i);
    EXPECT_EQ(table.find(symbol), i);
    EXPECT_EQ(table[i], symbol);
  }
  EXPECT_EQ(table.size(), 20000);
}

TEST(SymbolTable, NoSymbolsCanBeMadeThatCollide) {
  // Under a known key each such symbol has the hash of all others: the second block makes the state
  // zero.
  std::vector<std::string> crafted;
  const std::uint64_t start = mix(24 + kStoredSymbolKey[0], kStoredSymbolKey[1]);
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    const std::uint64_t blocks[] = {i, mix(start ^ i, kStoredSymbolKey[0])};
    std::string symbol(24, 'a');
    std::memcpy(symbol.data(), blocks, sizeof blocks);
    crafted.push_back(std::move(symbol));
    ASSERT_EQ(symbol_hash(crafted.back(), kStoredSymbolKey),
              symbol_hash(crafted.front(), kStoredSymbolKey));
  }
  SymbolTable table;
  for (const std::string& symbol : crafted) table.insert(symbol);
  EXPECT_EQ(table.size(), 5000);
  EXPECT_LT(table.longest_search(),
            500u);  // 5000 where all collide, some 20 where none were made to
}

TEST(SymbolTable, AFingerprintIsTheSameInEveryProcess) {
  SymbolTable table;
  for (const char* symbol : {"<unk>", "</s>", "a", "fables", "a longer symbol"}) {
    table.insert(symbol);
  }
  EXPECT_EQ(table.fingerprint(), 0x9EDA695534225BF8u);
}

TEST(VocabularyBuilder, OrderIsSpecialsThenCountThenBytes) {
  VocabularyBuilder builder;
  for (const char* word : {"b", "a", "\u00E9", "z", "z", "b", "a", "B", "aa"}) builder.add(word);
  builder.add("</s>", 3);
  builder.add("<unk>", 7);
  const Vocabulary vocabulary = builder.build();
  EXPECT_EQ(symbols(vocabulary),
            (std::vector<std::string>{"<unk>", "</s>", "a", "b", "z", "B", "aa", "\u00E9"}));
  EXPECT_EQ(vocabulary.unknown_id(), 0);
  EXPECT_EQ(vocabulary.end_id(), 1);
  EXPECT_EQ(vocabulary.count(0), 7);
  EXPECT_EQ(vocabulary.count(1), 3);
  EXPECT_EQ(vocabulary.count(2), 2);
}

TEST(VocabularyBuilder, WhatIsLeftOutIsCountedAsUnknown) {
  VocabularyBuilder builder;
  builder.add("often", 5);
  builder.add("twice", 2);
  builder.add("once");
  builder.add("Once");
  builder.add("<unk>");
  EXPECT_EQ(symbols(builder.build({.minimum_count = 2})),
            (std::vector<std::string>{"<unk>", "</s>", "often", "twice"}));
  EXPECT_EQ(builder.build({.minimum_count = 2}).count(0), 3);
  EXPECT_EQ(symbols(builder.build({.maximum_size = 3})),
            (std::vector<std::string>{"<unk>", "</s>", "often"}));
  EXPECT_EQ(builder.build({.maximum_size = 3}).count(0), 5);
  EXPECT_EQ(builder.total(), 10);
  EXPECT_EQ(builder.types(), 6);
}

TEST(VocabularyBuilder, OrderOfCountingDoesNotMatter) {
  VocabularyBuilder forward, backward, halves, half;
  for (int i = 0; i < 1000; ++i) forward.add(std::to_string(i * i % 391));
  for (int i = 1000; i-- > 0;) backward.add(std::to_string(i * i % 391));
  for (int i = 0; i < 1000; ++i) (i % 2 ? half : halves).add(std::to_string(i * i % 391));
  halves.add(half);
  EXPECT_EQ(symbols(forward.build()), symbols(backward.build()));
  EXPECT_EQ(symbols(forward.build()), symbols(halves.build()));
}

TEST(VocabularyBuilder, ImpossibleOptionsAreNamed) {
  VocabularyBuilder builder;
  builder.add("a", 4);
  expect_error<ConfigError>([&] { builder.build({.minimum_count = -1}); }, "`minimum_count`", "-1");
  expect_error<ConfigError>([&] { builder.build({.minimum_count = 5}); }, "`minimum_count`", "5",
                            "4 times");
  expect_error<ConfigError>([&] { builder.build({.maximum_size = 2}); }, "`maximum_size`", "3",
                            "2");
}

TEST(Vocabulary, LooksUp) {
  const Vocabulary vocabulary(std::vector<VocabularyEntry>{{"</s>"}, {"x"}, {"<unk>"}, {"yy"}});
  EXPECT_EQ(vocabulary.unknown_id(), 2);
  EXPECT_EQ(vocabulary.end_id(), 0);
  EXPECT_EQ(vocabulary.id("x"), 1);
  EXPECT_EQ(vocabulary.id("yy"), 3);
  EXPECT_EQ(vocabulary.id("z"), 2);
  EXPECT_EQ(vocabulary.id("zz"), 2);
  EXPECT_EQ(vocabulary.find("z"), -1);
  EXPECT_EQ(vocabulary.find(""), -1);
  EXPECT_EQ(vocabulary.id("</s>"), 0);
  EXPECT_EQ(vocabulary.text_id("</s>"), 2);
  EXPECT_EQ(vocabulary.text_id("<unk>"), 2);
}

TEST(Vocabulary, FingerprintTellsSymbolsAndOrder) {
  using Entries = std::vector<VocabularyEntry>;
  const auto of = [](const Entries& entries) { return Vocabulary(entries).fingerprint(); };
  const Entries entries{{"<unk>"}, {"</s>"}, {"ab"}, {"c"}};
  EXPECT_EQ(of(entries), of({{"<unk>", 5}, {"</s>", 6}, {"ab", 7}, {"c"}}));
  EXPECT_NE(of(entries), of({{"<unk>"}, {"</s>"}, {"c"}, {"ab"}}));
  EXPECT_NE(of(entries), of({{"<unk>"}, {"</s>"}, {"a"}, {"bc"}}));
  EXPECT_NE(of(entries), of({{"<unk>"}, {"</s>"}, {"ab"}}));
}

TEST(Vocabulary, RepeatedEmptyAndMissingSymbolsAreRefused) {
  using Entries = std::vector<VocabularyEntry>;
  expect_error<TextError>([] { Vocabulary(Entries{{"<unk>"}, {"a"}}); }, "</s>", "missing");
  expect_error<TextError>(
      [] {
        Vocabulary(Entries{{"<unk>"}, {"</s>"}, {" "}, {" "}});
      },
      "\\s", "twice");
  expect_error<TextError>([] { Vocabulary(Entries{{"<unk>"}, {"</s>"}, {""}}); }, "empty");
}

TEST(VocabularyFile, AnySymbolComesBack) {
  const TextFiles files;
  VocabularyBuilder builder;
  Draws draws(2);
  for (int i = 0; i < 3000; ++i) {
    const std::string symbol = random_bytes(draws, 1 + draws.below(6));
    if (!symbol.empty()) builder.add(symbol, 1 + draws.below(9));
  }
  for (int byte = 0; byte < 256; ++byte) builder.add(std::string(1, static_cast<char>(byte)));
  const Vocabulary saved = builder.build();
  const std::string path = files.path("vocabulary.txt");
  saved.save(path);
  EXPECT_EQ(files.count(), 1u);
  const Vocabulary loaded = Vocabulary::load(path);
  EXPECT_EQ(symbols(loaded), symbols(saved));
  for (std::int32_t id = 0; id < saved.size(); ++id) EXPECT_EQ(loaded.count(id), saved.count(id));
  loaded.save(files.path("again.txt"));
  EXPECT_EQ(TextFiles::read(files.path("again.txt")), TextFiles::read(path));
}

TEST(VocabularyFile, IsReadable) {
  const TextFiles files;
  VocabularyBuilder builder;
  for (const char* symbol : {"Gr\u00FC\u00DFe", " ", "\t", "a\\b", "\u00A0", "\xFF", "e\u0301",
                             "\U0001F469\u200D\U0001F4BB", "\u200D"}) {
    builder.add(symbol);
  }
  builder.add("</s>", 12);
  builder.build().save(files.path("v"));
  EXPECT_EQ(TextFiles::read(files.path("v")),
            "<unk>\t0\n</s>\t12\n\\t\t1\n\\s\t1\nGr\u00FC\u00DFe\t1\na\\\\b\t1\ne\u0301\t1\n"
            "\\u{00a0}\t1\n\\u{200d}\t1\n\U0001F469\u200D\U0001F4BB\t1\n\\xff\t1\n");
}

TEST(VocabularyFile, MayBeEditedByHand) {
  const TextFiles files;
  const Vocabulary vocabulary =
      Vocabulary::load(files.write("v", "<unk>\r\nthe\t12\r\n</s>\t3\r\n\\x41\\u{1f600}\r\n \r\n"));
  EXPECT_EQ(symbols(vocabulary),
            (std::vector<std::string>{"<unk>", "the", "</s>", "A\U0001F600", " "}));
  EXPECT_EQ(vocabulary.count(1), 12);
  EXPECT_EQ(vocabulary.count(0), 0);
}

TEST(VocabularyFile, ErrorsNameFileAndLine) {
  const TextFiles files;
  const auto load = [&](std::string_view bytes) {
    return [&files, bytes] { Vocabulary::load(files.write("v.txt", bytes)); };
  };
  const std::string_view good = "<unk>\t1\n</s>\t1\n";
  expect_error<FormatError>(load("<unk>\t1\n</s>\t1\na\t1\nb\t1\na\t2\n"), "v.txt:5:1: ", "\"a\"",
                            "line 3");
  expect_error<FormatError>(load("<unk>\t1\n</s>\t1\n\\q\t1\n"), "v.txt:3:1: ", "escape");
  expect_error<FormatError>(load("<unk>\t1\n</s>\t1\n\u00E9b\\x4\t1\n"), "v.txt:3:3: ", "escape");
  expect_error<FormatError>(load("<unk>\t1\n</s>\t1\n\\u{d800}\t1\n"), "v.txt:3:1: ", "escape");
  expect_error<FormatError>(load("<unk>\t1\n</s>\t1\n\\u{}\t1\n"), "v.txt:3:1: ", "escape");
  expect_error<FormatError>(load("<unk>\t1\n</s>\t1\nx\\\t1\n"), "v.txt:3:2: ", "escape");
  expect_error<FormatError>(load("<unk>\t1\n</s>\t1\n\t1\n"), "v.txt:3:1: ", "empty");
  expect_error<FormatError>(load("<unk>\t1\n</s>\t1\nthe 12\n"), "v.txt:3:4: ", "space", "tab");
  expect_error<FormatError>(load("<unk>\t1\n</s>\tone\n"), "v.txt:2:6: ", "count", "one");
  expect_error<FormatError>(load("<unk>\t1\n</s>\t-1\n"), "v.txt:2:6: ", "count", "-1");
  expect_error<FormatError>(load("<unk>\t1\n</s>\t1\n\xE9t\xE9\t1\n"), "v.txt:3:1: ", "byte 1",
                            "\\xHH");
  expect_error<FormatError>(load("<unk>\t1\na\t1\n"), "v.txt:2:4: ", "</s>");
  expect_error<FormatError>(load(""), "v.txt:1:1: ", "<unk>");
  expect_error<IoError>([&] { Vocabulary::load(files.path("nowhere")); }, "nowhere");
  EXPECT_EQ(Vocabulary::load(files.write("v.txt", good)).size(), 2);
}

TEST(VocabularyFile, IsNotUnpacked) {
  const TextFiles files;
  const std::string path = files.write("v.txt", packed("<unk>\t1\n</s>\t1\n"));
  expect_error<FormatError>([&] { Vocabulary::load(path); }, "v.txt", "gzip");
}

TEST(VocabularyFile, UnwritablePlaceIsAnErrorAndLeavesNothing) {
  const TextFiles files;
  VocabularyBuilder builder;
  builder.add("a");
  const Vocabulary vocabulary = builder.build();
  expect_error<IoError>([&] { vocabulary.save(files.path("no/such/place")); }, "no/such/place");
  std::filesystem::create_directory(files.path("taken"));
  expect_error<IoError>([&] { vocabulary.save(files.path("taken")); }, "taken");
  EXPECT_EQ(files.count(), 1u);
}

TEST(Escape, GivesNoWhiteSpaceAndComesBack) {
  Draws draws(3);
  for (int round = 0; round < 5000; ++round) {
    const std::string symbol = random_bytes(draws, draws.below(20));
    const std::string text = escape(symbol);
    EXPECT_EQ(text.find_first_of(" \t\n\r\v\f"s + '\0'), std::string::npos);
    EXPECT_EQ(find_invalid_utf8(text), std::string_view::npos);
    std::string back;
    std::size_t error_at = 0;
    ASSERT_TRUE(unescape(text, back, error_at)) << text;
    EXPECT_EQ(back, symbol);
  }
}

}  // namespace
}  // namespace rnn
