#include "rnn/tasks/language_model_scorer.h"

#include <algorithm>
#include <cmath>

#include "rnn/error.h"
#include "tasks/language_model_fixture.h"

namespace rnn {
namespace {

using test::LanguageModelTask;

/// The ids of a sentence and its end.
std::vector<std::int32_t> ids_of(const LanguageModel& model, const std::string& sentence) {
  std::vector<std::int32_t> ids;
  model.tokenizer().encode(sentence, model.vocabulary(), ids);
  ids.push_back(model.vocabulary().end_id());
  return ids;
}

TEST_F(LanguageModelTask, ScoresUnitByUnitAreThoseOfTheSentence) {
  const LanguageModel model = trained();
  LanguageModelScorer scorer(model);
  const std::string sentences[] = {"a b c d e", "", "l k zebra j"};
  const std::vector<SentenceScore> whole = model.score(sentences);
  for (std::size_t i = 0; i < std::size(sentences); ++i) {
    TextState text = scorer.begin();
    std::size_t place = 0;
    for (const std::int32_t id : ids_of(model, sentences[i])) {
      const auto step = scorer.score(text, id);
      EXPECT_EQ(step.log_prob, whole[i].units[place++].log_prob);
      EXPECT_EQ(step.next.last(), id);
      text = step.next;
    }
    EXPECT_EQ(place, whole[i].units.size());
  }
}

TEST_F(LanguageModelTask, AStateIsAValueAndItsScoreDoesNotDependOnTheOthers) {
  const LanguageModel model = trained();
  LanguageModelScorer scorer(model);
  // A decoder's tree: every state so far is gone on from by every letter.
  std::vector<TextState> states{scorer.begin()};
  for (int depth = 0; depth < 2; ++depth) {
    std::vector<TextState> from;
    std::vector<std::int32_t> tokens;
    for (const TextState& state : states) {
      for (std::int32_t id = 1; id < model.vocabulary().size(); id += 3) {
        from.push_back(state);
        tokens.push_back(id);
      }
    }
    const auto together = scorer.score(from, tokens);
    LanguageModelScorer alone(model);
    std::vector<TextState> next;
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto step = alone.score(from[i], tokens[i]);
      ASSERT_EQ(step.log_prob, together[i].log_prob);
      next.push_back(together[i].next);
    }
    states = next;
  }
  EXPECT_GT(states.size(), 20u);
  const auto first = scorer.score(states[7], 4);
  scorer.score(first.next, 5);
  EXPECT_EQ(scorer.score(states[7], 4).log_prob, first.log_prob);
}

TEST_F(LanguageModelTask, AllLogProbabilitiesAreThoseOfEachUnit) {
  const LanguageModel model = trained();
  LanguageModelScorer scorer(model);
  std::vector<TextState> states{scorer.begin()};
  states.push_back(scorer.score(states[0], 3).next);
  const View<const float> view = scorer.log_probs(states);
  const std::vector<float> logs(view.begin(), view.end());
  const std::int32_t size = model.vocabulary().size();
  ASSERT_EQ(logs.size(), 2u * static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < states.size(); ++i) {
    double sum = 0;
    for (std::int32_t id = 0; id < size; ++id) {
      const float log = logs[i * static_cast<std::size_t>(size) + static_cast<std::size_t>(id)];
      EXPECT_NEAR(log, scorer.score(states[i], id).log_prob, 1e-5);
      sum += std::exp(static_cast<double>(log));
    }
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

/// Weights so large that most probabilities are no floats but zero.
TEST_F(LanguageModelTask, LogProbabilitiesAreThoseOfScoresHoweverSmall) {
  for (const SoftmaxKind kind :
       {SoftmaxKind::kFull, SoftmaxKind::kAdaptive, SoftmaxKind::kSampled}) {
    LanguageModelRecipe recipe = small();
    recipe.softmax = kind;
    recipe.softmax_samples = 5;
    recipe.init = 100;
    recipe.lr = 1e-6f;
    recipe.epochs = 1;
    LanguageModelRun run = to("m");
    run.overwrite = true;
    train_language_model(recipe, run);
    const LanguageModel model = LanguageModel::load(files.path("m"));
    LanguageModelScorer scorer(model);
    std::vector<TextState> states{scorer.begin()};
    states.push_back(scorer.score(states[0], 3).next);
    const View<const float> view = scorer.log_probs(states);
    const std::vector<float> logs(view.begin(), view.end());
    auto log = logs.begin();
    double least = 0;
    for (const TextState& state : states) {
      for (std::int32_t id = 0; id < model.vocabulary().size(); ++id) {
        const double found = static_cast<double>(*log++);
        EXPECT_EQ(found, scorer.score(state, id).log_prob);
        least = std::min(least, found);
      }
    }
    EXPECT_LT(least, -150);
    EXPECT_TRUE(std::isfinite(least));
  }
}

TEST_F(LanguageModelTask, AScorerRefusesWhatIsNoUnit) {
  const LanguageModel model = trained();
  LanguageModelScorer scorer(model);
  const TextState begin = scorer.begin();
  expect_error<ConfigError>([&] { scorer.score(begin, model.vocabulary().size()); }, "ids", "14");
  expect_error<ConfigError>([&] { scorer.score(begin, -1); }, "-1");
  const std::vector<TextState> two{begin, begin};
  const std::vector<std::int32_t> one{2};
  expect_error<ConfigError>([&] { scorer.score(two, one); }, "2 states", "1 tokens");
  EXPECT_TRUE(scorer.score(std::span<const TextState>(), {}).empty());
}

}  // namespace
}  // namespace rnn
