#include "rnn/text/sentencepiece.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/token_file.h"
#include "text/many_scripts.h"
#include "text/random_text.h"
#include "text/sentencepiece_model.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Strings = std::vector<std::string>;

/// Text of a few hundred made-up words, from a counter.
std::string corpus_text() {
  static constexpr const char* kSyllables[] = {"ba", "ren",     "to",  "mi", "lor", "ka",
                                               "su", "\u00E9l", "vin", "do", "pra", "ne"};
  Draws draws(1);
  std::string text;
  for (int line = 0; line < 2000; ++line) {
    for (std::uint32_t word = 0; word < 8; ++word) {
      if (word > 0) text += ' ';
      for (std::uint32_t i = 0; i <= draws.below(3); ++i) text += kSyllables[draws.below(12)];
    }
    text += '\n';
  }
  return text;
}

const std::string& trained(const std::string& kind) {
  static std::map<std::string, std::string> models;
  std::string& model = models[kind];
  if (model.empty()) {
    const TextFiles files;
    const std::vector<std::string> paths{files.write("corpus.txt", corpus_text())};
    model = train_sentencepiece(paths, {.vocabulary_size = 400, .model_type = kind});
  }
  return model;
}

Strings texts(const std::vector<Token>& tokens) {
  Strings result;
  for (const Token& token : tokens) result.emplace_back(token.text);
  return result;
}

std::string joined(const Tokenizer& tokenizer, const std::vector<Token>& tokens) {
  std::vector<std::string_view> views;
  for (const Token& token : tokens) views.push_back(token.text);
  return tokenizer.detokenize(views);
}

TEST(SentencePiece, TrainingIsRepeatable) {
  const TextFiles files;
  const std::vector<std::string> paths{files.write("corpus.txt", corpus_text())};
  for (const char* kind : {"unigram", "bpe"}) {
    EXPECT_EQ(
        train_sentencepiece(paths, {.vocabulary_size = 400, .model_type = kind}, {.threads = 2}),
        trained(kind));
  }
}

TEST(SentencePiece, BringsItsVocabulary) {
  const SentencePieceTokenizer tokenizer(trained("unigram"));
  const auto vocabulary = tokenizer.vocabulary();
  EXPECT_EQ(vocabulary->size(), 400);
  EXPECT_EQ(vocabulary->unknown_id(), 0);
  EXPECT_EQ(vocabulary->end_id(), 1);
  EXPECT_EQ(vocabulary->symbol(2), "<0x00>");
  EXPECT_EQ(tokenizer.model(), trained("unigram"));
}

TEST(SentencePiece, GivesBackEveryText) {
  Draws draws(2);
  for (const char* kind : {"unigram", "bpe"}) {
    const SentencePieceTokenizer tokenizer(trained(kind));
    ASSERT_TRUE(tokenizer.lossless());
    std::vector<Token> tokens;
    const auto expect_same = [&](const std::string& text) {
      tokenizer.tokenize(text, tokens);
      ASSERT_EQ(joined(tokenizer, tokens), text) << testing::PrintToString(text);
    };
    for (const char* text :
         {"", " ", "  renba  to ", "\u2581", "a\u2581b \u2581\u2581", "<unk> </s>", "<0x41>",
          "\u0E01\u0E33 \u65E5\u672C \U0001F469\u200D\U0001F4BB"}) {
      expect_same(text);
    }
    for (int round = 0; round < 500; ++round) expect_same(random_text(draws, draws.below(40)));
  }
}

TEST(SentencePiece, PlacesCoverTheLine) {
  Draws draws(3);
  const SentencePieceTokenizer tokenizer(trained("unigram"));
  std::vector<Token> tokens;
  for (int round = 0; round < 500; ++round) {
    const std::string text = "renba " + random_text(draws, draws.below(20)) + "\u2581 tomi";
    tokenizer.tokenize(text, tokens);
    std::size_t at = 0;
    for (const Token& token : tokens) {
      ASSERT_EQ(token.begin, at);
      at = token.end;
    }
    ASSERT_EQ(at, text.size());
  }
}

TEST(SentencePiece, EncodingIsTokenizingAndLookingUp) {
  Draws draws(4);
  const SentencePieceTokenizer tokenizer(trained("bpe"));
  // One of its own, and one that has lost some symbols and is in another order.
  VocabularyBuilder builder;
  tokenizer.count("renba tomi lorka suvin", builder);
  const Vocabulary other = builder.build();
  std::vector<Token> tokens;
  for (const Vocabulary* vocabulary : {tokenizer.vocabulary().get(), &other}) {
    for (int round = 0; round < 200; ++round) {
      const std::string text = "renba " + random_text(draws, 5) + "\u2581 tomi";
      tokenizer.tokenize(text, tokens);
      std::vector<std::int32_t> ids, expected;
      std::int64_t unknown = 0;
      for (const Token& token : tokens) {
        expected.push_back(vocabulary->text_id(token.text));
        unknown += expected.back() == vocabulary->unknown_id();
      }
      EXPECT_EQ(tokenizer.encode(text, *vocabulary, ids), unknown);
      EXPECT_EQ(ids, expected);
    }
  }
}

