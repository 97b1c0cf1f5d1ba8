#include "rnn/tasks/sentence_reader.h"

#include "rnn/error.h"
#include "tasks/language_model_fixture.h"

namespace rnn {
namespace {

using test::LanguageModelTask;

void expect_same(const SentenceScore& a, const SentenceScore& b) {
  ASSERT_EQ(a.units.size(), b.units.size());
  for (std::size_t i = 0; i < a.units.size(); ++i) {
    EXPECT_EQ(a.units[i].unit, b.units[i].unit);
    EXPECT_EQ(a.units[i].log_prob, b.units[i].log_prob);
  }
  EXPECT_EQ(a.log_prob, b.log_prob);
  EXPECT_EQ(a.unknown, b.unknown);
  EXPECT_EQ(a.characters, b.characters);
}

/// Of different lengths, one longer than a window, and not in the order of their lengths.
std::vector<std::string> sentences() {
  std::string longest;
  for (int i = 0; i < 150; ++i) longest += i % 2 == 0 ? "a b " : "l ";
  return {"a b c d e", longest, "", "l k zebra j", "a"};
}

TEST_F(LanguageModelTask, AReaderThatIsKeptGivesTheScoresOfTheModel) {
  const LanguageModel model = trained();
  SentenceReader reader(model);
  State kept = model.initial_state(), anew = model.initial_state();
  for (int round = 0; round < 2; ++round) {
    const std::vector<SentenceScore> together = model.score(sentences());
    const std::vector<SentenceScore> read = reader.score(sentences());
    std::size_t i = 0;
    for (const std::string& sentence : sentences()) {
      expect_same(read[i], together[i]);
      expect_same(reader.score(sentence), together[i++]);
      expect_same(reader.score(sentence, kept), model.score(sentence, anew));
    }
  }
}

TEST_F(LanguageModelTask, AReaderOfAMixtureGivesTheScoresOfTheMixture) {
  train_language_model(small(), to("a"));
  LanguageModelRecipe gru = small();
  gru.cell = "gru";
  train_language_model(gru, to("b"));
  std::vector<LanguageModelMixture::Component> parts;
  parts.push_back({LanguageModel::load(files.path("a")), 3});
  parts.push_back({LanguageModel::load(files.path("b")), 1});
  const LanguageModelMixture mixture(std::move(parts));
  SentenceReader reader(mixture);
  const std::vector<SentenceScore> together = mixture.score(sentences());
  std::size_t i = 0;
  for (const std::string& sentence : sentences())
    expect_same(reader.score(sentence), together[i++]);
  State state = mixture.first().initial_state();
  expect_error<ConfigError>([&] { reader.score("a b", state); }, "mixture");
}

TEST_F(LanguageModelTask, ScoresCountTheCharactersOfTheTextAsItIsRead) {
  LanguageModelRecipe recipe = small();
  recipe.normalize.white_space = "collapse";
  train_language_model(recipe, to("m"));
  const LanguageModel model = LanguageModel::load(files.path("m"));
  const std::string lines[] = {"a  b", "\u00E9 c", ""};
  const std::vector<SentenceScore> scores = model.score(lines);
  EXPECT_EQ(scores[0].characters, 4);
  EXPECT_EQ(scores[1].characters, 4);
  EXPECT_EQ(scores[2].characters, 1);
  const std::string paths[] = {files.write("t", "a  b\n\u00E9 c\n\n")};
  EXPECT_EQ(model.evaluate(paths).characters, 9);
}

}  // namespace
}  // namespace rnn
