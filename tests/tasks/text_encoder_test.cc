#include "tasks/text_encoder.h"

#include <gtest/gtest.h>

namespace rnn {
namespace {

Vocabulary vocabulary() {
  VocabularyBuilder builder;
  for (const char* word : {"straße", "the", "sea", "i̇"}) builder.add(word);
  return builder.build();
}

TEST(TextEncoder, KnowsWhereEachUnitStandsInTheSource) {
  TextClassifierRecipe recipe;
  recipe.form = "nfc";
  const TextEncoder encoder(recipe, "");
  const Vocabulary words = vocabulary();
  const std::string text = "The STRASSE,\tThe  Sea";
  const std::vector<EncodedUnit> units = encoder.units(text, words).units;
  std::vector<std::string> places;
  for (const EncodedUnit& unit : units) {
    places.push_back(text.substr(unit.begin, unit.end - unit.begin));
  }
  EXPECT_EQ(places, (std::vector<std::string>{"The", "STRASSE", ",", "The", "Sea"}));
  EXPECT_EQ(units[0].id, words.id("the"));
  EXPECT_EQ(units[1].id, words.unknown_id());
  EXPECT_EQ(units[4].id, words.id("sea"));
  std::vector<std::int32_t> ids;
  EXPECT_EQ(encoder.encode(text, words, ids), 2);  // strasse and the comma
  ASSERT_EQ(ids.size(), units.size());
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], units[i].id);
}

TEST(TextEncoder, PlacesAreRightWhereLowerCaseIsLonger) {
  const TextEncoder encoder(TextClassifierRecipe{}, "");
  const Vocabulary words = vocabulary();
  const std::string text = "\u0130 sea";  // lower case has one code point more
  const std::vector<EncodedUnit> units = encoder.units(text, words).units;
  ASSERT_EQ(units.size(), 2u);
  EXPECT_EQ(text.substr(units[0].begin, units[0].end - units[0].begin), "\u0130");
  EXPECT_EQ(text.substr(units[1].begin, units[1].end - units[1].begin), "sea");
}

TEST(TextEncoder, LeavesOutTheMiddleAndReadsAnEmptyTextAsItsEnd) {
  TextClassifierRecipe recipe;
  recipe.max_units = 5;
  const TextEncoder encoder(recipe, "");
  const Vocabulary words = vocabulary();
  std::vector<std::int32_t> ids;
  encoder.encode("the sea sea the the the the sea the", words, ids);
  const std::int32_t the = words.id("the"), sea = words.id("sea");
  EXPECT_EQ(ids, (std::vector<std::int32_t>{the, sea, sea, sea, the}));
  // Unknown units count where they are read.
  EXPECT_EQ(encoder.encode("the zebra sea no one knows the", words, ids), 2);
  EXPECT_EQ(ids.size(), 5u);
  for (const char* empty : {"", " \t"}) {
    encoder.encode(empty, words, ids);
    EXPECT_EQ(ids, std::vector<std::int32_t>{words.end_id()});
    ASSERT_EQ(encoder.units(empty, words).units.size(), 1u);
    EXPECT_EQ(encoder.units(empty, words).units[0].end, 0u);
    EXPECT_FALSE(encoder.units(empty, words).cut);
  }
}

}  // namespace
}  // namespace rnn
