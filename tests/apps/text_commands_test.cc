// The commands `rnn text ...`, run as a user runs them.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>
#include <vector>

#include "rnn/text/tokenizer.h"
#include "support/locales.h"
#include "text/escape.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

struct Result {
  int code = -1;
  std::string output{}, messages{};  // stdout and stderr
};

Result run(const std::string& command) {
  const TextFiles files;
  const std::string messages = files.path("stderr");
  FILE* const pipe = popen(("( " + command + " ) 2> " + messages).c_str(), "r");
  Result result;
  char buffer[4096];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe)) {
    result.output.append(buffer, count);
  }
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.messages = TextFiles::read(messages);
  return result;
}

const std::string kText = std::string(RNN_COMMAND) + " text ";

void expect_output(const std::string& command, const std::string& output, int code = 0) {
  const Result result = run(command);
  EXPECT_EQ(result.output, output) << command;
  EXPECT_EQ(result.code, code) << command;
  EXPECT_EQ(result.messages, "") << command;
}

/// What it prints is the same wherever the user lives.
void expect_same_everywhere(const std::string& command) {
  const std::string expected = run("LC_ALL=C " + command).output;
  EXPECT_FALSE(expected.empty()) << command;
  for (const char* locale : {"de_DE.UTF-8", "tr_TR.UTF-8"}) {
    const Result result =
        run("LOCPATH=" + test::locale_folder() + " LC_ALL=" + locale + " " + command);
    EXPECT_EQ(result.output, expected) << command << " " << locale;
  }
}

TEST(TextCommands, Normalize) {
  expect_output("printf 'E\\314\\201 \\357\\254\\201\\n\\n x  y' | " + kText +
                    "normalize --form nfkc --lowercase --white-space collapse",
                "\u00E9 fi\n\nx y\n");
}

TEST(TextCommands, AFlagDoesNotTakeTheNextWordAsItsValue) {
  const TextFiles files;
  const std::string text = files.write("on", "AB\n");
  expect_output(kText + "normalize --lowercase " + text, "ab\n");
  expect_output(kText + "normalize --lowercase=false " + text, "AB\n");
  expect_output("cd " + files.path("") + " && " + kText + "normalize --lowercase on", "ab\n");
}

TEST(TextCommands, WhatNoneMayDependOnTheLocale) {
  const TextFiles files;
  const std::string text =
      files.write("text", "IS it 1,5 I? \u0130 DI\u011eER i\u0307. Wie hei\u00dft's?\n");
  for (const char* command :
       {"normalize --lowercase ", "normalize --form nfkc-casefold ", "segment ",
        "segment --by word ", "segment --by char ", "vocabulary ", "vocabulary --unit icu-word "}) {
    expect_same_everywhere(kText + command + text);
  }
}

TEST(TextCommands, WhatCameBeforeAFaultIsWritten) {
  const TextFiles files;
  const std::string good = files.write("good", "a b\n");
  const Result result = run(kText + "tokenize " + good + " " + files.path("none"));
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.output, "a b\n");
  EXPECT_NE(result.messages.find("none"), std::string::npos) << result.messages;
}

TEST(TextCommands, ALineIsAnsweredBeforeTheNextOneComes) {
  const TextFiles files;
  const std::string answer = files.path("answer");
  // The second line is sent only when the first one has been answered.
  const Result result = run(
      "( echo one; for i in $(seq 100); do [ -s " + answer + " ] && break; sleep 0.1; done; cat " +
      answer + " > " + files.path("seen") + "; echo two ) | " + kText + "tokenize > " + answer);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(TextFiles::read(files.path("seen")), "one\n");
  EXPECT_EQ(TextFiles::read(answer), "one\ntwo\n");
}

TEST(TextCommands, PlacesOfSegmentsAreThoseInTheFile) {
  const TextFiles files;
  const std::string text = files.write("text",
                                       "\xEF\xBB\xBFHo. Ab\xFF"
                                       "cd\n");
  expect_output(kText + "segment --offsets --replace-invalid " + text,
                "1\t3\t6\tHo.\n1\t7\t12\tAb\uFFFDcd\n");
}

