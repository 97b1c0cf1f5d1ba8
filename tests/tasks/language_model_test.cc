// LanguageModel as a program embeds it.
#include "rnn/tasks/language_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <thread>

#include "tasks/language_model_fixture.h"

namespace rnn {
namespace {

using test::LanguageModelTask;

TEST_F(LanguageModelTask, EvaluationIsTheValidationOfTheTraining) {
  const History history = train_language_model(small(), to("m"));
  const LanguageModel model = LanguageModel::load(files.path("m"));
  const std::string paths[] = {valid};
  const LanguageModelEvaluation result = model.evaluate(paths);
  EXPECT_EQ(result.nats, history.best()->validation->nats);
  EXPECT_EQ(result.tokens, history.best()->validation->targets);
  EXPECT_EQ(result.perplexity(), perplexity(*history.best()->validation));
}

class LanguageModelResume : public LanguageModelTask {
 protected:
  /// Returns the log of the whole training.
  std::string expect_the_same_model(const LanguageModelRecipe& recipe) const {
    std::string log;
    LanguageModelRun run = to("whole");
    run.log = [&](const std::string& line) { log += line + "\n"; };
    const History whole = train_language_model(recipe, run);
    run = to("parts");
    run.resume = true;
    OnStep stop([](Model& model, const StepRecord&) { model.stop("after every step"); });
    run.callbacks = {&stop};
    History parts;
    const std::int64_t steps = whole.epochs.back().steps;
    for (std::int64_t i = 0; i <= steps; ++i) {
      run.backend.threads.threads = 1 + static_cast<int>(i % 3);
      parts = train_language_model(recipe, run);
    }
    EXPECT_EQ(parts.epochs.size(), whole.epochs.size());
    for (std::size_t i = 0; i < std::min(parts.epochs.size(), whole.epochs.size()); ++i) {
      EXPECT_EQ(parts.epochs[i].learning_rate, whole.epochs[i].learning_rate);
      EXPECT_EQ(parts.epochs[i].gradient_norm, whole.epochs[i].gradient_norm);
      EXPECT_EQ(parts.epochs[i].train.nats, whole.epochs[i].train.nats);
      EXPECT_EQ(parts.epochs[i].validation->nats, whole.epochs[i].validation->nats);
    }
    for (const char* file : {"/model.safetensors", "/config.json", "/vocabulary.txt"}) {
      EXPECT_EQ(TextFiles::read(files.path("whole") + file),
                TextFiles::read(files.path("parts") + file));
    }
    return log;
  }
};

TEST_F(LanguageModelResume, StoppedAfterEveryStepItBecomesTheSameModel) {
  expect_the_same_model(small());
}

TEST_F(LanguageModelResume, WithEverythingThatIsDrawnAveragedOrSharedToo) {
  LanguageModelRecipe recipe = small();
  recipe.layers = 2;
  recipe.tie = true;
  recipe.dropout_shared = true;
  recipe.dropout_embedding = 0.2f;
  recipe.dropout_recurrent = 0.1f;
  recipe.weight_drop = 0.3f;
  recipe.ar = 2;
  recipe.tar = 1;
  recipe.softmax = SoftmaxKind::kSampled;
  recipe.softmax_samples = 5;
  // A rate at which the validation rises within three epochs, so that averaging begins.
  recipe.optimizer = "sgd";
  recipe.lr = 8;
  recipe.schedule = {};
  recipe.epochs = 4;
  recipe.averaging = {.kind = Averaging::Kind::kNtAsgd, .non_monotone = 1};
  const std::string log = expect_the_same_model(recipe);
  EXPECT_NE(log.find("averaging begins at step "), log.npos) << log;
}

TEST_F(LanguageModelTask, AScoreDependsOnItsSentenceAlone) {
  const LanguageModel model = trained();
  std::vector<std::string> sentences{"a b c", "", "l k j i h g f e d c b a", "a zebra b", "<unk>"};
  for (int i = 0; i < 70; ++i) sentences.push_back(std::string(i % 9, 'a') + " b c");
  const std::vector<SentenceScore> together = model.score(sentences);
  ASSERT_EQ(together.size(), sentences.size());
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    SCOPED_TRACE(i);
    const SentenceScore alone = model.score(std::span(&sentences[i], 1)).front();
    State state = model.initial_state();
    const SentenceScore stepwise = model.score(sentences[i], state);
    for (const SentenceScore* other : {&alone, &stepwise}) {
      EXPECT_EQ(other->log_prob, together[i].log_prob);
      EXPECT_EQ(other->unknown, together[i].unknown);
      ASSERT_EQ(other->units.size(), together[i].units.size());
    }
    double sum = 0, unknown = 0;
    for (const UnitScore& unit : together[i].units) {
      EXPECT_LT(unit.log_prob, 0);
      sum += unit.log_prob;
      if (unit.unknown) unknown += unit.log_prob;
    }
    EXPECT_EQ(together[i].log_prob, sum);
    EXPECT_EQ(together[i].unknown_log_prob, unknown);
    EXPECT_EQ(together[i].units.back().unit, "</s>");
  }
  EXPECT_EQ(together[3].unknown, 1);
  EXPECT_EQ(together[4].unknown, 0);  // the text itself says <unk>
}

TEST_F(LanguageModelTask, ACarriedStateIsAValue) {
  const LanguageModel model = trained();
  State state = model.initial_state();
  model.score("a b c", state);
  State copy = state;
  const double first = model.score("d e", state).log_prob;
  EXPECT_EQ(model.score("d e", copy).log_prob, first);
  State fresh = model.initial_state();
  EXPECT_NE(model.score("d e", fresh).log_prob, first);
}

TEST_F(LanguageModelTask, OneModelServesManyThreads) {
  const LanguageModel model = trained();
  const std::vector<std::string> sentences{"a b c d", "l k", "e f g h i"};
  const double expected = model.score(sentences)[2].log_prob;
  const std::string text = model.generate({.length = 30});
  std::vector<std::jthread> threads;
  std::vector<int> right(4, 0);
  for (int& mine : right) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        mine += model.score(sentences)[2].log_prob == expected &&
                model.generate({.length = 30}) == text;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, std::vector<int>(4, 5));
}

