// Texts that break readers: one endless line, endless characters, bytes that are no text.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/line_reader.h"
#include "rnn/text/normalizer.h"
#include "rnn/text/segmenter.h"
#include "rnn/text/token_file.h"
#include "text/text_files.h"

namespace rnn {
namespace {

std::vector<std::shared_ptr<const Tokenizer>> all_tokenizers() {
  std::vector<std::shared_ptr<const Tokenizer>> all;
  for (const char* unit : {"word", "icu-word", "char", "byte", "regex"}) {
    all.push_back(
        make_tokenizer({.unit = unit, .pattern = std::string(unit) == "regex" ? "\\S+" : ""}));
  }
  return all;
}

/// Each tokenizer gives places in order that stay inside the line, and the line back if it says so.
void expect_sound(const std::string& line) {
  std::vector<Token> tokens;
  for (const auto& tokenizer : all_tokenizers()) {
    tokenizer->tokenize(line, tokens);
    std::size_t end = 0;
    std::vector<std::string_view> views;
    for (const Token& token : tokens) {
      ASSERT_LE(end, token.begin);
      ASSERT_LT(token.begin, token.end);
      end = token.end;
      views.push_back(token.text);
    }
    ASSERT_LE(end, line.size());
    EXPECT_TRUE(!tokenizer->lossless() || tokenizer->detokenize(views) == line);
  }
  for (const Boundary boundary : {Boundary::kGrapheme, Boundary::kWord, Boundary::kSentence}) {
    std::vector<Segment> segments;
    Segmenter(boundary).segment(line, segments);
    ASSERT_FALSE(segments.empty());
    EXPECT_EQ(segments.front().begin, 0u);
    EXPECT_EQ(segments.back().end, line.size());
  }
  const Normalizer normalizer({.form = "nfkc",
                               .lowercase = true,
                               .strip_accents = true,
                               .controls = "space",
                               .digits = "zero",
                               .white_space = "collapse"});
  const NormalizedText text = normalizer.align(line);
  EXPECT_EQ(text.text(), normalizer.normalize(line));
  EXPECT_LE(text.source(0, text.text().size()).end, line.size());
}

TEST(ExtremeText, OneLineOfMegabytes) {
  std::string line;
  while (line.size() < 2'000'000)
    line += "caf\u00E9 \u65E5\u672C 12,5 \U0001F469\u200D\U0001F4BB. ";
  expect_sound(line);
  const TextFiles files;
  const std::vector<std::string> paths{files.write("line", line)};
  LineReader reader(paths[0]);
  ASSERT_TRUE(reader.next());
  EXPECT_TRUE(reader.line() == line);
  EXPECT_FALSE(reader.next());
  const auto tokenizer = make_tokenizer();
  const Vocabulary vocabulary = count_symbols(paths, *tokenizer).build();
  EXPECT_EQ(vocabulary.size(), 6);
  EXPECT_EQ(TokenFile::build(paths, *tokenizer, vocabulary).lines(), 1);
}

TEST(ExtremeText, TenThousandMarksOnOneLetter) {
  std::string line = "xa";
  for (int i = 0; i < 10'000; ++i) line += i % 2 == 0 ? "\u0301" : "\u0323";
  line += "b";
  expect_sound(line);
  std::vector<Token> tokens;
  make_tokenizer({.unit = "char"})->tokenize(line, tokens);
  ASSERT_EQ(tokens.size(), 3u);  // one character, however long
  EXPECT_EQ(tokens[1].text.size(), 20'001u);
  // Canonical order puts the marks below before those above; the first of them composes.
  const std::string composed = Normalizer({.form = "nfc"}).normalize(line);
  EXPECT_EQ(composed.substr(0, 4), "x\u1EA1");
  EXPECT_EQ(Normalizer({.strip_accents = true}).normalize(line), "xab");
}

TEST(ExtremeText, NulIsACharacterLikeOthers) {
  using namespace std::string_literals;
  const std::string line = "a\0b \0\0 c"s;
  expect_sound(line);
  std::vector<Token> tokens;
  make_tokenizer()->tokenize(line, tokens);
  ASSERT_EQ(tokens.size(), 3u);
  EXPECT_EQ(tokens[0].text, "a\0b"s);
  const TextFiles files;
  LineReader reader(files.write("nul", line + "\n\0\n"s));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.line(), line);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.line(), "\0"s);
}

TEST(ExtremeText, WhatIsNotUtf8IsRefusedOrReplacedEachPartOnce) {
  const struct {
    const char* bytes;
    std::size_t parts;  // maximal ill-formed ones (Unicode 15.0, table 3-8)
  } cases[] = {
      {"\xED\xA0\x80", 3},              // a lone high surrogate
      {"\xED\xBF\xBF", 3},              // a lone low one
      {"\xED\xA0\xBD\xED\xB8\x80", 6},  // a pair, as CESU-8 writes it
      {"\xC0\xAF", 2},                  // an overlong slash
      {"\xE2\x82", 1},                  // a euro sign without its end
      {"\xF4\x90\x80\x80", 4},          // above U+10FFFF
      {"\xF0\x9F\x92\xE2\x82\xAC", 1},  // cut off by a whole character
      {"\x80\xFE\xFF", 3},
  };
  const TextFiles files;
  for (const auto& [bytes, parts] : cases) {
    const std::string line = "ab" + std::string(bytes) + "c";
    SCOPED_TRACE(testing::PrintToString(line));
    expect_sound(line);
    const std::string path = files.write("bad", "good\n" + line + "\n");
    LineReader strict(path);
    ASSERT_TRUE(strict.next());
    expect_error<TextError>([&] { strict.next(); }, "bad:2:3: ", "byte 3");
    LineReader replacing(path, {.replace_invalid = true});
    ASSERT_TRUE(replacing.next() && replacing.next());
    std::size_t marks = 0;
    const std::string_view repaired = replacing.line();
    for (std::size_t at = repaired.find("\uFFFD"); at != repaired.npos;
         at = repaired.find("\uFFFD", at + 1)) {
      ++marks;
    }
    EXPECT_EQ(marks, parts);
    LineReader any(path, {.any_bytes = true});
    ASSERT_TRUE(any.next() && any.next());
    EXPECT_EQ(any.line(), line);
  }
}

}  // namespace
}  // namespace rnn
