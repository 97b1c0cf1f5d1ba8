// CSV, labelled text, CoNLL columns and CoNLL-U.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/conll_reader.h"
#include "rnn/text/csv_reader.h"
#include "rnn/text/labelled_reader.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Strings = std::vector<std::string>;
using Records = std::vector<Strings>;

Records records_of(const std::string& path, const CsvOptions& options = {}) {
  CsvReader reader(path, options);
  Records records;
  while (reader.next()) records.push_back(reader.fields());
  return records;
}

TEST(CsvReader, ReadsWhatRfc4180Says) {
  const TextFiles files;
  const std::string path =
      files.write("a.csv",
                  "\xEF\xBB\xBF"
                  "a,\"b,c\",\"d\"\"e\"\"\"\r\n\"line\r\nbreak\n\",,\"\"\r\n\r\n x , y\"z ,last");
  EXPECT_EQ(
      records_of(path),
      (Records{{"a", "b,c", "d\"e\""}, {"line\r\nbreak\n", "", ""}, {" x ", " y\"z ", "last"}}));
}

TEST(CsvReader, TabsAndPlainQuotes) {
  const TextFiles files;
  const std::string path = files.write("a.tsv", "1\t\"quoted\"\r\n2\t\"not\n");
  EXPECT_EQ(records_of(path, {.separator = '\t', .quotes = false}),
            (Records{{"1", "\"quoted\""}, {"2", "\"not"}}));
}

TEST(CsvReader, LineNumbersAreThoseOfTheStart) {
  const TextFiles files;
  CsvReader reader(files.write("a", "a\n\"b\nc\nd\"\n\ne\n"));
  Strings lines;
  while (reader.next()) lines.push_back(std::to_string(reader.line_number()));
  EXPECT_EQ(lines, (Strings{"1", "2", "6"}));
}

TEST(CsvReader, WhatIsWrittenIsRead) {
  const TextFiles files;
  Draws draws(1);
  Records records;
  std::string text;
  for (int row = 0; row < 500; ++row) {
    Strings record;
    for (int column = 0; column < 3; ++column) {
      std::string field;
      for (std::uint32_t i = 0; i < 1 + draws.below(8); ++i) field += "a,\"\n\r\t "[draws.below(7)];
      std::string quoted = "\"";
      for (const char c : field) quoted += c == '"' ? "\"\"" : std::string(1, c);
      text += (column > 0 ? "," : "") + quoted + "\"";
      record.push_back(std::move(field));
    }
    text += draws.below(2) ? "\n" : "\r\n";
    records.push_back(std::move(record));
  }
  EXPECT_EQ(records_of(files.write("a", text)), records);
}

// Columns are counted on from field to field: from the start of the line, these would take minutes.
TEST(CsvReader, ARecordMayHaveManyQuotedFields) {
  const TextFiles files;
  constexpr std::size_t kFields = 1000000;
  std::string text = "\"\"";
  for (std::size_t i = 1; i < kFields; ++i) text += ",\"\"";
  CsvReader reader(files.write("a", text + "\n"));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.fields().size(), kFields);
  EXPECT_EQ(reader.place(kFields - 1).column, static_cast<std::int64_t>(3 * kFields - 2));
  CsvReader open(files.write("b", "\"\",\"a\n\",\"b\n"));
  expect_error<TextError>([&] { open.next(); }, "b:2:3: ", "never closed");
}

TEST(CsvReader, ErrorsHaveLineAndColumn) {
  const TextFiles files;
  const auto read = [&](std::string_view bytes) {
    return [&files, bytes] { records_of(files.write("x.csv", bytes)); };
  };
  expect_error<TextError>(read("a,b\n\u00E9,\"open\nstill\n"), "x.csv:2:3: ", "never closed");
  expect_error<TextError>(read("a,b\n\"c\"d,e\n"), "x.csv:2:4: ", "closing quote");
  expect_error<TextError>(read("a,b\nc,d\ne\n"), "x.csv:3:2: ", "expected 2 fields", "found 1");
  expect_error<TextError>(read("a,b\nc,d,e\n"), "x.csv:2:6: ", "found 3");
  expect_error<TextError>(read("a\n\xFF\n"), "x.csv:2:1: ", "UTF-8");
  // A byte-order mark is no character of its line.
  const std::string_view mark = "\xEF\xBB\xBF";
  const std::string first = std::string(mark) + "a,b\xFF\n", second = "a,b\n" + first;
  expect_error<TextError>(read(first), "x.csv:1:4: ", "byte 4 of the line");
  expect_error<TextError>(read(second), "x.csv:2:5: ", "byte 7 of the line");
  expect_error<ConfigError>([&] { CsvReader(files.path("x.csv"), {.separator = '"'}); },
                            "`separator`");
}

