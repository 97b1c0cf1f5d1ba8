#include "rnn/text/word_shape.h"

#include <gtest/gtest.h>

#include <utility>

namespace rnn {
namespace {

TEST(WordShape, ByLettersDigitsAndCaseOfAnyScript) {
  using enum WordShape;
  const std::pair<const char*, WordShape> words[] = {{"", kSymbols},
                                                     {"...", kSymbols},
                                                     {"$%", kSymbols},
                                                     {"fox", kLower},
                                                     {"don't", kLower},
                                                     {"Fox", kTitle},
                                                     {"O'clock", kTitle},
                                                     {"A", kInitial},
                                                     {"J.", kInitial},
                                                     {"EU", kUpper},
                                                     {"U.S.", kUpper},
                                                     {"McAdam", kMixed},
                                                     {"iPhone", kMixed},
                                                     {"1984", kNumber},
                                                     {"3.14", kNumber},
                                                     {"\u0E51\u0E52", kNumber},
                                                     {"B2B", kLetterDigit},
                                                     {"4th", kLetterDigit},
                                                     {"\u00C9tude", kTitle},
                                                     {"\u041C\u0421", kUpper},
                                                     {"\u03B1\u03B2", kLower},
                                                     {"\u0E01\u0E34\u0E19", kCaseless},
                                                     {"\u6F22\u5B57", kCaseless},
                                                     {"\xFF", kSymbols}};
  for (const auto& [word, shape] : words) EXPECT_EQ(word_shape(word), shape) << word;
}

}  // namespace
}  // namespace rnn
