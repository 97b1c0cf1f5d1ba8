// What a model that adapts makes of the text it reads.
#include "rnn/tasks/adaptive_language_model.h"

#include <cmath>
#include <sstream>

#include "rnn/model_file.h"
#include "support/toy_network.h"
#include "tasks/dynamic_weights.h"
#include "tasks/language_model_fixture.h"
#include "tasks/neural_cache.h"

namespace rnn {
namespace {

using test::LanguageModelTask;

class AdaptiveTest : public LanguageModelTask {
 protected:
  AdaptiveTest() {
    std::string text;
    for (int i = 0; i < 40; ++i) text += "a c e a c e c\n";
    repetitive = files.write("repetitive.txt", text);
  }
  LanguageModel trained_by(const LanguageModelRecipe& recipe) const {
    train_language_model(recipe, to("m"));
    return LanguageModel::load(files.path("m"));
  }
  double nats(const LanguageModel& model, const Adaptation& adaptation,
              const std::string& path) const {
    const std::string statistics[] = {train}, paths[] = {path};
    return AdaptiveLanguageModel(model, adaptation, statistics)
        .evaluate(paths, model.text_policy())
        .nats;
  }
  static double plain(const LanguageModel& model, const std::string& path) {
    const std::string paths[] = {path};
    return model.evaluate(paths).nats;
  }

