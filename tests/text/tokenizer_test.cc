#include "rnn/text/tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/segmenter.h"
#include "text/many_scripts.h"
#include "text/random_text.h"
#include "text/text_files.h"
#include "text/unicode.h"

namespace rnn {
namespace {

using std::string_literals::operator""s;
using Strings = std::vector<std::string>;

Strings texts(const Tokenizer& tokenizer, std::string_view line) {
  std::vector<Token> tokens;
  tokenizer.tokenize(line, tokens);
  Strings result;
  for (const Token& token : tokens) {
    EXPECT_EQ(token.text, line.substr(token.begin, token.end - token.begin));
    result.emplace_back(token.text);
  }
  return result;
}

Strings tokens_of(const std::string& unit, std::string_view line, const std::string& locale = "") {
  return texts(*make_tokenizer({.unit = unit, .locale = locale}), line);
}

TokenizerOptions options_for(std::string_view unit) {
  return {.unit = std::string(unit), .pattern = unit == "regex" ? "[^ ]|\\p{L}+|<.*?>" : ""};
}

TEST(WordTokenizer, SplitsAtAsciiWhiteSpaceOnly) {
  EXPECT_EQ(tokens_of("word", " no it was n't black monday \t<unk>\v\f\r"),
            (Strings{"no", "it", "was", "n't", "black", "monday", "<unk>"}));
  EXPECT_EQ(tokens_of("word", "a\u00A0b\u3000c d"), (Strings{"a\u00A0b\u3000c", "d"}));
  EXPECT_EQ(tokens_of("word", ""), Strings{});
  EXPECT_EQ(tokens_of("word", "  "), Strings{});
  EXPECT_EQ(tokens_of("word", "a\0b \0"s), (Strings{"a\0b"s, "\0"s}));
}

TEST(IcuWordTokenizer, KeepsPunctuationAndDropsWhiteSpace) {
  EXPECT_EQ(tokens_of("icu-word", "Don't pay $3.50, \u00A0 Ms. O\u2019Hara!"),
            (Strings{"Don't", "pay", "$", "3.50", ",", "Ms", ".", "O\u2019Hara", "!"}));
  EXPECT_EQ(tokens_of("icu-word", "สวัสดีชาวโลก", "th"), (Strings{"สวัสดี", "ชาว", "โลก"}));
}

TEST(RegexTokenizer, TokensAreTheMatches) {
  const auto tokenizer = make_tokenizer({.unit = "regex", .pattern = "\\p{L}+|\\p{N}|[^\\s]"});
  EXPECT_EQ(texts(*tokenizer, "Gr\u00FC\u00DFe, 42 \u03B1\u03B2!"),
            (Strings{"Gr\u00FC\u00DFe", ",", "4", "2", "\u03B1\u03B2", "!"}));
  EXPECT_EQ(texts(*make_tokenizer({.unit = "regex", .pattern = "x*"}), "axxb"), Strings{"xx"});
  expect_error<ConfigError>([] { make_tokenizer({.unit = "regex", .pattern = "a("}); }, "`pattern`",
                            "\"a(\"", "PAREN");
  expect_error<ConfigError>([] { make_tokenizer({.unit = "regex"}); }, "`pattern`");
  expect_error<ConfigError>([] { make_tokenizer({.pattern = "a"}); }, "`pattern`", "regex");
}

TEST(RegexTokenizer, HopelessMatchingEndsInAnError) {
  const auto tokenizer = make_tokenizer({.unit = "regex", .pattern = "(a|aa)+$"});
  std::vector<Token> tokens;
  expect_error<TextError>([&] { tokenizer->tokenize(std::string(5000, 'a') + "b", tokens); },
                          "regular expression", "5001 bytes");
}

// Each match is soon found, or each place soon left; all together they would take hours.
TEST(RegexTokenizer, HopelessMatchingOfManyPlacesEndsInAnError) {
  std::vector<Token> tokens;
  const std::string line(10'000, 'a');
  for (const char* pattern :
       {"(?:(?:aa?){14}b|a)", "(?>a*)b|a", "(a+)\\1b|a", "(?<=a{1,9999}b)|a"}) {
    const auto tokenizer = make_tokenizer({.unit = "regex", .pattern = pattern});
    expect_error<TextError>([&] { tokenizer->tokenize(line, tokens); }, "regular expression",
                            "10000 bytes", "too many steps");
    tokens.clear();
    tokenizer->tokenize("aab", tokens);  // the next line has a budget of its own
    EXPECT_FALSE(tokens.empty()) << pattern;
    tokens.clear();
  }
}

TEST(RegexTokenizer, GroupsCountAsSteps) {
  std::string groups;
  for (int i = 0; i < 2000; ++i) groups += "()";
  const auto tokenizer = make_tokenizer({.unit = "regex", .pattern = groups + "(a|aa)+$"});
  std::vector<Token> tokens;
  expect_error<TextError>([&] { tokenizer->tokenize(std::string(60, 'a') + "b", tokens); },
                          "61 bytes", "too many steps");
  expect_error<ConfigError>(
      [] { make_tokenizer({.unit = "regex", .pattern = std::string(40'000, 'a')}); }, "`pattern`",
      "32768", "40000");
}

TEST(RegexTokenizer, MatchesFollowOneAnother) {
  EXPECT_EQ(texts(*make_tokenizer({.unit = "regex", .pattern = "b*|\\p{L}"}), "abb\u00E9b"),
            (Strings{"bb", "b"}));
  EXPECT_EQ(texts(*make_tokenizer({.unit = "regex", .pattern = "\\Ga"}), "aaba"),
            (Strings{"a", "a"}));
}

TEST(RegexTokenizer, ALongLineIsNoHopelessOne) {
  const auto tokenizer = make_tokenizer({.unit = "regex", .pattern = "\\p{L}+|\\p{N}|[^\\s]"});
  std::string line;
  while (line.size() < 6'000'000) line += "Whether 'tis nobler in the mind to suffer 3 times: ";
  std::vector<Token> tokens;
  tokenizer->tokenize(line, tokens);
  EXPECT_EQ(tokens.size(), 12 * (line.size() / 51));
  EXPECT_EQ(tokens.back().text, ":");
}

TEST(CharTokenizer, UnitsAreGraphemeClusters) {
  EXPECT_EQ(tokens_of("char", "ae\u0301x"), (Strings{"a", "e\u0301", "x"}));
  EXPECT_EQ(tokens_of("char", "\U0001F469\u200D\U0001F4BB!"),
            (Strings{"\U0001F469\u200D\U0001F4BB", "!"}));
  EXPECT_EQ(tokens_of("char", "\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7"),
            (Strings{"\U0001F1E9\U0001F1EA", "\U0001F1EB\U0001F1F7"}));
  EXPECT_EQ(tokens_of("char", "a\r\nb\r"), (Strings{"a", "\r\n", "b", "\r"}));
}

TEST(CharTokenizer, AsciiFastPathCutsAsIcuDoes) {
  const auto tokenizer = make_tokenizer({.unit = "char"});
  const Segmenter icu(Boundary::kGrapheme, "");
  Draws draws(6);
  std::vector<Token> tokens;
  std::vector<std::size_t> ends, expected;
  std::vector<Segment> segments;
  for (int round = 0; round < 10000; ++round) {
    const std::uint32_t length = draws.below(40);
    std::string text;
    if (round % 3 == 0) {  // ASCII alone, all of it
      for (std::uint32_t i = 0; i < length; ++i) text += static_cast<char>(draws.below(128));
      for (std::uint32_t i = 0; i < length / 4; ++i) text += draws.below(2) ? "\r" : "\n";
    } else {
      text = round % 3 == 1 ? random_text(draws, length) : random_bytes(draws, length);
    }
    tokenizer->tokenize(text, tokens);
    ends.clear();
    for (const Token& token : tokens) ends.push_back(token.end);
    icu.segment(text, segments);
    expected.clear();
    for (const Segment& segment : segments) expected.push_back(segment.end);
    ASSERT_EQ(ends, expected) << testing::PrintToString(text);
  }
}

TEST(Tokenizers, LosslessOnesGiveBackEveryByte) {
  Draws draws(7);
  for (const char* unit : {"char", "byte"}) {
    const auto tokenizer = make_tokenizer({.unit = unit});
    ASSERT_TRUE(tokenizer->lossless());
    for (int round = 0; round < 1000; ++round) {
      const std::string text = random_bytes(draws, draws.below(60));
      const Strings units = texts(*tokenizer, text);
      const std::vector<std::string_view> views(units.begin(), units.end());
      ASSERT_EQ(tokenizer->detokenize(views), text);
    }
  }
}

TEST(Tokenizers, WordsAreJoinedWithSpaces) {
  const auto tokenizer = make_tokenizer({.unit = "word"});
  EXPECT_FALSE(tokenizer->lossless());
  EXPECT_EQ(tokenizer->detokenize(std::vector<std::string_view>{"a", "bc", "d"}), "a bc d");
  EXPECT_EQ(tokenizer->detokenize({}), "");
}

TEST(Tokenizers, LosslessOnesGiveBackTextInManyScripts) {
  for (const std::string_view line : kManyScripts) {
    for (const char* unit : {"char", "byte"}) {
      const auto tokenizer = make_tokenizer(options_for(unit));
      ASSERT_TRUE(tokenizer->lossless());
      std::vector<Token> tokens;
      tokenizer->tokenize(line, tokens);
      std::vector<std::string_view> pieces;
      for (const Token& token : tokens) {
        EXPECT_EQ(token.text, line.substr(token.begin, token.end - token.begin)) << unit;
        pieces.push_back(token.text);
      }
      EXPECT_EQ(tokenizer->detokenize(pieces), line) << unit;
    }
    // The others: what is no white space stands in a token, where its place says.
    for (const char* unit : {"word", "icu-word"}) {
      std::vector<Token> tokens;
      make_tokenizer(options_for(unit))->tokenize(line, tokens);
      std::size_t last = 0;
      for (const Token& token : tokens) {
        EXPECT_EQ(token.text, line.substr(token.begin, token.end - token.begin)) << unit;
        EXPECT_TRUE(all_white_space(line.substr(last, token.begin - last))) << unit << line;
        last = token.end;
      }
      EXPECT_TRUE(all_white_space(line.substr(last))) << unit << line;
    }
  }
}

TEST(Tokenizers, TokensDoNotOverlapAndStandInOrder) {
  Draws draws(8);
  for (const char* unit : {"word", "icu-word", "char", "byte", "regex"}) {
    const auto tokenizer = make_tokenizer(options_for(unit));
    std::vector<Token> tokens;
    for (int round = 0; round < 1000; ++round) {
      const std::string text = random_bytes(draws, draws.below(60));
      tokenizer->tokenize(text, tokens);
      std::size_t last = 0;
      for (const Token& token : tokens) {
        ASSERT_LE(last, token.begin);
        ASSERT_LT(token.begin, token.end);
        last = token.end;
      }
      ASSERT_LE(last, text.size());
    }
  }
}

TEST(Tokenizers, EncodingIsTokenizingAndLookingUp) {
  Draws draws(9);
  for (const char* unit : {"word", "icu-word", "char", "byte", "regex"}) {
    const auto tokenizer = make_tokenizer(options_for(unit));
    VocabularyBuilder builder;
    for (int i = 0; i < 20; ++i) tokenizer->count(random_text(draws, 30), builder);
    const Vocabulary vocabulary = builder.build();
    for (int round = 0; round < 500; ++round) {
      const std::string line = random_bytes(draws, 20) + " <unk> </s> ";
      std::vector<std::int32_t> ids, expected;
      std::int64_t unknown = 0;
      for (const std::string& token : texts(*tokenizer, line)) {
        const bool end = token == "</s>";
        expected.push_back(end ? vocabulary.unknown_id() : vocabulary.id(token));
        unknown += expected.back() == vocabulary.unknown_id() && token != "<unk>";
      }
      EXPECT_EQ(tokenizer->encode(line, vocabulary, ids), unknown);
      EXPECT_EQ(ids, expected);
      for (const std::int32_t id : ids) EXPECT_NE(id, vocabulary.end_id());
    }
  }
}

TEST(Tokenizers, CountsAreThoseOfTheTokens) {
  VocabularyBuilder builder;
  make_tokenizer()->count("a b a </s> <unk>", builder);
  EXPECT_EQ(builder.count("a"), 2);
  EXPECT_EQ(builder.count("<unk>"), 2);
  EXPECT_EQ(builder.count("</s>"), 0);
}

TEST(Tokenizers, WrongOptionsAreNamed) {
  expect_error<ConfigError>([] { make_tokenizer({.unit = "words"}); }, "`unit`", "icu-word",
                            "\"words\"");
  expect_error<ConfigError>([] { make_tokenizer({.unit = "char", .locale = "de"}); }, "`locale`",
                            "icu-word", "\"de\"");
}

}  // namespace
}  // namespace rnn