TEST(SentencePiece, IsAUnitLikeTheOthers) {
  const TextFiles files;
  const std::string path = files.write("m.model", trained("unigram"));
  const auto tokenizer = make_tokenizer({.unit = "sentencepiece", .model = path});
  const std::vector<std::string> paths{files.write("t", "renba tomi\nlor\n")};
  const TokenFile file = TokenFile::build(paths, *tokenizer, *tokenizer->vocabulary());
  EXPECT_EQ(file.unknown(), 0);
  EXPECT_EQ(file.ids().back(), 1);
  expect_error<ConfigError>([] { make_tokenizer({.unit = "sentencepiece"}); }, "`model`",
                            "train-sentencepiece");
  expect_error<IoError>(
      [&] { make_tokenizer({.unit = "sentencepiece", .model = files.path("no")}); },
      files.path("no"));
}

TEST(SentencePiece, SamplesFollowTheProbabilities) {
  const SentencePieceTokenizer tokenizer(trained("unigram"));
  const std::string line = "renbatomi lorka";
  std::vector<Token> tokens, best;
  tokenizer.tokenize(line, best);
  // n = 1 and a large alpha both give the best one.
  tokenizer.sample(line, 1, 0.1, Random(1), tokens);
  EXPECT_EQ(texts(tokens), texts(best));
  tokenizer.sample(line, 50, 1000, Random(1), tokens);
  EXPECT_EQ(texts(tokens), texts(best));
  // alpha = 0 makes all n equally likely: chi-square with n - 1 degrees of freedom.
  constexpr int kBest = 8, kDraws = 8000;
  std::map<Strings, int> seen;
  for (int i = 0; i < kDraws; ++i) {
    tokenizer.sample(line, kBest, 0, Random(7).fold(static_cast<std::uint64_t>(i)), tokens);
    EXPECT_EQ(joined(tokenizer, tokens), line);
    ++seen[texts(tokens)];
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kBest));
  double chi_square = 0;
  for (const auto& [units, count] : seen) {
    chi_square += std::pow(count - kDraws / kBest, 2) / (kDraws / kBest);
  }
  EXPECT_LT(chi_square, 24.3);  // 0.1 % of fair draws lie above
  std::vector<Token> again;
  tokenizer.sample(line, kBest, 0.2, Random(9), tokens);
  tokenizer.sample(line, kBest, 0.2, Random(9), again);
  EXPECT_EQ(tokens, again);
}

TEST(SentencePiece, SamplingNeedsAUnigramModel) {
  const SentencePieceTokenizer bpe(trained("bpe")), unigram(trained("unigram"));
  std::vector<Token> tokens;
  expect_error<ConfigError>([&] { bpe.sample("x", 5, 1, Random(1), tokens); }, "unigram");
  expect_error<ConfigError>([&] { unigram.sample("x", 0, 1, Random(1), tokens); }, "`n_best`", "0");
  expect_error<ConfigError>([&] { unigram.sample("x", 5, -1, Random(1), tokens); }, "`alpha`",
                            "-1");
}

TEST(SentencePiece, LearnsFromLongLinesAndThoseWithItsReservedCharacter) {
  const TextFiles files;
  // All of the text, more than twice, in lines that the library would leave out.
  std::string one, reserved;
  while (one.size() < 250000) one += corpus_text();
  std::replace(one.begin(), one.end(), '\n', ' ');
  for (const char c : corpus_text()) {
    reserved += c;
    if (c == '\n') reserved += "\u2585";
  }
  for (const std::string& text : {one, reserved, "\u2585" + one}) {
    const std::vector<std::string> paths{files.write("t", text)};
    const SentencePieceTokenizer tokenizer(train_sentencepiece(paths, {.vocabulary_size = 400}));
    // Learned: few pieces, not a byte each.
    std::vector<Token> tokens;
    const std::string_view start = std::string_view(one).substr(0, 1000);
    tokenizer.tokenize(start, tokens);
    EXPECT_LT(tokens.size(), 500u);
    tokenizer.tokenize("a\u2585b", tokens);
    EXPECT_EQ(joined(tokenizer, tokens), "a\u2585b");
  }
}

