// The break and normalization tests of the Unicode Character Database, from Debian's package
// unicode-data.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "rnn/text/normalizer.h"
#include "rnn/text/segmenter.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace rnn {
namespace {

const std::string kFolder = "/usr/share/unicode/";

std::string from_hex(const std::string& codes) {
  std::istringstream words(codes);
  std::string code, text;
  while (words >> code) {
    append_utf8(static_cast<char32_t>(std::stoul(code, nullptr, 16)), text);
  }
  return text;
}

/// A line such as "÷ 0001 × 0308 ÷".
struct BreakCase {
  std::string line{}, text{};
  std::vector<std::size_t> ends{};
};

std::vector<BreakCase> break_cases(const std::string& kind) {
  std::ifstream file(kFolder + "auxiliary/" + kind + "BreakTest.txt");
  EXPECT_TRUE(file) << "install the package unicode-data";
  std::vector<BreakCase> cases;
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find('#'));
    std::istringstream words(line);
    BreakCase one{line};
    for (std::string word; words >> word;) {
      if (word == "\u00F7") {
        if (!one.text.empty()) one.ends.push_back(one.text.size());
      } else if (word != "\u00D7") {
        one.text += from_hex(word);
      }
    }
    if (!one.text.empty()) cases.push_back(one);
  }
  return cases;
}

std::vector<std::size_t> cut(const Segmenter& segmenter, const std::string& text) {
  std::vector<Segment> segments;
  segmenter.segment(text, segments);
  std::vector<std::size_t> ends;
  for (const Segment& segment : segments) ends.push_back(segment.end);
  return ends;
}

TEST(UnicodeConformance, GraphemeBreaks) {
  const auto cases = break_cases("Grapheme");
  EXPECT_GE(cases.size(), 602u);
  const Segmenter icu(Boundary::kGrapheme);
  for (const BreakCase& one : cases) {
    std::vector<std::size_t> ends;
    for (std::size_t at = 0; at < one.text.size();) {
      ends.push_back(at = grapheme_end(one.text, at));
    }
    EXPECT_EQ(ends, one.ends) << one.line;
    EXPECT_EQ(cut(icu, one.text), one.ends) << one.line;
  }
}

TEST(UnicodeConformance, SentenceBreaks) {
  const auto cases = break_cases("Sentence");
  EXPECT_GE(cases.size(), 502u);
  const Segmenter icu(Boundary::kSentence);
  for (const BreakCase& one : cases) EXPECT_EQ(cut(icu, one.text), one.ends) << one.line;
}

// ICU follows the Common Locale Data Repository, in which a colon joins letters in Finnish and
// Swedish only ("EU:n"); in the Unicode standard it does so everywhere. Hence the cases with a
// colon between letters differ in the root locale, and in no other way.
TEST(UnicodeConformance, WordBreaks) {
  const auto cases = break_cases("Word");
  EXPECT_GE(cases.size(), 1823u);
  const Segmenter root(Boundary::kWord), swedish(Boundary::kWord, "sv");
  std::size_t different = 0;
  for (const BreakCase& one : cases) {
    EXPECT_EQ(cut(swedish, one.text), one.ends) << one.line;
    if (cut(root, one.text) != one.ends) {
      ++different;
      EXPECT_NE(one.line.find("003A"), std::string::npos) << one.line;
    }
  }
  EXPECT_EQ(different, 15u);
}

TEST(UnicodeConformance, Normalization) {
  FILE* const pipe = popen(("bzip2 -dc " + kFolder + "NormalizationTest.txt.bz2").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string bytes;
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe)) {
    bytes.append(buffer, count);
  }
  ASSERT_EQ(pclose(pipe), 0) << "install the packages unicode-data and bzip2";
  const Normalizer nfc({.form = "nfc"}), nfd({.form = "nfd"}), nfkc({.form = "nfkc"});
  std::istringstream file(bytes);
  std::set<std::string> listed;
  bool part1 = false;
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    if (line[0] == '@') part1 = line.compare(0, 6, "@Part1") == 0;
    if (line[0] == '@' || line[0] == '#') continue;
    std::istringstream columns(line);
    std::string c[6];
    for (int i = 1; i <= 5; ++i) {
      std::string column;
      std::getline(columns, column, ';');
      c[i] = from_hex(column);
    }
    if (part1) listed.insert(c[1]);
    for (int i = 1; i <= 5; ++i) {
      EXPECT_EQ(nfc.normalize(c[i]), i <= 3 ? c[2] : c[4]) << line;
      EXPECT_EQ(nfd.normalize(c[i]), i <= 3 ? c[3] : c[5]) << line;
      EXPECT_EQ(nfkc.normalize(c[i]), c[4]) << line;
    }
    ++cases;
  }
  EXPECT_GE(cases, 19000);
  // Every other code point stays as it is.
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    std::string text;
    append_utf8(code, text);
    if (listed.count(text) != 0) continue;
    ASSERT_EQ(nfc.normalize(text), text);
    ASSERT_EQ(nfd.normalize(text), text);
    ASSERT_EQ(nfkc.normalize(text), text);
  }
}

}  // namespace
}  // namespace rnn