TEST(TextCommands, Segment) {
  expect_output("printf 'Who? Me.\\nYes' | " + kText + "segment", "Who?\nMe.\nYes\n");
  expect_output("printf 'a b\\n' | " + kText + "segment --by word --offsets",
                "1\t0\t1\ta\n1\t2\t3\tb\n");
  expect_output("printf 'a e\\314\\201' | " + kText + "segment --by char", "a\n\\s\ne\u0301\n");
}

TEST(TextCommands, TokensAreThoseOfTheLibrary) {
  const TextFiles files;
  Draws draws(1);
  std::string text;
  std::vector<std::string> lines;
  for (int i = 0; i < 200; ++i) {
    std::string line = random_text(draws, draws.below(30));
    std::erase_if(line, [](char c) { return c == '\n' || c == '\r'; });
    if (line.substr(0, 3) == "\xEF\xBB\xBF") line.erase(0, 3);
    text += line + "\n";
    lines.push_back(line);
  }
  const std::string with = files.write("with", text);
  text.pop_back();
  const std::string without = files.write("without", text);
  const std::string windows = files.path("windows");
  run("sed 's/$/\\r/' " + with + " > " + windows);
  for (const char* unit : {"word", "icu-word", "char", "byte"}) {
    const auto tokenizer = make_tokenizer({.unit = unit});
    std::string expected;
    std::vector<Token> tokens;
    for (const std::string& line : lines) {
      tokenizer->tokenize(line, tokens);
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        expected += (i > 0 ? " " : "") + escape(tokens[i].text);
      }
      expected += '\n';
    }
    for (const std::string& path : {with, without, windows}) {
      for (const char* locale : {"C", "de_DE.UTF-8", "tr_TR.UTF-8"}) {
        const Result result = run("LOCPATH=" + test::locale_folder() + " LC_ALL=" + locale + " " +
                                  kText + "tokenize --unit " + unit + " " + path);
        EXPECT_EQ(result.code, 0);
        EXPECT_TRUE(result.output == expected) << unit << " " << path << " " << locale;
      }
    }
    if (!tokenizer->lossless()) continue;
    const Result back =
        run(kText + "tokenize --unit " + unit + " --keep-marks " + windows + " | " + kText +
            "detokenize --keep-marks --unit " + unit + " | cmp - " + windows);
    EXPECT_EQ(back.code, 0) << back.output;
  }
}

TEST(TextCommands, Vocabulary) {
  const TextFiles files;
  const std::string vocabulary = files.path("v");
  expect_output("printf 'b a\\na\\n' | " + kText + "vocabulary", "<unk>\t0\n</s>\t2\na\t2\nb\t1\n");
  expect_output(
      "printf 'b a\\na\\n' | " + kText + "vocabulary --minimum-count 2 --output " + vocabulary, "");
  EXPECT_EQ(TextFiles::read(vocabulary), "<unk>\t1\n</s>\t2\na\t2\n");
  const Result report =
      run("printf 'a c c d <unk>\\n' | " + kText + "vocabulary --check " + vocabulary);
  EXPECT_EQ(report.code, 0);
  EXPECT_NE(report.output.find("unknown tokens  3  (50.00 %)"), std::string::npos) << report.output;
  EXPECT_NE(report.output.find("c\t2\nd\t1\n"), std::string::npos) << report.output;
  const Result both = run(kText + "vocabulary --check " + vocabulary + " --output x < /dev/null");
  EXPECT_EQ(both.code, 2);
  EXPECT_NE(both.messages.find("--output"), std::string::npos) << both.messages;
}

TEST(TextCommands, AnOutputThatCannotBeIsToldBeforeTheWork) {
  const TextFiles files;
  const std::string corpus = files.write("corpus", "a\n");
  Result result = run(kText + "train-sentencepiece " + corpus + " --output /dev/null");
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.messages.find("/dev/null: is there and is no file"), std::string::npos)
      << result.messages;
  result = run(kText + "train-sentencepiece - --output " + files.path("no/model"));
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.messages.find("no/model: cannot create"), std::string::npos) << result.messages;
  // A link is followed, not replaced.
  const std::string target = files.write("target", ""), link = files.path("link");
  run("ln -s " + target + " " + link);
  expect_output(kText + "vocabulary " + corpus + " --output " + link, "");
  EXPECT_EQ(TextFiles::read(target), "<unk>\t0\n</s>\t1\na\t1\n");
}

