#include "text/utf8.h"

#include <gtest/gtest.h>

#include <string>

#include "text/random_text.h"

namespace rnn {
namespace {

using std::string_literals::operator""s;

std::string replaced(std::string_view text) {
  std::string result;
  append_replacing_invalid(text, result);
  return result;
}

TEST(Utf8, EveryCodePointRoundTrips) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(c, text);
    const CodePoint point = decode_utf8(text, 0);
    ASSERT_TRUE(point.valid);
    ASSERT_EQ(point.value, c);
    ASSERT_EQ(point.length, text.size());
    ASSERT_EQ(find_invalid_utf8(text), std::string_view::npos);
  }
}

// The examples of the Unicode standard 15.0, section 3.9, tables 3-8 to 3-11.
TEST(Utf8, MaximalSubpartsAreReplacedAsTheStandardRecommends) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(replaced("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(replaced("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(replaced("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(replaced("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
}

TEST(Utf8, FindsTheFirstBadByteWhereverItStands) {
  for (std::size_t before = 0; before < 40; ++before) {
    const std::string text = std::string(before, 'a') + "\xC3" + std::string(20, 'b');
    EXPECT_EQ(find_invalid_utf8(text), before);
    EXPECT_EQ(find_invalid_utf8(text.substr(0, before + 1)), before);
  }
  EXPECT_EQ(find_invalid_utf8("Gr\xC3\xBC\xC3\x9F\x65 \xE6\x97"), 8u);
  EXPECT_EQ(find_invalid_utf8("\0"s), std::string_view::npos);
  EXPECT_EQ(find_invalid_utf8("\xED\xA0\x80"), 0u);  // a surrogate
  EXPECT_EQ(find_invalid_utf8(""), std::string_view::npos);
}

TEST(Utf8, ReplacedTextIsValidAndValidTextStays) {
  Draws draws(1);
  for (std::uint32_t round = 0; round < 2000; ++round) {
    const std::string bytes = random_bytes(draws, draws.below(40));
    EXPECT_EQ(find_invalid_utf8(replaced(bytes)), std::string_view::npos);
    const std::string text = random_text(draws, draws.below(40));
    EXPECT_EQ(find_invalid_utf8(text), std::string_view::npos);
    EXPECT_EQ(replaced(text), text);
  }
}

TEST(Utf8, CountsCodePoints) {
  Draws draws(2);
  for (std::uint32_t length = 0; length < 200; ++length) {
    EXPECT_EQ(count_code_points(random_text(draws, length)), length);
  }
}

}  // namespace
}  // namespace rnn
