#include "rnn/text/entity_tags.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rnn/error.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Strings = std::vector<std::string>;
using Entities = std::vector<Entity>;

constexpr TagScheme kSchemes[] = {TagScheme::kIob1, TagScheme::kBio, TagScheme::kBioes};

TEST(EntityTags, TheSameEntitiesInEveryScheme) {
  const Entities entities{{0, 1, "PER"}, {1, 3, "PER"}, {3, 4, "LOC"}, {5, 8, "ORG"}};
  const Strings iob1{"I-PER", "B-PER", "I-PER", "I-LOC", "O", "I-ORG", "I-ORG", "I-ORG"};
  const Strings bio{"B-PER", "B-PER", "I-PER", "B-LOC", "O", "B-ORG", "I-ORG", "I-ORG"};
  const Strings bioes{"S-PER", "B-PER", "E-PER", "S-LOC", "O", "B-ORG", "I-ORG", "E-ORG"};
  EXPECT_EQ(tags_of(entities, 8, TagScheme::kIob1), iob1);
  EXPECT_EQ(tags_of(entities, 8, TagScheme::kBio), bio);
  EXPECT_EQ(tags_of(entities, 8, TagScheme::kBioes), bioes);
  EXPECT_EQ(entities_of(iob1, TagScheme::kIob1), entities);
  EXPECT_EQ(entities_of(bio, TagScheme::kBio), entities);
  EXPECT_EQ(entities_of(bioes, TagScheme::kBioes), entities);
  EXPECT_EQ(convert_tags(iob1, TagScheme::kIob1, TagScheme::kBioes), bioes);
}

TEST(EntityTags, AnyEntitiesComeBackThroughAnyScheme) {
  Draws draws(1);
  static constexpr const char* kTypes[] = {"A", "B-B", "\u00C4"};
  for (int round = 0; round < 2000; ++round) {
    Entities entities;
    std::size_t words = 0;
    for (std::uint32_t i = 0; i < draws.below(6); ++i) {
      words += draws.below(2);
      const std::size_t begin = words;
      words += 1 + draws.below(3);
      entities.push_back({begin, words, kTypes[draws.below(3)]});
    }
    words += draws.below(2);
    for (const TagScheme from : kSchemes) {
      const Strings tags = tags_of(entities, words, from);
      EXPECT_EQ(entities_of(tags, from), entities);
      EXPECT_EQ(entities_of_any(tags), entities);
      for (const TagScheme to : kSchemes) {
        EXPECT_EQ(convert_tags(convert_tags(tags, from, to), to, from), tags);
      }
    }
  }
}

TEST(EntityTags, WhatTheSchemeForbidsIsNamed) {
  const auto read = [](const Strings& tags, TagScheme scheme) {
    return [tags, scheme] { entities_of(tags, scheme); };
  };
  expect_error<TextError>(read({"O", "I-X"}, TagScheme::kBio), "\"I-X\"", "word 2", "bio");
  expect_error<TextError>(read({"B-Y", "I-X"}, TagScheme::kBio), "\"I-X\"", "word 2");
  expect_error<TextError>(read({"S-X"}, TagScheme::kBio), "\"S-X\"", "word 1");
  expect_error<TextError>(read({"O", "E-X"}, TagScheme::kIob1), "\"E-X\"", "word 2", "iob1");
  expect_error<TextError>(read({"B-X", "O"}, TagScheme::kBioes), "word 2", "before the end");
  expect_error<TextError>(read({"B-X"}, TagScheme::kBioes), "word 1", "without its end");
  expect_error<TextError>(read({"E-X"}, TagScheme::kBioes), "word 1", "continue");
  expect_error<TextError>(read({"B-"}, TagScheme::kBio), "\"B-\"", "is not one");
  expect_error<TextError>(read({"X"}, TagScheme::kBioes), "\"X\"", "is not one");
  expect_error<TextError>(
      [] {
        tags_of(Entities{{0, 2, "X"}, {1, 3, "Y"}}, 3, TagScheme::kBio);
      },
      "words 2 to 3");
  expect_error<TextError>(
      [] {
        tags_of(Entities{{0, 4, "X"}}, 3, TagScheme::kBio);
      },
      "words 1 to 4");
  expect_error<ConfigError>([] { tag_scheme("iob2"); }, "bioes", "\"iob2\"");
}

TEST(EntityTags, WildTagsAreReadAsConllevalDoes) {
  EXPECT_EQ(
      entities_of_any(Strings{"O", "I-X", "I-X", "I-Y", "?", "E-Y", "I-Y", "S-X", "S-X"}),
      (Entities{{1, 3, "X"}, {3, 4, "Y"}, {5, 6, "Y"}, {6, 7, "Y"}, {7, 8, "X"}, {8, 9, "X"}}));
}

TEST(EntityTags, Iob1IsReadAsTheCorporaWriteIt) {
  EXPECT_EQ(entities_of(Strings{"I-ORG", "B-MISC", "O", "B-MISC", "I-MISC"}, TagScheme::kIob1),
            (Entities{{0, 1, "ORG"}, {1, 2, "MISC"}, {3, 5, "MISC"}}));
}

TEST(EntityTags, SchemesHaveNames) {
  for (const TagScheme scheme : kSchemes) EXPECT_EQ(tag_scheme(name_of(scheme)), scheme);
}

}  // namespace
}  // namespace rnn
