#include "rnn/text/tag_reader.h"

#include <gtest/gtest.h>

#include "rnn/error.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Strings = std::vector<std::string>;

/// Reads a file and writes it again, each tag through `change`.
template <class Change>
std::string rewritten(const std::string& path, const TagReaderOptions& options, Change change) {
  TagReader reader(path, options);
  TaggedSentence sentence;
  std::string text;
  while (reader.next(sentence)) {
    Strings tags;
    for (std::size_t i = 0; i < sentence.words.size(); ++i) tags.push_back(change(sentence, i));
    text += reader.lines().with_tags(tags);
  }
  return text + reader.lines().with_tags({});
}

std::string own_tag(const TaggedSentence& sentence, std::size_t i) { return sentence.tags[i]; }
std::string word_as_tag(const TaggedSentence& sentence, std::size_t i) {
  return "<" + sentence.words[i] + ">";
}

constexpr std::string_view kConllu =
    "# sent_id = 1\n# text = Don't go.\n"
    "1-2\tDon't\t_\tUPOS?\t_\t_\t_\t_\t_\t_\n"
    "1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_\n"
    "2\tn't\tnot\tPART\tRB\tPolarity=Neg\t3\tadvmod\t_\t_\n"
    "3\tgo\tgo\tVERB\tVB\tMood=Imp\t0\troot\t_\tSpaceAfter=No\n"
    "3.1\tyou\tyou\tPRON\t_\t_\t_\t_\t3:nsubj\t_\n"
    "\n\n"
    "1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n";

TEST(TagReader, WordsProperAndTheirTagsOfConllu) {
  const TextFiles files;
  const std::string path = files.write("a.conllu", kConllu);
  const Strings tags[] = {
      {"AUX", "PART", "VERB"}, {"VB", "RB", "VB"}, {"_", "Polarity=Neg", "Mood=Imp"}};
  const char* const fields[] = {"upos", "xpos", "feats"};
  for (int i = 0; i < 3; ++i) {
    TagReader reader(path, {.field = fields[i]});
    TaggedSentence sentence;
    ASSERT_TRUE(reader.next(sentence));
    EXPECT_EQ(sentence.words, (Strings{"Do", "n't", "go"}));
    EXPECT_EQ(sentence.tags, tags[i]);
    EXPECT_EQ(sentence.lines, (std::vector<std::int64_t>{4, 5, 6}));
    ASSERT_TRUE(reader.next(sentence));
    EXPECT_EQ(sentence.lines, (std::vector<std::int64_t>{10}));
    EXPECT_FALSE(reader.next(sentence));
  }
}

TEST(TagReader, ConlluChangesInTheTagsOfItsWordsAlone) {
  const TextFiles files;
  for (const std::string_view text : {kConllu, kConllu.substr(0, kConllu.size() - 1)}) {
    const std::string path = files.write("a.conllu", text);
    for (const char* field : {"upos", "xpos", "feats"}) {
      EXPECT_EQ(rewritten(path, {.field = field}, own_tag), text);
    }
    std::string expected(text);
    for (const auto& [from, to] : {std::pair{"do\tAUX", "do\t<Do>"},
                                   {"not\tPART", "not\t<n't>"},
                                   {"1\tGo\tgo\tVERB", "1\tGo\tgo\t<Go>"},
                                   {"3\tgo\tgo\tVERB", "3\tgo\tgo\t<go>"}}) {
      expected.replace(expected.find(from), std::string_view(from).size(), to);
    }
    EXPECT_EQ(rewritten(path, {.field = "upos"}, word_as_tag), expected);
  }
}

TEST(TagReader, ColumnsChangeInTheTagsAlone) {
  const TextFiles files;
  const std::string text =
      "\n-DOCSTART- -X- O O\r\n\nEU NNP  I-ORG x\nrejects\tVBZ O \tx  \n\n\n-DOCSTART- -X- -X- O\n"
      "\n. . O .\n\n\n-DOCSTART- -X- O O";
  const std::string path = files.write("a.txt", text);
  EXPECT_EQ(rewritten(path, {.column = 3}, own_tag), text);
  EXPECT_EQ(rewritten(path, {.column = 3}, word_as_tag),
            "\n-DOCSTART- -X- O O\r\n\nEU NNP  <EU> x\nrejects\tVBZ <rejects> \tx  \n\n\n"
            "-DOCSTART- -X- -X- O\n\n. . <.> .\n\n\n-DOCSTART- -X- O O");
  EXPECT_EQ(rewritten(path, {.column = 1, .word_column = 2}, word_as_tag).substr(0, 46),
            "\n-DOCSTART- -X- O O\r\n\n<NNP> NNP  I-ORG x\n<VBZ>");
}