TEST(SentencePiece, GivesBackTextInManyScripts) {
  const TextFiles files;
  std::string text;
  for (const std::string_view line : kManyScripts) text += std::string(line) + '\n';
  const std::vector<std::string> paths{files.write("t", text)};
  const SentencePieceTokenizer own(train_sentencepiece(paths, {.vocabulary_size = 640})),
      other(trained("unigram"));
  for (const std::string_view line : kManyScripts) {
    for (const SentencePieceTokenizer* tokenizer : {&own, &other}) {
      std::vector<Token> tokens;
      tokenizer->tokenize(line, tokens);
      EXPECT_EQ(joined(*tokenizer, tokens), line);
    }
  }
}

TEST(SentencePiece, WrongOptionsAreNamed) {
  const TextFiles files;
  const std::vector<std::string> paths{files.write("t", "too little text\n")};
  expect_error<ConfigError>([&] { train_sentencepiece(paths, {.model_type = "word"}); },
                            "`model_type`", "\"word\"");
  expect_error<ConfigError>([&] { train_sentencepiece(paths, {.vocabulary_size = 100}); },
                            "`vocabulary_size`", "300", "100");
  expect_error<ConfigError>([&] { train_sentencepiece(paths, {.character_coverage = 1.5}); },
                            "`character_coverage`", "1.5");
  expect_error<ConfigError>([&] { train_sentencepiece(paths, {.vocabulary_size = 5000}); },
                            "5000 pieces", "more text");
  const std::vector<std::string> empty{files.write("e", "\n")};
  expect_error<TextError>([&] { train_sentencepiece(empty); }, "no text in");
}

TEST(SentencePieceModel, DamageIsFoundBeforeTheLibrarySeesIt) {
  const std::string& good = trained("unigram");
  const auto load = [](const std::string& bytes) {
    return [bytes] { SentencePieceTokenizer(bytes, "bad.model"); };
  };
  expect_error<FormatError>(load(""), "bad.model", "no pieces");
  expect_error<FormatError>(load("hello, this is no model at all"), "bad.model", "not a sound");
  for (std::size_t keep = 0; keep < good.size(); keep += 97) {
    EXPECT_THROW(SentencePieceTokenizer(good.substr(0, keep)), FormatError) << keep;
  }
}

TEST(SentencePieceModel, NoChangedByteMakesItCrash) {
  const std::string& good = trained("unigram");
  Draws draws(5);
  std::vector<Token> tokens;
  int refused = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string bad = good;
    bad[draws.below(static_cast<std::uint32_t>(bad.size()))] ^=
        static_cast<char>(1 + draws.below(255));
    try {
      const SentencePieceTokenizer tokenizer(bad);
      tokenizer.tokenize("renba \u00E9l tomi \u65E5", tokens);
    } catch (const FormatError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);  // others only changed a letter or a score
}

/// A character map with a trie of 256 units.
std::string model_with_map(std::uint32_t size, std::uint32_t unit, std::string_view texts) {
  std::string map(4, '\0');
  std::memcpy(map.data(), &size, 4);
  for (int i = 0; i < 256; ++i) map.append(reinterpret_cast<const char*>(&unit), 4);
  map += texts;
  const auto field = [](int number, const std::string& bytes) {
    std::string text(1, static_cast<char>(number << 3 | 2));
    for (std::size_t size_left = bytes.size(); true; size_left >>= 7) {
      text += static_cast<char>((size_left & 0x7F) | (size_left > 0x7F ? 0x80 : 0));
      if (size_left <= 0x7F) break;
    }
    return text + bytes;
  };
  return trained("bpe") + field(3, field(2, map));
}

TEST(SentencePieceModel, CharacterMapsAreWalked) {
  const auto read = [](const std::string& bytes) {
    return [bytes] { read_sentencepiece_model(bytes, "m"); };
  };
  using std::string_literals::operator""s;
  EXPECT_TRUE(read_sentencepiece_model(model_with_map(1024, 0, "x\0"s), "m").has_character_map);
  expect_error<FormatError>(read(model_with_map(1020, 0, "x\0"s)), "1020 bytes");
  expect_error<FormatError>(read(model_with_map(4096, 0, "x\0"s)), "4096 bytes");
  expect_error<FormatError>(read(model_with_map(1024, 0, "x")), "no end");
  expect_error<FormatError>(read(model_with_map(1024, 1u << 20, "x\0"s)), "leads outside");
  expect_error<FormatError>(read(model_with_map(1024, 0x100 | 0x80, "x\0"s)), "value");
}

}  // namespace
}  // namespace rnn