TEST(TextCommands, SentencePieceFromTrainingToText) {
  const TextFiles files;
  Draws draws(2);
  std::string text;
  for (int i = 0; i < 500; ++i) {
    for (int word = 0; word < 6; ++word) {
      for (std::uint32_t j = 0; j < 2 + draws.below(4); ++j) {
        text += "bdgklmnprst"[draws.below(11)];
        text += "aeiou"[draws.below(5)];
      }
      text += ' ';
    }
    text += '\n';
  }
  const std::string corpus = files.write("corpus", text), model = files.path("m.model");
  expect_output(
      kText + "train-sentencepiece " + corpus + " --vocabulary-size 300 --output " + model, "");
  const std::string options = " --unit sentencepiece --tokenizer-model " + model + " ";
  // The tokens of the library, with and without a final line feed, wherever the user lives.
  const auto tokenizer = make_tokenizer({.unit = "sentencepiece", .model = model});
  std::string expected;
  std::vector<Token> tokens;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    tokenizer->tokenize(std::string_view(text).substr(at, text.find('\n', at) - at), tokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      expected += (i > 0 ? " " : "") + escape(tokens[i].text);
    }
    expected += '\n';
  }
  const std::string without = files.write("without", text.substr(0, text.size() - 1));
  for (const char* locale : {"C", "de_DE.UTF-8", "tr_TR.UTF-8"}) {
    for (const std::string& path : {corpus, without}) {
      const Result result = run("LOCPATH=" + test::locale_folder() + " LC_ALL=" + locale + " " +
                                kText + "tokenize" + options + path);
      EXPECT_TRUE(result.output == expected) << path << " " << locale;
    }
  }
  expect_output(kText + "tokenize" + options + corpus + " | " + kText + "detokenize" + options +
                    " | cmp - " + corpus,
                "");
}

TEST(TextCommands, WrongUseAndBadTextHaveExitCodes) {
  const TextFiles files;
  EXPECT_EQ(run(kText + "tokenize --unit words < /dev/null").code, 2);
  EXPECT_EQ(run(kText + "tokenize --no-such-option").code, 2);
  EXPECT_EQ(run(kText + "segment --by page < /dev/null").code, 2);
  const Result missing = run(kText + "train-sentencepiece < /dev/null");
  EXPECT_EQ(missing.code, 2);
  EXPECT_NE(missing.messages.find("rnn text train-sentencepiece --help"), std::string::npos);
  EXPECT_EQ(run(kText + "tokenize - - < /dev/null").code, 2);
  const Result regex = run("printf 'x\\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\\n' | " +
                           kText + "tokenize --unit regex --pattern '(a+)+$'");
  EXPECT_EQ(regex.code, 1);
  EXPECT_NE(regex.messages.find("<stdin>:2: the regular expression"), std::string::npos)
      << regex.messages;
  const std::string bad = files.write("bad.txt", "fine\n\xFF\n");
  const Result result = run(kText + "tokenize " + bad);
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.output, "fine\n");
  EXPECT_NE(result.messages.find("bad.txt:2:1: invalid UTF-8"), std::string::npos);
  EXPECT_NE(result.messages.find("--replace-invalid"), std::string::npos);
  expect_output(kText + "tokenize --replace-invalid " + bad, "fine\n\uFFFD\n");
  EXPECT_EQ(run(kText + "tokenize " + files.path("none")).code, 1);
  EXPECT_EQ(run("echo '\\q' | " + kText + "detokenize").code, 1);
  EXPECT_EQ(run(kText + "normalize " + bad + " --replace-invalid > /dev/full").code, 1);
}

}  // namespace
}  // namespace rnn