std::vector<LabelledText> examples_of(const std::string& path,
                                      const LabelledOptions& options = {}) {
  LabelledReader reader(path, options);
  std::vector<LabelledText> examples;
  LabelledText example;
  while (reader.next(example)) examples.push_back(example);
  return examples;
}

void expect_example(const LabelledText& example, const Strings& labels, const std::string& text,
                    std::int64_t line) {
  EXPECT_EQ(example.labels, labels);
  EXPECT_EQ(example.text, text);
  EXPECT_EQ(example.line, line);
}

TEST(LabelledReader, LabelTabText) {
  const TextFiles files;
  const auto examples =
      examples_of(files.write("a", "earn\tprofit up\r\n\n acq \tbuys\tall\nnil\t"));
  ASSERT_EQ(examples.size(), 3u);
  expect_example(examples[0], {"earn"}, "profit up", 1);
  expect_example(examples[1], {" acq "}, "buys\tall", 3);
  expect_example(examples[2], {"nil"}, "", 4);
}

TEST(LabelledReader, CsvColumns) {
  const TextFiles files;
  const std::string path =
      files.write("a.csv", "class,title,text\n\"3\",\"Wall St.\",\"Up, \"\"up\"\"\"\n");
  const auto joined = examples_of(path, {.format = "csv", .header = true});
  ASSERT_EQ(joined.size(), 1u);
  expect_example(joined[0], {"3"}, "Wall St. Up, \"up\"", 2);
  const auto chosen =
      examples_of(path, {.format = "csv", .header = true, .label_column = 2, .text_columns = {3}});
  expect_example(chosen[0], {"Wall St."}, "Up, \"up\"", 2);
  const auto plain = examples_of(files.write("b.tsv", "a \"film\t1\n"),
                                 {.format = "tsv-plain", .label_column = 2});
  expect_example(plain[0], {"1"}, "a \"film", 1);
}

TEST(LabelledReader, JsonLines) {
  const TextFiles files;
  const auto examples =
      examples_of(files.write("a",
                              "{\"text\": \"a\\n\\u00e9\", \"label\": \"x\", \"id\": 7}\n"
                              "{\"label\": [1, true, \"z\"], \"text\": \"\"}\n"),
                  {.format = "jsonl"});
  ASSERT_EQ(examples.size(), 2u);
  expect_example(examples[0], {"x"}, "a\n\u00E9", 1);
  expect_example(examples[1], {"1", "true", "z"}, "", 2);
}

TEST(LabelledReader, FastText) {
  const TextFiles files;
  const auto examples =
      examples_of(files.write("a", "__label__a __label__b  some  text __label__c here\n"),
                  {.format = "fasttext"});
  ASSERT_EQ(examples.size(), 1u);
  expect_example(examples[0], {"a", "b", "c"}, "some  text here", 1);
}