  static constexpr DynamicEvaluation kDynamic{.lr = 0.01f};
  static constexpr NeuralCache kCache{.size = 50, .theta = 2, .weight = 0.5f};
  std::string repetitive;
};

TEST_F(AdaptiveTest, ARepetitiveTextBecomesLikelier) {
  const LanguageModel model = trained();
  const double before = plain(model, repetitive);
  const double dynamic = nats(model, {.dynamic = kDynamic}, repetitive);
  const double cache = nats(model, {.cache = kCache}, repetitive);
  EXPECT_LT(dynamic, 0.7 * before);
  EXPECT_LT(cache, 0.7 * before);
  EXPECT_LT(nats(model, {.dynamic = kDynamic, .cache = kCache}, repetitive), cache);
}

TEST_F(AdaptiveTest, TheModelStaysAsItIs) {
  const LanguageModel model = trained();
  const Parameters before = model.parameters();
  const double alone = plain(model, valid);
  nats(model, {.dynamic = kDynamic, .cache = kCache}, repetitive);
  for (std::size_t p = 0; p < before.size(); ++p) {
    for (Index i = 0; i < before[p].size(); ++i) ASSERT_EQ(before[p][i], model.parameters()[p][i]);
  }
  EXPECT_EQ(plain(model, valid), alone);
}

TEST_F(AdaptiveTest, WithoutRateAndWeightItIsTheModel) {
  // With everything that acts in training alone.
  LanguageModelRecipe recipe = small();
  recipe.dropout_embedding = recipe.weight_drop = recipe.dropout_recurrent = 0.5f;
  recipe.ar = recipe.tar = 1;
  recipe.softmax = SoftmaxKind::kSampled;
  recipe.softmax_samples = 3;
  const LanguageModel model = trained_by(recipe);
  const double expected = plain(model, valid);
  EXPECT_NEAR(nats(model, {.dynamic = {.lr = 1e-12f}}, valid), expected, 1e-4 * expected);
  EXPECT_NEAR(nats(model, {.cache = {.size = 5, .weight = 0}}, valid), expected, 1e-6 * expected);
}

TEST_F(AdaptiveTest, SentenceBySentenceIsTheWholeTextAndThreadsDoNotMatter) {
  const Adaptation adaptation{.dynamic = kDynamic, .cache = kCache};
  train_language_model(small(), to("m"));
  double expected = 0;
  for (int threads : {1, 3}) {
    const LanguageModel model =
        LanguageModel::load(files.path("m"), {.threads = {.threads = threads}});
    const std::string statistics[] = {train};
    AdaptiveLanguageModel reader(model, adaptation, statistics);
    std::istringstream lines(TextFiles::read(valid));
    double sum = 0;
    for (std::string line; std::getline(lines, line);) {
      for (const UnitScore& unit : reader.score(line).units) sum -= unit.log_prob;
    }
    EXPECT_EQ(sum, nats(model, adaptation, valid));
    if (threads > 1) {
      EXPECT_EQ(sum, expected);
    }
    expected = sum;
  }
}

TEST_F(AdaptiveTest, AUnitCostsWhatTheTextBeforeItMakesOfIt) {
  const LanguageModel model = trained();
  const std::string statistics[] = {train};
  const Adaptation adaptation{.dynamic = kDynamic};
  AdaptiveLanguageModel one(model, adaptation, statistics), other(model, adaptation, statistics);
  State state = model.initial_state();
  const SentenceScore first = one.score("a b c d e f g h");
  const SentenceScore plain_first = model.score("a b c d e f g h", state);
  for (std::size_t i = 0; i < first.units.size(); ++i) {
    if (i < 5) {
      EXPECT_NEAR(first.units[i].log_prob, plain_first.units[i].log_prob, 1e-5);
    } else {
      EXPECT_NE(first.units[i].log_prob, plain_first.units[i].log_prob) << "a step was made";
    }
  }
  // What follows changes nothing of what was said before.
  const SentenceScore begin = other.score("a b c d e f g l");
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(begin.units[i].log_prob, first.units[i].log_prob);
  }
}

/// The formula, weight by weight, with gradients of another session.
TEST_F(AdaptiveTest, DynamicEvaluationMakesTheStepThatItSays) {
  const LanguageModel model = trained();
  const std::vector<std::int32_t> text{3, 4, 5, 1, 6, 7, 8, 9, 1, 3, 5, 1};
  const DynamicEvaluation options{.lr = 0.01f, .decay = 0.2f, .epsilon = 0.05f, .steps = 4};
  DynamicWeights dynamic(model, options, text, 1);

  const Network network = without_regularizers(model.network());
  Parameters weights = model.parameters();
  Session session(network, weights, model.backend());
  const auto gradients = [&](const Batch& batch, State& state, float scale) {
    session.zero_gradients();
    session.forward(batch, state);
    session.backward(scale);
    return session.gradients();
  };
  // Twelve units, three segments: as many lanes of four steps.
  Batch all{.time = 4, .batch = 3};
  for (std::size_t t = 0; t < 4; ++t) {
    for (std::size_t b = 0; b < 3; ++b) {
      const std::size_t at = b * 4 + t;
      all.ids.push_back(at > 0 ? text[at - 1] : 1);
      all.targets.push_back(text[at]);
    }
  }
  State lanes = network.zero_state(3, *model.backend());
  TensorList roots = gradients(all, lanes, 1.0f / 12);
  double sum = 0;
  for (NamedTensor& root : roots) {
    for (Index i = 0; i < root.tensor.size(); ++i) {
      root.tensor[i] = std::abs(root.tensor[i]);
      sum += double{root.tensor[i]};
    }
  }
  const double mean = sum / static_cast<double>(roots.elements());

  const Batch segments[] = {{.time = 4, .batch = 1, .ids = {1, 3, 4, 4}, .targets = {3, 4, 4, 5}},
                            {.time = 2, .batch = 1, .ids = {5, 6}, .targets = {6, 1}}};
  State ours = model.initial_state(), theirs = model.initial_state();
  for (const Batch& segment : segments) {
    const TensorList g = gradients(segment, ours, 0.25f);  // over `steps`, also of a shorter one
    dynamic.read(segment, theirs, {});
    for (std::size_t p = 0; p < weights.size(); ++p) {
      for (Index i = 0; i < weights[p].size(); ++i) {
        const double r = double{roots[p][i]}, now = double{weights[p][i]};
        const double pull = std::min(0.2 * r / mean, 1.0);
        const double expected = now + pull * (double{model.parameters()[p][i]} - now) -
                                0.01 * double{g[p][i]} / (r + 0.05);
        ASSERT_NEAR(dynamic.weights()[p][i], expected, 1e-6) << weights.name(p) << " " << i;
        weights[p][i] = dynamic.weights()[p][i];
      }
    }
    weights.changed();
  }
}

TEST(NeuralCacheMemory, MixesTheUnitsThatFollowedSimilarStates) {
  CacheMemory cache({.size = 2, .theta = 2, .weight = 0.25f}, 2);
  const float north[] = {0, 1}, east[] = {1, 0};
  const float nats = 0.5f;
  EXPECT_EQ(cache.read(north, 7, nats), nats) << "nothing is remembered yet";
  const double model = std::exp(-0.5);
  EXPECT_NEAR(cache.read(north, 7, nats), -std::log(0.75 * model + 0.25), 1e-6);
  // Both places say 7; 8 was never seen.
  EXPECT_NEAR(cache.read(east, 8, nats), -std::log(0.75 * model), 1e-6);
  // Remembered now: north 7 (the older was forgotten) and east 8.
  const double same = std::exp(2.0), other = 1;
  EXPECT_NEAR(cache.read(east, 8, nats), -std::log(0.75 * model + 0.25 * same / (same + other)),
              1e-6);
}

TEST_F(AdaptiveTest, RefusesWhatItCannotDo) {
  const LanguageModel model = trained();
  const std::string statistics[] = {train};
  const auto refuses = [&](const Adaptation& adaptation, const char* member) {
    expect_error<ConfigError>([&] { AdaptiveLanguageModel(model, adaptation, statistics); },
                              member);
  };
  for (float bad : {-1.0f, std::nanf(""), HUGE_VALF}) {
    refuses({.dynamic = {.lr = bad}}, "dynamic-lr");
    refuses({.dynamic = {.lr = 1, .decay = bad}}, "dynamic-decay");
    refuses({.dynamic = {.lr = 1, .epsilon = bad}}, "dynamic-epsilon");
    refuses({.cache = {.size = 1, .theta = bad}}, "cache-theta");
    refuses({.cache = {.size = 1, .weight = bad}}, "cache-weight");
  }
  refuses({.dynamic = {.lr = 1, .steps = 0}}, "dynamic-steps");
  refuses({.cache = {.size = -1}}, "cache-size");
  expect_error<ConfigError>([&] { AdaptiveLanguageModel(model, {.dynamic = kDynamic}); },
                            "dynamic-statistics");
  const LanguageModel int8 = LanguageModel::load(files.path("m"), {.precision = Precision::kInt8});
  expect_error<ConfigError>([&] { AdaptiveLanguageModel(int8, {.dynamic = kDynamic}, statistics); },
                            "int8");
  AdaptiveLanguageModel(int8, {.cache = kCache}).score("a b");  // a cache needs no gradients
  expect_error<ConfigError>(
      [] {
        without_regularizers(
            Sequential({Embedding({.input_dim = 5, .output_dim = 3}),
                        LSTM({.units = 3, .zoneout_h = 0.1f}), Softmax({.units = 5})}));
      },
      "zoneout");
}

}  // namespace
}  // namespace rnn