/// Walks along a generated text and tells each choice's rank (0: the likeliest) and the probability
/// of all that are likelier.
struct Choice {
  int rank = 0;
  double likelier = 0;
};
std::vector<Choice> choices(const LanguageModel& model, const std::string& text) {
  Inference inference(model.network(), model.parameters(), make_backend({}));
  State state = model.initial_state();
  Batch batch{.time = 1, .batch = 1, .ids = {model.vocabulary().end_id()}};
  std::vector<Choice> found;
  const auto step = [&](std::int32_t id) {
    const View<const float> p = inference.predict(batch, state);
    const View<const float> row = p.reshaped({model.vocabulary().size()});
    Choice choice;
    for (std::int32_t other = 0; other < model.vocabulary().size(); ++other) {
      if (other == model.vocabulary().unknown_id()) continue;
      if (row[other] > row[id]) {
        ++choice.rank;
        choice.likelier += static_cast<double>(row[other]);
      }
    }
    found.push_back(choice);
    batch.ids[0] = id;
  };
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::vector<Token> tokens;
    model.tokenizer().tokenize(line, tokens);
    for (const Token& token : tokens) step(model.vocabulary().id(token.text));
    if (!lines.eof()) step(model.vocabulary().end_id());
  }
  return found;
}

TEST_F(LanguageModelTask, GenerationChoosesAmongTheLikeliestAsAsked) {
  const LanguageModel model = trained();
  for (const Choice& choice : choices(model, model.generate({.length = 60, .temperature = 0}))) {
    EXPECT_EQ(choice.rank, 0);
  }
  int widest = 0;
  const auto few = choices(model, model.generate({.length = 200, .top_k = 3}));
  EXPECT_EQ(few.size(), 200u);
  for (const Choice& choice : few) {
    EXPECT_LT(choice.rank, 3);
    widest = std::max(widest, choice.rank);
  }
  EXPECT_EQ(widest, 2);
  double reached = 0;
  for (const Choice& choice : choices(model, model.generate({.length = 200, .top_p = 0.4}))) {
    EXPECT_LT(choice.likelier, 0.4 + 1e-6);
    reached = std::max(reached, choice.likelier);
  }
  EXPECT_GT(reached, 0.2);
  const auto mean_rank = [&](double temperature) {
    const auto all = choices(model, model.generate({.length = 400, .temperature = temperature}));
    return std::accumulate(all.begin(), all.end(), 0.0,
                           [](double sum, const Choice& choice) { return sum + choice.rank; }) /
           static_cast<double>(all.size());
  };
  EXPECT_LT(mean_rank(0.3), mean_rank(1));
  EXPECT_LT(mean_rank(1), mean_rank(5));
}

TEST_F(LanguageModelTask, GeneratedPiecesMakeTheWholeAndUnknownIsWrittenOnlyWhenAllowed) {
  LanguageModelRecipe recipe = small();
  recipe.min_count = 60;  // about half of the letters are <unk>
  train_language_model(recipe, to("u"));
  const LanguageModel model = LanguageModel::load(files.path("u"));
  std::string pieces;
  const std::string text = model.generate({.prompt = "a b\nc", .length = 100},
                                          [&](std::string_view piece) { pieces += piece; });
  EXPECT_EQ(pieces, text);
  EXPECT_EQ(text.substr(0, 5), "a b\nc");
  EXPECT_EQ(text.find("<unk>"), text.npos);
  EXPECT_NE(model.generate({.length = 100, .unknown = true}).find("<unk>"), text.npos);
  EXPECT_EQ(model.generate({.length = 0}), "");
}

TEST_F(LanguageModelTask, WrongRunsAreRefusedBeforeAnythingIsWritten) {
  LanguageModelRun run = to("m");
  run.train = {"-"};
  expect_error<ConfigError>([&] { train_language_model(small(), run); },
                            "train:", "standard input");
  const std::string pipe = files.path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  run.train = {pipe};
  expect_error<ConfigError>([&] { train_language_model(small(), run); }, pipe, "read once");
  run.train = {};
  expect_error<ConfigError>([&] { train_language_model(small(), run); }, "train:");
  run = to("m");
  run.directory.clear();
  expect_error<ConfigError>([&] { train_language_model(small(), run); }, "model:");
  LanguageModelRecipe recipe = small();
  recipe.precision = Precision::kInt8;
  expect_error<ConfigError>([&] { train_language_model(recipe, to("m")); }, "precision:", "int8");
  recipe.precision = Precision::kBf16;
  run = to("m");
  run.backend.name = "reference";
  expect_error<ConfigError>([&] { train_language_model(recipe, run); }, "precision:", "reference");
  recipe = {};
  recipe.network = R"({"layers": [{"type": "Embedding", "input_dim": 5, "output_dim": 4}]})";
  EXPECT_THROW(train_language_model(recipe, to("m")), Error);
  recipe.network = "{";
  EXPECT_THROW(train_language_model(recipe, to("m")), FormatError);
  EXPECT_FALSE(std::filesystem::exists(files.path("m")));
}

}  // namespace
}  // namespace rnn
