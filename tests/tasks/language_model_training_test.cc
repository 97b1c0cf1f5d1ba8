// What the options of a recipe do to a training: penalties, smoothing, averages, schedules, window
// lengths and fine-tuning.
#include <cmath>
#include <set>

#include "tasks/language_model_fixture.h"

namespace rnn {
namespace {

using test::LanguageModelTask;

/// The output of the last layer for a text, and what is made of it.
struct Features {
  double mean_square = 0, mean_change = 0;  // squares of h, and of h(t) - h(t-1)
  double entropy = 0;                       // of the predictions, in nats
};

Features features_of(const LanguageModel& model, const std::string& text) {
  std::vector<Token> tokens;
  model.tokenizer().tokenize(text, tokens);
  Batch batch{.time = static_cast<Index>(tokens.size()), .batch = 1};
  for (const Token& token : tokens) batch.ids.push_back(model.vocabulary().text_id(token.text));
  Inference inference(model.network(), model.parameters(), model.backend());
  State state = model.initial_state();
  const View<const float> p = inference.predict(batch, state);
  const View<const float> h = inference.head_input().features.values;
  Features found;
  for (Index t = 0; t < batch.time; ++t) {
    for (Index u = 0; u < h.extent(2); ++u) {
      found.mean_square += std::pow(double{h(t, 0, u)}, 2);
      if (t > 0) found.mean_change += std::pow(double{h(t, 0, u)} - double{h(t - 1, 0, u)}, 2);
    }
    for (Index v = 0; v < p.extent(2); ++v) {
      found.entropy -= double{p(t, 0, v)} * std::log(double{p(t, 0, v)});
    }
  }
  const double values = static_cast<double>(h.size());
  return {found.mean_square / values, found.mean_change / values,
          found.entropy / static_cast<double>(batch.time)};
}

class LanguageModelTraining : public LanguageModelTask {
 protected:
  LanguageModel trained_by(const LanguageModelRecipe& recipe) const {
    LanguageModelRun run = to("m");
    run.overwrite = true;
    train_language_model(recipe, run);
    return LanguageModel::load(run.directory);
  }
  Features features_after(const LanguageModelRecipe& recipe) const {
    return features_of(trained_by(recipe), "a b c d e f g h i j k l l a k b j c");
  }
  History history_of(const LanguageModelRecipe& recipe, const std::string& name,
                     const std::vector<Callback*>& callbacks = {}) const {
    LanguageModelRun run = to(name);
    run.callbacks = callbacks;
    return train_language_model(recipe, run);
  }
  static LanguageModelRecipe plain() {
    LanguageModelRecipe recipe = small();
    recipe.dropout = 0;
    recipe.random_bptt = false;
    return recipe;
  }
  /// A rate that is too high to settle.
  static LanguageModelRecipe noisy() {
    LanguageModelRecipe recipe = plain();
    recipe.optimizer = "sgd";
    recipe.lr = 6;
    recipe.schedule = {};
    recipe.epochs = 12;
    return recipe;
  }
};

TEST_F(LanguageModelTraining, ActivationRegularizationMakesTheOutputSmaller) {
  LanguageModelRecipe recipe = plain();
  const Features without = features_after(recipe);
  recipe.ar = 10;
  EXPECT_LT(features_after(recipe).mean_square, 0.5 * without.mean_square);
  // Of what the output dropout leaves, so that this is in its way.
  recipe.dropout = 0.5f;
  const double both = features_after(recipe).mean_square;
  recipe.ar = 0;
  EXPECT_LT(both, 0.6 * features_after(recipe).mean_square);
}

TEST_F(LanguageModelTraining, TemporalActivationRegularizationMakesItSlower) {
  LanguageModelRecipe recipe = plain();
  recipe.epochs = 6;
  const Features without = features_after(recipe);
  recipe.tar = 10;
  const Features with = features_after(recipe);
  EXPECT_LT(with.mean_change, 0.5 * without.mean_change);
}

TEST_F(LanguageModelTraining, APenaltyIsNoPartOfTheReportedLoss) {
  LanguageModelRecipe recipe = plain();
  recipe.lr = 1e-6f;  // as good as untrained
  const double without = history_of(recipe, "without").epochs[0].train.mean();
  recipe.ar = recipe.tar = 1000;
  EXPECT_NEAR(history_of(recipe, "with").epochs[0].train.mean(), without, 1e-3);
}

TEST_F(LanguageModelTraining, LabelSmoothingMakesPredictionsLessCertain) {
  LanguageModelRecipe recipe = plain();
  recipe.epochs = 30;  // enough to learn some of it by heart
  const Features without = features_after(recipe);
  recipe.label_smoothing = 0.3f;
  EXPECT_GT(features_after(recipe).entropy, without.entropy + 0.05);
}

TEST_F(LanguageModelTraining, AnAverageOfNoisyWeightsIsBetterThanTheLast) {
  LanguageModelRecipe recipe = noisy();
  const auto last = [&](Averaging::Kind kind) {
    recipe.averaging = {.kind = kind, .start = 4, .non_monotone = 1};
    return history_of(recipe, "a" + std::to_string(static_cast<int>(kind)))
        .epochs.back()
        .validation->mean();
  };
  const double without = last(Averaging::Kind::kNone);
  EXPECT_LT(last(Averaging::Kind::kEma), without - 0.01);
  EXPECT_LT(last(Averaging::Kind::kAsgd), without - 0.01);
  EXPECT_LT(last(Averaging::Kind::kNtAsgd), without - 0.01);
}

TEST_F(LanguageModelTraining, NtAsgdBeginsWhenTheValidationStopsFalling) {
  LanguageModelRecipe recipe = noisy();
  const History without = history_of(recipe, "without");
  recipe.averaging = {.kind = Averaging::Kind::kNtAsgd, .non_monotone = 2};
  const History with = history_of(recipe, "with");
  std::size_t begin = 0;  // the first epoch that is trained with averages
  const std::vector<double> losses = without.validation_losses();
  while (begin < losses.size() && !recipe.averaging.begun(static_cast<std::int64_t>(begin),
                                                          std::span(losses).first(begin))) {
    ++begin;
  }
  ASSERT_GT(begin, 2u);
  ASSERT_LT(begin, losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(with.validation_losses()[i] == losses[i], i < begin) << i;
  }
}

TEST_F(LanguageModelTraining, WhetherAveragingBeganIsTold) {
  LanguageModelRecipe recipe = plain();
  const auto log_of = [&](const Averaging& averaging, const std::string& name) {
    recipe.averaging = averaging;
    std::string lines;
    LanguageModelRun run = to(name);
    run.log = [&](const std::string& line) { lines += line + '\n'; };
    train_language_model(recipe, run);
    return lines;
  };
  const std::string begins = "averaging begins at step ", never = "averaging has not begun";
  const auto expect = [&](const std::string& log, bool begun, bool not_begun) {
    EXPECT_EQ(log.find(begins) != log.npos, begun) << log;
    EXPECT_EQ(log.find(never) != log.npos, not_begun) << log;
  };
  expect(log_of({}, "none"), false, false);
  const std::string late = log_of({.kind = Averaging::Kind::kAsgd, .start = 2}, "asgd");
  expect(late, true, false);
  EXPECT_NE(late.find(", in epoch 3:"), late.npos) << late;
  expect(log_of({.kind = Averaging::Kind::kNtAsgd, .non_monotone = 5}, "nt-asgd"), false, true);
  expect_error<ConfigError>([&] { log_of({.kind = Averaging::Kind::kAsgd, .start = 3}, "never"); },
                            "averaging-start", "epochs, which are 3", "got 3");
}

TEST_F(LanguageModelTraining, TheRateFollowsItsScheduleAndTheLengthOfARandomWindow) {
  for (const bool random : {false, true}) {
    LanguageModelRecipe recipe = plain();
    recipe.random_bptt = random;
    recipe.schedule = {};
    std::set<double> lengths;  // of windows but for each epoch's last, which is what is left
    OnStep watch([&](Model&, const StepRecord& step) {
      const double length = std::ceil(static_cast<double>(step.loss.targets) / 4.0);
      if (step.batch < step.batches) lengths.insert(length);
      EXPECT_NEAR(step.learning_rate, double{recipe.lr} * (random ? length / 8 : 1), 1e-9);
    });
    history_of(recipe, random ? "random" : "fixed", {&watch});
    if (random) {
      ASSERT_GT(lengths.size(), 4u);
      EXPECT_GE(*lengths.begin(), 5);
    } else {
      EXPECT_EQ(lengths, std::set<double>{8});
    }
  }
  LanguageModelRecipe recipe = plain();
  recipe.epochs = 10;
  const auto rates = [&](Schedule::Kind kind) {
    recipe.schedule = {.kind = kind};
    std::vector<double> found;
    OnStep watch([&](Model&, const StepRecord& step) { found.push_back(step.learning_rate); });
    history_of(recipe, "s" + std::to_string(static_cast<int>(kind)), {&watch});
    return found;
  };
  const double lr = double{recipe.lr};
  const std::vector<double> cosine = rates(Schedule::Kind::kCosine);
  EXPECT_NEAR(cosine.front(), lr, 1e-6);
  EXPECT_NEAR(cosine[cosine.size() / 2], lr / 2, 0.05 * lr);
  EXPECT_LT(cosine.back(), 0.01 * lr);
  EXPECT_TRUE(std::is_sorted(cosine.rbegin(), cosine.rend()));
  const std::vector<double> cycle = rates(Schedule::Kind::kOneCycle);
  const auto peak = std::max_element(cycle.begin(), cycle.end());
  EXPECT_NEAR(cycle.front(), 0.04 * lr, 0.01 * lr);
  EXPECT_NEAR(*peak, lr, 0.01 * lr);
  EXPECT_NEAR(static_cast<double>(peak - cycle.begin()) / static_cast<double>(cycle.size()), 0.3,
              0.02);
  EXPECT_LT(cycle.back(), 0.01 * lr);
}

TEST_F(LanguageModelTraining, FineTuningCarriesAModelOverToAnotherText) {
  const std::string other = "a b c d\nd c b a\na c b d\n";
  std::string text;
  for (int i = 0; i < 30; ++i) text += other;
  files.write("other.txt", text);
  LanguageModelRecipe recipe = plain();
  recipe.epochs = 8;
  history_of(recipe, "first");
  const LanguageModel first = LanguageModel::load(files.path("first"));
  const std::string paths[] = {files.path("other.txt")};
  const double before = first.evaluate(paths).nats_per_token();

  LanguageModelRun run = to("second");
  run.train = {files.path("other.txt")};
  run.valid = files.path("other.txt");
  run.init_from = files.path("first");
  // Other regularization, optimiser and averaging: what has weights is the same.
  recipe.epochs = 2;
  recipe.dropout = 0.2f;
  recipe.weight_drop = 0.2f;
  recipe.ar = recipe.tar = 1;
  recipe.optimizer = "sgd";
  recipe.lr = 2;
  recipe.schedule = {};
  recipe.averaging = {.kind = Averaging::Kind::kAsgd};
  train_language_model(recipe, run);
  const LanguageModel second = LanguageModel::load(run.directory);
  EXPECT_LT(second.evaluate(paths).nats_per_token(), before - 0.2);
  EXPECT_EQ(second.vocabulary().size(), first.vocabulary().size());
  run = to("scratch");
  run.train = {files.path("other.txt")};
  run.valid = files.path("other.txt");
  train_language_model(recipe, run);
  EXPECT_LT(second.evaluate(paths).nats_per_token(),
            LanguageModel::load(run.directory).evaluate(paths).nats_per_token());
}

TEST_F(LanguageModelTraining, AdaptiveAndSampledSoftmaxLearn) {
  LanguageModelRecipe recipe = plain();
  recipe.epochs = 12;
  const std::string paths[] = {train};
  const double full = trained_by(recipe).evaluate(paths).perplexity();
  recipe.softmax = SoftmaxKind::kAdaptive;
  recipe.softmax_cutoffs = "5 9";
  const double adaptive = trained_by(recipe).evaluate(paths).perplexity();
  recipe.softmax = SoftmaxKind::kSampled;
  recipe.softmax_cutoffs.clear();
  recipe.softmax_samples = 5;
  const double sampled = trained_by(recipe).evaluate(paths).perplexity();
  EXPECT_LT(adaptive, 1.1 * full);
  EXPECT_LT(sampled, 1.15 * full);
  EXPECT_LT(std::max(adaptive, sampled), 11) << "without the text before, it is 12.4";
}

}  // namespace
}  // namespace rnn
