#include "rnn/tasks/language_model_mixture.h"

#include <cmath>

#include "rnn/error.h"
#include "tasks/language_model_fixture.h"

namespace rnn {
namespace {

using test::LanguageModelTask;

TEST_F(LanguageModelTask, AMixtureIsTheWeightedMeanOfProbabilities) {
  LanguageModelRecipe other = small();
  other.cell = "gru";
  train_language_model(small(), to("a"));
  train_language_model(other, to("b"));
  const auto load = [&](const char* name) { return LanguageModel::load(files.path(name)); };
  const std::string sentences[] = {"a b c", "l k zebra", ""};
  const auto a = load("a").score(sentences), b = load("b").score(sentences);
  std::vector<LanguageModelMixture::Component> parts;
  parts.push_back({load("a"), 3});
  parts.push_back({load("b"), 1});
  const LanguageModelMixture mixture(std::move(parts));
  const auto mixed = mixture.score(sentences);
  double sum = 0;
  for (std::size_t i = 0; i < std::size(sentences); ++i) {
    ASSERT_EQ(mixed[i].units.size(), a[i].units.size());
    for (std::size_t t = 0; t < mixed[i].units.size(); ++t) {
      const double expected = std::log(0.75 * std::exp(a[i].units[t].log_prob) +
                                       0.25 * std::exp(b[i].units[t].log_prob));
      EXPECT_NEAR(mixed[i].units[t].log_prob, expected, 1e-6);
      sum += mixed[i].units[t].log_prob;
    }
    EXPECT_EQ(mixed[i].unknown, a[i].unknown);
  }
  const std::string paths[] = {files.write("t", "a b c\nl k zebra\n\n")};
  const auto result = mixture.evaluate(paths, StatePolicy::kReset, {});
  EXPECT_NEAR(result.nats, -sum, 1e-6 * std::abs(sum));
  EXPECT_EQ(result.unknown, 1);
}

TEST_F(LanguageModelTask, OnlyModelsThatReadAlikeMix) {
  LanguageModelRecipe upper = small(), fewer = small();
  upper.normalize.lowercase = true;
  fewer.max_vocabulary = 8;
  train_language_model(small(), to("a"));
  train_language_model(upper, to("upper"));
  train_language_model(fewer, to("fewer"));
  const auto mix = [&](const char* name, double weight) {
    std::vector<LanguageModelMixture::Component> parts;
    parts.push_back({LanguageModel::load(files.path("a")), 1});
    parts.push_back({LanguageModel::load(files.path(name)), weight});
    LanguageModelMixture mixture(std::move(parts));
  };
  EXPECT_NO_THROW(mix("a", 1));
  expect_error<ConfigError>([&] { mix("a", 0); }, "weights above 0");
  expect_error<ConfigError>([&] { mix("upper", 1); }, "--normalize-lowercase true");
  expect_error<ConfigError>([&] { mix("fewer", 1); }, "vocabular");
  expect_error<ConfigError>([&] { LanguageModelMixture({}); }, "at least one model");
}

}  // namespace
}  // namespace rnn
