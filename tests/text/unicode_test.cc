#include "text/unicode.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/segmenter.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

std::vector<std::size_t> segments(const Segmenter& segmenter, std::string_view text) {
  std::vector<Segment> found;
  segmenter.segment(text, found);
  std::vector<std::size_t> ends;
  for (const Segment& segment : found) {
    EXPECT_EQ(segment.begin, ends.empty() ? 0 : ends.back());
    ends.push_back(segment.end);
  }
  return ends;
}

std::vector<std::size_t> clusters(std::string_view text) {
  std::vector<std::size_t> ends;
  for (std::size_t at = 0; at < text.size();) ends.push_back(at = grapheme_end(text, at));
  return ends;
}

TEST(Graphemes, OwnRulesCutAsIcuDoes) {
  const Segmenter icu(Boundary::kGrapheme, "");
  Draws draws(3);
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random_text(draws, draws.below(30));
    ASSERT_EQ(clusters(text), segments(icu, text)) << testing::PrintToString(text);
  }
}

TEST(Graphemes, BrokenTextIsCutAsIcuDoes) {
  const Segmenter icu(Boundary::kGrapheme, "");
  Draws draws(4);
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random_bytes(draws, draws.below(30));
    ASSERT_EQ(clusters(text), segments(icu, text)) << testing::PrintToString(text);
  }
}

TEST(Graphemes, TenThousandMarksOnOneLetterAreOneCluster) {
  std::string text = "e";
  for (int i = 0; i < 10000; ++i) text += "\u0301";
  EXPECT_EQ(grapheme_end(text, 0), text.size());
  EXPECT_EQ(segments(Segmenter(Boundary::kGrapheme, ""), text).size(), 1u);
}

TEST(Segmenter, ThaiAndJapaneseWordsComeFromDictionaries) {
  const std::string thai = "สวัสดีชาวโลก";
  EXPECT_EQ(segments(Segmenter(Boundary::kWord, "th"), thai).size(), 3u);
  EXPECT_GT(segments(Segmenter(Boundary::kWord, ""), "私は学生です").size(), 3u);
}

TEST(Segmenter, WordsAreToldFromPunctuation) {
  std::vector<Segment> found;
  Segmenter(Boundary::kWord).segment("No. 3\u00A0日本", found);
  EXPECT_EQ(found, (std::vector<Segment>{
                       {0, 2, true}, {2, 3}, {3, 4}, {4, 5, true}, {5, 7}, {7, 13, true}}));
}

TEST(Segmenter, SentencesKeepTheirWhiteSpace) {
  EXPECT_EQ(segments(Segmenter(Boundary::kSentence, "en"), "Who? Me.  You said 3.5 \"ok.\" Yes!"),
            (std::vector<std::size_t>{5, 10, 29, 33}));
}

TEST(Segmenter, EmptyTextHasNoSegment) {
  EXPECT_TRUE(segments(Segmenter(Boundary::kSentence, "en"), "").empty());
}

TEST(Segmenter, OneServesManyThreads) {
  const Segmenter words(Boundary::kWord, "");
  Draws draws(5);
  std::vector<std::string> texts;
  std::vector<std::vector<std::size_t>> expected;
  for (int i = 0; i < 200; ++i) {
    texts.push_back(random_text(draws, 30));
    expected.push_back(segments(words, texts.back()));
  }
  std::vector<int> wrong(4, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < wrong.size(); ++thread) {
      threads.emplace_back([&, thread] {
        for (std::size_t i = 0; i < texts.size(); ++i) {
          wrong[thread] += segments(words, texts[i]) != expected[i];
        }
      });
    }
  }
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(Segmenter, UnknownLocaleIsRefused) {
  expect_error<ConfigError>([] { Segmenter(Boundary::kWord, "xx_NOWHERE"); }, "locale",
                            "xx_NOWHERE");
}

TEST(WhiteSpace, IsThePropertyOfUnicode) {
  EXPECT_TRUE(all_white_space(" \t\u00A0\u3000\u2028"));
  EXPECT_FALSE(all_white_space(" \u200B"));  // ZERO WIDTH SPACE is not White_Space
  EXPECT_FALSE(all_white_space("\xC2"));
}

}  // namespace
}  // namespace rnn
