#include "rnn/text/tag_scores.h"

#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "rnn/error.h"
#include "text/text_files.h"

namespace rnn {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> list;
  for (std::string word; words >> word;) list.push_back(word);
  return list;
}

/// Gold tags and predicted ones, drawn at random from IOB tags that need not be well formed.
constexpr const char* kSentences[][2] = {
    {"B-PER O O O I-ORG", "O O O O I-ORG"},
    {"O B-MISC B-MISC O O I-ORG B-ORG", "O B-MISC O O B-MISC I-ORG B-ORG"},
    {"B-ORG O B-PER O I-PER", "B-ORG O B-PER O I-PER"},
    {"O O O I-ORG I-PER I-ORG B-MISC", "O O O I-ORG I-PER I-ORG B-MISC"},
    {"I-ORG O O I-LOC I-PER O", "I-ORG I-PER O I-LOC I-PER I-ORG"},
    {"O I-LOC O B-PER", "O I-LOC O B-PER"},
    {"I-PER B-LOC B-PER I-LOC O O I-ORG B-PER", "I-PER B-LOC O B-ORG O O I-ORG B-PER"},
    {"O O I-ORG O I-MISC", "O O I-ORG B-PER I-MISC"},
    {"O I-LOC B-PER", "O I-LOC B-PER"},
    {"I-LOC B-MISC I-MISC B-ORG I-LOC O I-PER I-LOC I-ORG",
     "I-LOC O I-MISC B-PER I-LOC O I-LOC I-LOC I-PER"},
    {"O B-MISC O", "O B-MISC O"},
    {"O B-PER", "I-PER B-PER"},
};

// The counts are those that the port of conlleval on PyPI (conlleval 0.2) gave for these tags.
TEST(TagScores, TheReportIsThatOfConlleval) {
  TagScores scores;
  for (const auto& [gold, predicted] : kSentences) scores.add(split(gold), split(predicted));
  EXPECT_EQ(scores.conlleval(),
            "processed 64 tokens with 37 phrases; found: 38 phrases; correct: 28.\n"
            "accuracy:  79.69%; precision:  73.68%; recall:  75.68%; FB1:  74.67\n"
            "              LOC: precision:  85.71%; recall:  75.00%; FB1:  80.00  7\n"
            "             MISC: precision:  66.67%; recall:  66.67%; FB1:  66.67  6\n"
            "              ORG: precision:  81.82%; recall:  81.82%; FB1:  81.82  11\n"
            "              PER: precision:  64.29%; recall:  75.00%; FB1:  69.23  14\n");
  EXPECT_EQ(scores.sentences(), 12);
}

TEST(TagScores, SentencesEndEntitiesAndTypesMustAgree) {
  TagScores scores;
  scores.add(split("O I-A"), split("O I-A"));
  scores.add(split("I-A I-A"), split("I-A O"));  // an entity of its own, found too short
  scores.add(split("I-A"), split("I-B"));
  EXPECT_EQ(scores.all().gold, 3);
  EXPECT_EQ(scores.all().found, 3);
  EXPECT_EQ(scores.all().correct, 1);
  EXPECT_EQ(scores.types().at("B").found, 1);
  EXPECT_EQ(scores.types().at("B").gold, 0);
  EXPECT_DOUBLE_EQ(scores.all().f1(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(scores.accuracy(), 3.0 / 5);
}

// Each entity is looked for where it stands: among all, these would take minutes.
TEST(TagScores, ASentenceMayHaveManyEntities) {
  std::vector<std::string> gold(400000, "B-A"), predicted = gold;
  predicted[3] = "O";
  predicted[5] = "I-A";
  TagScores scores;
  scores.add(gold, predicted);
  EXPECT_EQ(scores.all().gold, 400000);
  EXPECT_EQ(scores.all().found, 399998);
  EXPECT_EQ(scores.all().correct, 399997);  // that of word 4 goes on in word 5
}

TEST(TagScores, NothingCountedIsZeroAndNotNan) {
  const TagScores none;
  EXPECT_EQ(none.accuracy(), 0);
  EXPECT_EQ(none.all().f1(), 0);
  TagScores scores;
  expect_error<ShapeError>([&] { scores.add(split("O O"), split("O")); }, "2 gold", "1 predicted");
}

}  // namespace
}  // namespace rnn
