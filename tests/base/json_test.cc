// Limits of what is parsed as JSON.
#include "base/json.h"

#include <gtest/gtest.h>

#include "rnn/error.h"

namespace rnn {
namespace {

/// A list of so many empty lists, of which each takes most memory for its bytes.
std::string lists(std::size_t count) {
  std::string text = "[[]";
  for (std::size_t i = 1; i < count; ++i) text += ",[]";
  return text + "]";
}

template <class Parse>
void expect_too_many(const Parse& parse) {
  try {
    parse();
    ADD_FAILURE() << "accepted";
  } catch (const FormatError& error) {
    EXPECT_EQ(std::string(error.what()), "here: more than 4194304 values");
  }
}

TEST(ParseJson, TakesSoManyValuesAndNoMore) {
  EXPECT_EQ(parse_json(lists(1000), "here").size(), 1000u);
  expect_too_many([] { parse_json(lists(kJsonValues), "here"); });  // the outer list makes one more
  // However they nest, and of whichever kind.
  std::string text = "{\"a\":";
  const std::string part = "[0,-1,1.5,\"\",null,true,{}]";
  for (std::size_t i = 0; i < kJsonValues / 8; ++i) text += (i == 0 ? "[" : ",") + part;
  expect_too_many([&] { parse_json(text + "]}", "here"); });
  expect_too_many([&] { parse_large_object(text + "]}", "here", 10); });
}

TEST(CountValues, CountsAsTheParserDoes) {
  EXPECT_EQ(count_values(Json("text")), 1u);
  EXPECT_EQ(count_values(parse_json(R"({"a": [0, 1.5, null], "b": {"c": true}, "d": {}})", "")),
            8u);
  EXPECT_EQ(count_values(parse_json(lists(1000), "here")), 1001u);
  EXPECT_EQ(count_values(parse_json(lists(kJsonValues - 1), "here")), kJsonValues);
}

}  // namespace
}  // namespace rnn