TEST(TagReader, MarksAndCarriageReturnsStayWhereTheyAre) {
  const TextFiles files;
  const std::string text =
      "\xEF\xBB\xBF"
      "1\ta\rb\ta\tX\t_\t_\t0\t_\t_\t_\r\n2\tc\tc\tY\t_\t_\t1\t_\t_\tm\r\n\r\n";
  const std::string path = files.write("a.conllu", text);
  EXPECT_EQ(rewritten(path, {.field = "upos"}, own_tag), text);
  std::string changed = text;
  changed.replace(changed.find("X"), 1, "<a\rb>");
  changed.replace(changed.find("Y"), 1, "<c>");
  EXPECT_EQ(rewritten(path, {.field = "upos"}, word_as_tag), changed);
  // A mark elsewhere is part of a word.
  EXPECT_EQ(rewritten(files.write("a.txt",
                                  "a O\n\n\xEF\xBB\xBF"
                                  "b c\n"),
                      {.column = 1, .word_column = 2}, word_as_tag),
            "<O> O\n\n<c> c\n");
}

TEST(TagReader, ACarriageReturnInsideALineIsPartOfACell) {
  const TextFiles files;
  const std::string text = "\ra b\rc\tO\r\n\rd e\r X";
  EXPECT_EQ(rewritten(files.write("a.txt", text), {.column = 2}, word_as_tag),
            "\ra <\ra>\tO\r\n\rd <\rd> X");
  const std::string conllu = "1\t\r\tdo\tAUX\t_\t_\t0\t_\t_\t_\r\n";
  EXPECT_EQ(rewritten(files.write("a.conllu", conllu), {.field = "upos"}, own_tag), conllu);
}

TEST(TagReader, AMissingTagIsAddedWhereTagsMayBeMissing) {
  const TextFiles files;
  const std::string path = files.write("a.txt", "a\nb\r\n\nc");
  EXPECT_EQ(rewritten(path, {.column = 2, .needs_tags = false}, word_as_tag),
            "a <a>\nb <b>\r\n\nc <c>");
  const std::string tabs = files.write("t.txt", "a\tx\n");
  EXPECT_EQ(rewritten(tabs, {.column = 3, .needs_tags = false}, word_as_tag), "a\tx\t<a>\n");
}

TEST(TagReader, ErrorsNameTheLineAndTheOption) {
  const TextFiles files;
  const auto read = [&](std::string_view text, const TagReaderOptions& options) {
    return [&files, text = std::string(text), options] {
      TagReader reader(files.write("x.txt", text), options);
      TaggedSentence sentence;
      while (reader.next(sentence)) {
      }
    };
  };
  expect_error<TextError>(read("a B\n\nc\n", {.column = 2}), "x.txt:3:2:", "expected 2 columns",
                          "found 1");
  expect_error<TextError>(read("\na\nb\n", {.column = 2}), "x.txt:2:2: ", "tag in column 2",
                          "has 1");
  expect_error<TextError>(read("\xEF\xBB\xBF\u00E9 b\r\n", {.column = 3}), "x.txt:1:4: ", "has 2");
  expect_error<TextError>(read("a\n", {.column = 3, .needs_tags = false}), "tag in column 3");
  expect_error<TextError>(read("a\n", {.column = 1, .word_column = 2}), "word in column 2");
  expect_error<TextError>(read("a\n", {.field = "upos"}), "x.txt:1:", "10 columns");
  expect_error<ConfigError>(read("", {}), "--field", "--column");
  expect_error<ConfigError>(read("", {.field = "upos", .column = 2}), "--field", "--column");
  expect_error<ConfigError>(read("", {.field = "lemma"}), "upos, xpos or feats", "'lemma'");
  expect_error<ConfigError>(read("", {.column = -1}), "column:", "-1");
  expect_error<ConfigError>(read("", {.column = 2, .word_column = 2}), "word-column:");
  TagReader reader(files.write("y.txt", "a B\n"), {.column = 2});
  TaggedSentence sentence;
  ASSERT_TRUE(reader.next(sentence));
  expect_error<ShapeError>([&] { reader.lines().with_tags({}); }, "1 words", "0 tags");
}

}  // namespace
}  // namespace rnn
