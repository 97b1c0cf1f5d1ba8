#include "rnn/text/normalizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rnn/error.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Range = NormalizedText::Range;

std::string with(const NormalizerOptions& options, std::string_view text) {
  return Normalizer(options).normalize(text);
}

TEST(Normalizer, RewritesNothingUnlessAsked) {
  const std::string bytes = " \xFF e\u0301 \u00A0\r\x01 ";
  EXPECT_EQ(with({}, bytes), bytes);
  EXPECT_TRUE(NormalizerOptions{}.is_identity());
}

TEST(Normalizer, Forms) {
  EXPECT_EQ(with({.form = "nfc"}, "e\u0301 \u212B \uFB01"), "\u00E9 \u00C5 \uFB01");
  EXPECT_EQ(with({.form = "nfd"}, "\u00E9"), "e\u0301");
  EXPECT_EQ(with({.form = "nfkc"}, "\uFB01 \u2460 \uFF21"), "fi 1 A");
  EXPECT_EQ(with({.form = "nfkc-casefold"}, "\uFF21\u00DF\u00AD"), "ass");
}

TEST(Normalizer, LowercaseFollowsTheLocaleGivenAndNoOther) {
  EXPECT_EQ(with({.lowercase = true}, "TITLE \u0130 \u039F\u03A3"), "title i\u0307 \u03BF\u03C2");
  EXPECT_EQ(with({.lowercase = true, .locale = "tr"}, "TITLE"), "t\u0131tle");
}

TEST(Normalizer, AccentsGoFromLatinAndGreekOnly) {
  EXPECT_EQ(with({.strip_accents = true}, "\u00E9e\u0301\u1E69 \u03AC \u00F8"),
            "ees \u03B1 \u00F8");
  const std::string others = "\u0439 \u3070 \u0E01\u0E33\u0E48 \u0939\u093F\u0928\u094D";
  EXPECT_EQ(with({.strip_accents = true}, others), others);
}

TEST(Normalizer, ControlsDigitsAndWhiteSpace) {
  const std::string text =
      "\uFEFF\ta\x01"
      "b\u00A0\u00A0\u0663\u096A 7 ";
  EXPECT_EQ(with({.controls = "drop"}, text), "\tab\u00A0\u00A0\u0663\u096A 7 ");
  EXPECT_EQ(with({.controls = "space"}, text), " \ta b\u00A0\u00A0\u0663\u096A 7 ");
  EXPECT_EQ(with({.digits = "ascii"}, text),
            "\uFEFF\ta\x01"
            "b\u00A0\u00A0"
            "34 7 ");
  EXPECT_EQ(with({.digits = "zero"}, "a1\u0663"), "a00");
  EXPECT_EQ(with({.white_space = "collapse"}, "\t a\u00A0 b \n"), "a b");
  EXPECT_EQ(with({.white_space = "collapse"}, " \t"), "");
  EXPECT_EQ(with({.form = "nfc", .controls = "drop"}, "e\x01\u0301"), "\u00E9");
}

TEST(Normalizer, EachByteKnowsItsSource) {
  const Normalizer normalizer({.form = "nfkc", .lowercase = true, .white_space = "collapse"});
  //                                       0         2       4  5 6      8        11
  const NormalizedText text = normalizer.align("  \u00C9 \tE\u0301\uFB01x");
  EXPECT_EQ(text.text(),
            "\u00E9 \u00E9"
            "fix");
  EXPECT_EQ(text.source(0, 2), (Range{2, 4}));
  EXPECT_EQ(text.source(2, 3), (Range{4, 6}));
  EXPECT_EQ(text.source(3, 5), (Range{6, 9}));
  EXPECT_EQ(text.source(5, 6), (Range{9, 12}));
  EXPECT_EQ(text.source(5, 7), (Range{9, 12}));
  EXPECT_EQ(text.source(7, 8), (Range{12, 13}));
  EXPECT_EQ(text.source(8, 8), (Range{13, 13}));
  EXPECT_EQ(text.source(0, 8), (Range{2, 13}));
}

std::vector<NormalizerOptions> many_options() {
  std::vector<NormalizerOptions> all;
  for (const char* form : {"", "nfc", "nfd", "nfkc", "nfkc-casefold"}) {
    for (const bool lower : {false, true}) {
      for (const bool strip : {false, true}) {
        for (const char* space : {"keep", "collapse"}) {
          all.push_back({.form = form,
                         .lowercase = lower,
                         .strip_accents = strip,
                         .controls = lower ? "drop" : "keep",
                         .digits = strip ? "ascii" : "keep",
                         .white_space = space});
        }
      }
    }
  }
  return all;
}

TEST(Normalizer, PlacesRunForwardAndCoverWhatWasKept) {
  Draws draws(1);
  for (const NormalizerOptions& options : many_options()) {
    const Normalizer normalizer(options);
    for (int round = 0; round < 300; ++round) {
      const std::string source = random_bytes(draws, draws.below(30));
      const NormalizedText text = normalizer.align(source);
      ASSERT_EQ(text.text(), normalizer.normalize(source));
      // Where no step takes anything away, each byte of the source is some byte's source.
      const bool keeps_all = options.controls != "drop" && !options.strip_accents &&
                             options.white_space == "keep" && options.form != "nfkc-casefold";
      std::size_t begin = 0, end = 0;
      if (keeps_all && !source.empty()) {
        ASSERT_EQ(text.source(text.text().size() - 1, text.text().size()).end, source.size());
      }
      for (std::size_t i = 0; i < text.text().size(); ++i) {
        const Range range = text.source(i, i + 1);
        if (keeps_all) {
          ASSERT_LE(range.begin, end);
        }
        ASSERT_LE(begin, range.begin);
        ASSERT_LE(end, range.end);
        ASSERT_LT(range.begin, range.end);
        ASSERT_LE(range.end, source.size());
        begin = range.begin, end = range.end;
        // ASCII that is alone responsible for a byte is that byte, or its lower-case form or space.
        if (range.end - range.begin == 1 &&
            static_cast<unsigned char>(source[range.begin]) < 0x80) {
          const char made = text.text()[i], from = source[range.begin];
          ASSERT_TRUE(made == from || made == (from | 0x20) || made == ' ') << made << from;
        }
      }
    }
  }
}

TEST(Normalizer, TwiceIsOnce) {
  Draws draws(2);
  for (const NormalizerOptions& options : many_options()) {
    const Normalizer normalizer(options);
    for (int round = 0; round < 300; ++round) {
      const std::string once = normalizer.normalize(random_bytes(draws, draws.below(30)));
      ASSERT_EQ(normalizer.normalize(once), once)
          << options.form << options.lowercase << options.strip_accents << options.white_space;
    }
  }
}

TEST(Normalizer, WrongNamesAreRefused) {
  expect_error<ConfigError>([] { Normalizer({.form = "NFC"}); }, "`form`", "\"nfc\"", "\"NFC\"");
  expect_error<ConfigError>([] { Normalizer({.digits = "x"}); }, "`digits`", "\"zero\"", "\"x\"");
  expect_error<ConfigError>([] { Normalizer({.controls = "x"}); }, "`controls`");
  expect_error<ConfigError>([] { Normalizer({.white_space = "x"}); }, "`white_space`");
  expect_error<ConfigError>([] { Normalizer({.lowercase = true, .locale = "qqq"}); }, "`locale`");
}

}  // namespace
}  // namespace rnn