TEST(LabelledReader, ErrorsHaveLineAndColumn) {
  const TextFiles files;
  const auto read = [&](const char* format, const std::string& bytes) {
    return
        [&files, bytes, format] { examples_of(files.write("x.txt", bytes), {.format = format}); };
  };
  expect_error<TextError>(read("tab", "a\tb\nno tab\n"), "x.txt:2:7: ", "found no tab");
  expect_error<TextError>(read("tab", "\ttext\n"), "x.txt:1:1: ", "label is empty");
  expect_error<TextError>(read("fasttext", "just text\n"), "x.txt:1:1: ", "__label__");
  expect_error<TextError>(read("fasttext", "a __label__ b\n"), "x.txt:1:3: ", "empty");
  expect_error<TextError>(read("jsonl", "{\"text\": \"a\",, }\n"), "x.txt:1:14: ", "not JSON");
  expect_error<TextError>(read("jsonl", "\n{\"text\": \"a\", \"label\": 1e999}\n"),
                          "x.txt:2:1: ", "overflow");
  expect_error<TextError>(read("jsonl", "{\"text\": \"a\", \"text\": \"b\"}\n"),
                          "x.txt:1:1: ", "two members");
  expect_error<TextError>(read("jsonl", std::string(1000, '[') + "\n"), "x.txt:1:1: ", "deeper");
  expect_error<TextError>(read("jsonl", "[1]\n"), "x.txt:1:1: ", "object");
  expect_error<TextError>(read("jsonl", "{\"label\": \"a\"}\n"), "x.txt:1:1: ", "\"text\"");
  expect_error<TextError>(read("jsonl", "{\"text\": \"a\"}\n"), "x.txt:1:1: ", "\"label\"");
  expect_error<TextError>(read("jsonl", "{\"text\": \"a\", \"label\": null}\n"),
                          "x.txt:1:1: ", "string");
  expect_error<TextError>(read("csv", "x\n"), "x.txt:1:2: ", "one column");
  const auto read_csv = [&](std::string_view bytes, const LabelledOptions& options) {
    return [&files, bytes, options] { examples_of(files.write("x.csv", bytes), options); };
  };
  expect_error<TextError>(read_csv("\u00E9,b\n\"a\nb\",\n", {.format = "csv", .label_column = 2}),
                          "x.csv:3:4: ", "label is empty");
  expect_error<TextError>(read_csv("\u00E9,\"b\"\n", {.format = "csv", .text_columns = {3}}),
                          "x.csv:1:6: ", "`text_columns`", "column 3");
  expect_error<ConfigError>(read_csv("a,b\n", {.format = "csv", .text_columns = {2, 1}}),
                            "`text_columns`", "column 1", "label");
  expect_error<ConfigError>(read("xml", ""), "`format`", "fasttext", "\"xml\"");
  expect_error<ConfigError>(
      [&] { LabelledReader(files.write("x.txt", ""), {.format = "csv", .label_column = 0}); },
      "`label_column`");
}

TEST(LabelledReader, TellsItsNameForMessages) {
  const TextFiles files;
  for (const char* format : {"tab", "csv", "jsonl"}) {
    EXPECT_EQ(LabelledReader("-", {.format = format}).name(), "<stdin>");
    const std::string path = files.write("x.txt", "");
    EXPECT_EQ(LabelledReader(path, {.format = format}).name(), path);
  }
}

TEST(ConllReader, SentencesOfColumns) {
  const TextFiles files;
  ConllReader reader(files.write("a",
                                 "-DOCSTART- -X- O O\n\nEU NNP  I-ORG\nrejects\tVBZ O\n\n\n"
                                 "-DOCSTART- -X- -X- O\n\n. . O"));
  ConllSentence sentence;
  ASSERT_TRUE(reader.next(sentence));
  EXPECT_EQ(sentence.rows, (Records{{"EU", "NNP", "I-ORG"}, {"rejects", "VBZ", "O"}}));
  EXPECT_EQ(sentence.line, 3);
  ASSERT_TRUE(reader.next(sentence));
  EXPECT_EQ(sentence.rows, (Records{{".", ".", "O"}}));
  EXPECT_FALSE(reader.next(sentence));
}

TEST(ConllReader, AnotherNumberOfColumnsIsAnError) {
  const TextFiles files;
  ConllReader reader(files.write("x.conll", "a b\n\nc\n"));
  ConllSentence sentence;
  ASSERT_TRUE(reader.next(sentence));
  expect_error<TextError>([&] { reader.next(sentence); }, "x.conll:3:2: ", "expected 2 columns",
                          "found 1");
}

constexpr std::string_view kConllu =
    "# sent_id = 1\n# text = Don't go.\n"
    "1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_\n"
    "2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_\n"
    "3\tgo\tgo\tVERB\tVB\tMood=Imp\t0\troot\t_\tSpaceAfter=No\n"
    "3.1\tyou\tyou\tPRON\t_\t_\t_\t_\t3:nsubj\t_\n"
    "4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_\n"
    "\n";

