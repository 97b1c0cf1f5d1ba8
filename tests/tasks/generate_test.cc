// Ways of choosing text: many at once, typical, penalised, by a beam, up to a stop.
#include <cmath>
#include <map>
#include <vector>

#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/tasks/language_model_scorer.h"
#include "tasks/language_model_fixture.h"
#include "tasks/model_directory.h"
#include "tasks/text_writer.h"
#include "tasks/unit_sampler.h"

namespace rnn {
namespace {

using test::LanguageModelTask;

TEST_F(LanguageModelTask, ASampleDoesNotDependOnHowManyThereAre) {
  const LanguageModel model = trained();
  GenerateOptions options{.prompt = "a b", .length = 40, .samples = 5, .seed = 3};
  const std::vector<std::string> five = model.generate_all(options);
  options.samples = 2;
  const std::vector<std::string> two = model.generate_all(options);
  EXPECT_EQ(two[0], five[0]);
  EXPECT_EQ(two[1], five[1]);
  EXPECT_EQ(model.generate({.prompt = "a b", .length = 40, .seed = 3}), five[0]);
  for (std::size_t i = 1; i < five.size(); ++i) EXPECT_NE(five[i], five[i - 1]);
}

TEST_F(LanguageModelTask, WritingEndsBeforeAStop) {
  const LanguageModel model = trained();
  GenerateOptions options{.length = 100};
  const std::string whole = model.generate(options);
  const std::string stop = whole.substr(30, 5);
  options.stop = {"never comes", stop};
  std::string pieces;
  const std::string text =
      model.generate(options, [&](std::string_view piece) { pieces += piece; });
  EXPECT_EQ(text, whole.substr(0, whole.find(stop)));
  EXPECT_EQ(pieces, text);
  // The prompt is not what was written.
  options.prompt = whole.substr(0, 40);
  EXPECT_EQ(model.generate(options).substr(0, 40), options.prompt);
}

TEST(TextWriter, HoldsBackWhatMayBeAStopAndNothingElse) {
  const auto tokenizer = make_tokenizer({.unit = "char"});
  std::string told;
  const std::function<void(std::string_view)> tell = [&](std::string_view t) { told += t; };
  TextWriter writer(*tokenizer, tell);
  const std::string stops[] = {"abac", "xx"};
  writer.stop_at(stops);
  const std::pair<const char*, const char*> steps[] = {
      {"a", ""},      {"b", ""},      {"a", ""},      {"b", "ab"},
      {"d", "ababd"}, {"x", "ababd"}, {"a", "ababdx"}};
  for (const auto& [unit, after] : steps) {
    writer.unit(unit);
    EXPECT_EQ(told, after);
  }
  for (const char* unit : {"b", "a"}) writer.unit(unit);
  EXPECT_FALSE(writer.stopped());
  writer.unit("c");
  EXPECT_TRUE(writer.stopped());
  EXPECT_EQ(writer.take(), "ababdx");
}

TEST(TextWriter, WritesACharacterOfSeveralBytesAtOnceInsideOfWords) {
  const auto tokenizer = make_tokenizer();
  std::vector<std::string> told;
  const std::function<void(std::string_view)> tell = [&](std::string_view t) {
    told.emplace_back(t);
  };
  TextWriter writer(*tokenizer, tell);
  for (const char* word : {"a", "\u00E9t\u00E9", "b"}) writer.unit(word);
  writer.end_of_sentence();
  writer.unit("c");
  EXPECT_EQ(told, (std::vector<std::string>{"a", " \u00E9t\u00E9", " b", "\n", "c"}));
}

/// How often each of these is chosen.
std::map<std::int32_t, int> chosen(const std::vector<float>& probabilities,
                                   const GenerateOptions& options,
                                   const std::vector<char>& seen = std::vector<char>(8)) {
  UnitSampler sampler(options, -1);
  std::map<std::int32_t, int> counts;
  const View<const float> view(probabilities.data(), {static_cast<Index>(probabilities.size())});
  for (int i = 0; i < 1000; ++i) ++counts[sampler.choose(view, seen, (i + 0.5) / 1000)];
  return counts;
}

TEST(UnitSampler, TypicalUnitsAreThoseOfTheExpectedSurprise) {
  // The entropy is 1.63 nats: 0.2 (1.61) is nearest, then 0.1 (2.30) and 0.4 (0.92).
  const std::vector<float> p{0.4f, 0.2f, 0.1f, 0.1f, 0.1f, 0.05f, 0.05f};
  double entropy = 0;
  for (const float value : p) entropy -= value * std::log(value);
  EXPECT_NEAR(entropy, 1.678, 0.01);
  EXPECT_EQ(chosen(p, {.typical = 0.15}), (std::map<std::int32_t, int>{{1, 1000}}));
  const auto more = chosen(p, {.typical = 0.45});
  EXPECT_EQ(more.count(0), 0u);  // the likeliest is too dull
  EXPECT_EQ(more.size(), 4u);
  EXPECT_EQ(chosen(p, {}).size(), 7u);
}

TEST(UnitSampler, ThePenaltyMakesWhatWasSeenRarer) {
  const std::vector<float> p{0.5f, 0.5f};
  const auto counts = chosen(p, {.repetition_penalty = 2}, {1, 0});
  // 0.25 against 0.5.
  EXPECT_NEAR(counts.at(0), 333, 2);
  EXPECT_EQ(chosen(p, {.temperature = 0, .repetition_penalty = 2}, {1, 0}).count(0), 0u);
}

TEST(UnitSampler, AtLeastOnePossibleUnitIsLeftOrTheCallerIsTold) {
  const std::vector<char> seen(3);
  const GenerateOptions ways[] = {{},
                                  {.temperature = 0},
                                  {.top_k = 1},
                                  {.top_p = .5},
                                  {.typical = .5},
                                  {.top_p = .5, .typical = .5}};
  for (const GenerateOptions& options : ways) {
    UnitSampler sampler(options, 0);
    const auto choose = [&](const std::vector<float>& p) {
      return sampler.choose({p.data(), {3}}, seen, std::nextafter(1.0, 0.0));
    };
    EXPECT_EQ(choose({0.5f, 0.5f, 0}), 1);
    EXPECT_EQ(choose({1, 1e-45f, 0}), 1);
    expect_error<ConfigError>([&] { choose({1, 0, 0}); }, "--unknown");
    for (const float wrong : {std::nanf(""), HUGE_VALF, -0.5f}) {
      expect_error<DivergenceError>([&] { choose({0.5f, wrong, 0.5f}); }, "not finite");
    }
  }
}

TEST_F(LanguageModelTask, AModelThatKnowsNothingButUnknownUnitsIsToldSo) {
  trained();
  const ModelDirectory directory(files.path("m"));
  const std::string weights = directory.file("model.safetensors");
  TensorList tensors = load_safetensors(weights).tensors;
  const auto unknown = LanguageModel::load(directory.path()).vocabulary().unknown_id();
  tensors.at("softmax/bias")[unknown] = 1e4f;
  save_safetensors(weights, tensors);
  directory.seal();
  const LanguageModel model = LanguageModel::load(directory.path());
  const GenerateOptions ways[] = {
      {}, {.temperature = 0}, {.top_p = 0.5}, {.typical = 0.5}, {.beam = 2}};
  for (const GenerateOptions& options : ways) {
    expect_error<ConfigError>([&] { model.generate(options); }, "--unknown");
  }
  EXPECT_EQ(model.generate({.length = 1, .top_p = 0.5, .unknown = true}), "<unk>");
}

TEST_F(LanguageModelTask, ABeamAsWideAsTheVocabularyFindsTheLikeliestPair) {
  const LanguageModel model = trained();
  const std::int32_t size = model.vocabulary().size(), unknown = model.vocabulary().unknown_id();
  LanguageModelScorer scorer(model);
  double best = -1e9;
  std::vector<std::int32_t> pair;
  for (std::int32_t first = 0; first < size; ++first) {
    const auto step = scorer.score(scorer.begin(), first);
    for (std::int32_t second = 0; second < size; ++second) {
      const double sum = step.log_prob + scorer.score(step.next, second).log_prob;
      if (first == unknown || second == unknown || sum <= best) continue;
      best = sum;
      pair = {first, second};
    }
  }
  std::string expected;
  for (const std::int32_t id : pair) {
    const bool end = id == model.vocabulary().end_id();
    const bool gap = !expected.empty() && expected.back() != '\n' && !end;
    expected += (gap ? " " : "") + (end ? "\n" : std::string(model.vocabulary().symbol(id)));
  }
  EXPECT_EQ(model.generate({.length = 2, .beam = 20}), expected);
  EXPECT_EQ(model.generate({.length = 30, .beam = 1}),
            model.generate({.length = 30, .temperature = 0}));
}

TEST_F(LanguageModelTask, ABeamFinishesWhatReachesAStop) {
  const LanguageModel model = trained();
  const auto written = [&](std::int64_t length, int beam, const std::string& stop) {
    return model.generate({.length = length, .stop = {stop}, .beam = beam});
  };
  // However long the rest could have become.
  for (const int beam : {1, 4, 20}) {
    const std::string text = written(10, beam, "\n");
    EXPECT_EQ(text, written(50, beam, "\n"));
    EXPECT_EQ(text, written(300, beam, "\n"));
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
  LanguageModelScorer scorer(model);
  const auto log_prob = [&](const std::string& sentence) {
    std::vector<std::int32_t> ids;
    model.tokenizer().encode(sentence, model.vocabulary(), ids);
    ids.push_back(model.vocabulary().end_id());
    TextState text = scorer.begin();
    double sum = 0;
    for (const std::int32_t id : ids) {
      const auto step = scorer.score(text, id);
      sum += step.log_prob;
      text = step.next;
    }
    return sum;
  };
  const double found = log_prob(written(50, 2500, "\n"));  // so wide that none is passed over
  std::vector<std::string> sentences{""};
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    EXPECT_LE(log_prob(sentences[i]), found + 1e-9) << sentences[i];
    if (sentences[i].size() >= 3) continue;  // two units
    for (char unit = 'a'; unit <= 'l'; ++unit) {
      sentences.push_back(sentences[i] + (sentences[i].empty() ? "" : " ") + unit);
    }
  }
}

TEST_F(LanguageModelTask, ABeamKnowsAStopOfSeveralUnits) {
  const LanguageModel model = trained();
  const std::string whole = model.generate({.length = 30, .beam = 1});
  const std::string stop = whole.substr(12, 5);
  EXPECT_EQ(model.generate({.length = 30, .stop = {stop}, .beam = 1}),
            whole.substr(0, whole.find(stop)));
  // What the prompt has is no stop.
  EXPECT_EQ(model.generate({.prompt = stop, .length = 0, .stop = {stop}, .beam = 3}), stop);
}

TEST_F(LanguageModelTask, ImpossibleWaysToGenerateAreRefused) {
  const LanguageModel model = trained();
  expect_error<ConfigError>([&] { model.generate({.typical = 0}); }, "typical");
  expect_error<ConfigError>([&] { model.generate({.repetition_penalty = 0}); },
                            "repetition-penalty");
  expect_error<ConfigError>([&] { model.generate({.stop = {""}}); }, "stop");
  expect_error<ConfigError>([&] { model.generate({.samples = 0}); }, "samples");
  expect_error<ConfigError>([&] { model.generate({.samples = 2, .beam = 2}); }, "beam");
  expect_error<ConfigError>([&] { model.generate({.temperature = 0, .beam = 2}); }, "temperature");
  expect_error<ConfigError>([&] { model.generate({.top_k = 5, .beam = 2}); }, "top-k", "beam");
}

}  // namespace
}  // namespace rnn