TEST(ConlluReader, KeepsRangesNodesAndCommentsAside) {
  const TextFiles files;
  const std::string text(kConllu);
  ConlluReader reader(files.write("a", text + "\n" + text.substr(0, text.size() - 1)));
  ConlluSentence sentence;
  for (const std::int64_t line : {1, 11}) {
    ASSERT_TRUE(reader.next(sentence));
    EXPECT_EQ(sentence.line, line);
    ASSERT_EQ(sentence.words.size(), 4u);
    EXPECT_EQ(sentence.words[2].form, "go");
    EXPECT_EQ(sentence.words[2].feats, "Mood=Imp");
    EXPECT_EQ(sentence.words[2].misc, "SpaceAfter=No");
    ASSERT_EQ(sentence.multiword.size(), 1u);
    EXPECT_EQ(sentence.multiword[0].form, "Don't");
    ASSERT_EQ(sentence.empty.size(), 1u);
    EXPECT_EQ(sentence.empty[0].deps, "3:nsubj");
    EXPECT_EQ(sentence.comments, (Strings{"sent_id = 1", "text = Don't go."}));
    EXPECT_EQ(sentence.comment("text"), "Don't go.");
    EXPECT_EQ(sentence.comment("none"), "");
    EXPECT_EQ(sentence.spelled(), "Don't go.");
  }
  EXPECT_FALSE(reader.next(sentence));
}

TEST(ConlluReader, CommentsWithoutASentenceArePassedOver) {
  const TextFiles files;
  const std::string text = "# first\n\n" + std::string(kConllu) + "# last\n";
  ConlluReader reader(files.write("a", text));
  ConlluSentence sentence;
  ASSERT_TRUE(reader.next(sentence));
  EXPECT_EQ(sentence.line, 3);
  EXPECT_EQ(sentence.comments, (Strings{"sent_id = 1", "text = Don't go."}));
  EXPECT_EQ(sentence.source.lines.front(), "# first\n");  // kept for who writes the file again
  EXPECT_FALSE(reader.next(sentence));
  EXPECT_EQ(sentence.source.lines, Strings{"# last\n"});
}

// Counted one by one, they would take minutes.
TEST(ConlluReader, AWordMayHaveManyEmptyNodesAfterIt) {
  const TextFiles files;
  constexpr int kNodes = 200000;
  const std::string rest = "\ta\ta\tX\t_\t_\t_\t_\t_\t_\n";
  std::string text = "0.1" + rest + "1" + rest;
  for (int i = 1; i <= kNodes; ++i) text += "1." + std::to_string(i) + rest;
  ConlluReader reader(files.write("a", text));
  ConlluSentence sentence;
  ASSERT_TRUE(reader.next(sentence));
  EXPECT_EQ(sentence.empty.size(), kNodes + 1u);
}

TEST(ConlluReader, ErrorsHaveLineAndColumn) {
  const TextFiles files;
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text(kConllu);
    text.replace(text.find(from), from.size(), to);
    return [&files, text] {
      ConlluReader reader(files.write("x.conllu", text));
      ConlluSentence sentence;
      while (reader.next(sentence)) {
      }
    };
  };
  expect_error<TextError>(with("2\tn't\tnot", "2\tn't"), "x.conllu:5:29: ", "10 columns",
                          "found 9");
  expect_error<TextError>(with("3\tgo", "3\tgo\tgo"), "x.conllu:6:", "found more");
  expect_error<TextError>(with("2\tn't\tnot", "2\tn't\t"), "x.conllu:5:7: ", "column 3 is empty");
  expect_error<TextError>(with("3\tgo", "4\tgo"), "x.conllu:6:1: ", "expected the id 3", "\"4\"");
  expect_error<TextError>(with("1-2\t", "2-3\t"), "x.conllu:3:1: ", "range");
  expect_error<TextError>(with("1-2\t", "1-9\t"), "x.conllu:1:1: ", "beyond the last word");
  expect_error<TextError>(with("3.1\t", "2.1\t"), "x.conllu:7:1: ", "empty node 3.1");
  expect_error<TextError>(with("3.1\t", "3.2\t"), "x.conllu:7:1: ", "empty node 3.1");
  expect_error<TextError>(with("3\tgo", "03\tgo"), "x.conllu:6:1: ", "expected the id 3", "\"03\"");
  expect_error<TextError>(with("\t0\troot", "\t9\troot"), "x.conllu:6:26: ", "head", "\"9\"");
  expect_error<TextError>(with("\t0\troot", "\tx\troot"), "x.conllu:6:26: ", "head", "\"x\"");
  // A byte-order mark is no character of its line.
  for (const std::string mark : {"", "\xEF\xBB\xBF"}) {
    ConlluReader reader(files.write("y.conllu", mark + "1\ta\ta\tX\t_\t_\t7\t_\t_\t_\n"));
    ConlluSentence sentence;
    expect_error<TextError>([&] { reader.next(sentence); }, "y.conllu:1:13: ", "head", "\"7\"");
  }
}

}  // namespace
}  // namespace rnn
