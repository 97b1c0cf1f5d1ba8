// What a classifier begins with where naive Bayes stands beside it.
#include "tasks/naive_bayes.h"

#include <cmath>

#include "rnn/ngram_embedding.h"
#include "tasks/text_classifier_fixture.h"
#include "tasks/text_classifier_impl.h"

namespace rnn {
namespace {

/// Texts of units 1, 2, ... with one label each.
EncodedTexts encoded(const std::vector<std::pair<std::vector<std::int32_t>, std::int32_t>>& texts) {
  EncodedTexts all;
  for (const auto& [ids, label] : texts) {
    all.sequences.add(ids, label);
    all.labels.append(std::span(&label, 1));
  }
  return all;
}

TextClassifierRecipe with_evidence() {
  TextClassifierRecipe recipe;
  recipe.arch = "bag";
  recipe.embedding = 3;
  recipe.buckets = 11;
  recipe.naive_bayes = 0.25f;
  recipe.naive_bayes_ngrams = 2;
  recipe.naive_bayes_buckets = 1 << 16;
  return recipe;
}

TEST(NaiveBayes, RatiosFollowTheFormulaAndTheHeadPassesThemOn) {
  // Unit 1 in three texts, two of label 0; the pair 1 2 in two, both of label 0; 4 in one.
  const EncodedTexts texts =
      encoded({{{1, 2, 1, 2}, 0}, {{3, 1, 2}, 0}, {{1, 3}, 1}, {{3, 4}, 1}, {{3}, 1}, {{3, 3}, 2}});
  const Network network = text_classifier_network(with_evidence(), 5, 4);
  const auto backend = make_backend({});
  Parameters values = network.initial_parameters(1, *backend);
  set_log_count_ratios(values, network, texts, 2);
  const auto ratio = [](double with, double all, double labelled) {
    const double p = labelled / 6;
    return std::log((with + 2 * p) / p) - std::log((all - with + 2 * (1 - p)) / (1 - p));
  };
  const View<float> units = values.at("evidence/embedding_scales");
  const View<float> pairs = values.at("evidence/ngram_scales");
  EXPECT_NEAR(units(1, 0), ratio(2, 3, 2), 1e-5);
  EXPECT_NEAR(units(1, 1), ratio(1, 3, 3), 1e-5);
  EXPECT_NEAR(units(1, 2), ratio(0, 3, 1), 1e-5);
  EXPECT_GT(units(1, 0), 0);
  EXPECT_LT(units(1, 1), 0);
  const std::int32_t pair[] = {1, 2};
  EXPECT_NEAR(pairs(NgramEmbedding::bucket_of(NgramEmbedding::hash(pair), 1 << 16), 0),
              ratio(2, 2, 2), 1e-5);
  for (Index label = 0; label < 4; ++label) {
    EXPECT_EQ(units(4, label), 0) << "one text is too few";
    EXPECT_EQ(units(0, label), 0);
    EXPECT_EQ(units(1, 3), 0) << "no text has the label";
  }
  const View<float> keys = values.at("evidence/ngram_keys");
  EXPECT_EQ(std::count_if(keys.begin(), keys.end(), [](float key) { return key != 0; }), 1);
  EXPECT_EQ(keys(NgramEmbedding::bucket_of(NgramEmbedding::hash(pair), 1 << 16), 0),
            NgramEmbedding::key_of(NgramEmbedding::hash(pair)));
  const View<float> weights = values.at("evidence/embeddings");
  EXPECT_EQ(*std::min_element(weights.begin(), weights.end()), 0.25f);
  EXPECT_EQ(*std::max_element(weights.begin(), weights.end()), 0.25f);
  const View<float> kernel = values.at(network.head().name + "/kernel");
  ASSERT_EQ(kernel.extent(0), 3 + 4);
  for (Index row = 0; row < 4; ++row) {
    for (Index label = 0; label < 4; ++label) EXPECT_EQ(kernel(3 + row, label), row == label);
  }
}

TEST(NaiveBayes, ABucketIsThatOfItsMostFrequentNgram) {
  TextClassifierRecipe recipe = with_evidence();
  recipe.naive_bayes_buckets = 1;
  const Network network = text_classifier_network(recipe, 5, 2);
  Parameters values = network.initial_parameters(1, *make_backend({}));
  const EncodedTexts texts =
      encoded({{{1, 2}, 0}, {{3, 4}, 1}, {{2, 1, 2}, 0}, {{2, 4, 2}, 1}, {{1, 2, 1}, 1}});
  set_log_count_ratios(values, network, texts, 1);
  const std::int32_t pair[] = {1, 2};
  EXPECT_EQ(values.at("evidence/ngram_keys")[0],
            NgramEmbedding::key_of(NgramEmbedding::hash(pair)));
  EXPECT_GT(values.at("evidence/ngram_scales").view()(0, 0), 0);
}

// A unit that is met as often with each label, in proportion, tells nothing, however uneven they
// are.
TEST(NaiveBayes, UnevenLabelsDoNotMakeEvidence) {
  std::vector<std::pair<std::vector<std::int32_t>, std::int32_t>> texts;
  for (int i = 0; i < 90; ++i) texts.push_back({{i % 3 == 0 ? 1 : 2}, 0});
  for (int i = 0; i < 9; ++i) texts.push_back({{i % 3 == 0 ? 1 : 2}, 1});
  const Network network = text_classifier_network(with_evidence(), 3, 2);
  Parameters values = network.initial_parameters(1, *make_backend({}));
  set_log_count_ratios(values, network, encoded(texts), 1);
  const View<float> units = values.at("evidence/embedding_scales");
  for (Index unit = 1; unit < 3; ++unit) EXPECT_NEAR(units(unit, 1), 0, 0.01);
}

TEST(NaiveBayes, WordsOfCharactersAreEvidenceToo) {
  const std::vector<VocabularyEntry> entries{{"<unk>"}, {"</s>"}, {"a"}, {"b"}, {" "},
                                             {"'"},     {"7"},    {"é"}, {"ด"}, {"\u00a0"}};
  const Vocabulary vocabulary{entries};
  TextClassifierRecipe recipe = with_evidence();
  recipe.unit = "char";
  recipe.naive_bayes_words = 2;
  const Network network = text_classifier_network(recipe, vocabulary.size(), 2);
  Parameters values = network.initial_parameters(1, *make_backend({}));
  set_word_symbols(values, vocabulary);
  const View<float> kinds = values.at("word_evidence/word_symbols");
  const float expected[] = {1, 0, 1, 1, 0, 2, 1, 1, 1, 0};
  for (Index id = 0; id < 10; ++id) EXPECT_EQ(kinds(id, 0), expected[id]) << id;
  // "ab b" and "ab  b" with label 0, "ba b" and "bb" with label 1: the pair "ab b" in two texts.
  set_log_count_ratios(
      values, network,
      encoded({{{2, 3, 4, 3}, 0}, {{2, 3, 4, 4, 3}, 0}, {{3, 2, 4, 3}, 1}, {{3, 3}, 1}}), 2);
  const auto ratio = [](double with, double all) {
    return std::log((with + 1) / 0.5) - std::log((all - with + 1) / 0.5);
  };
  const auto found = [&](std::vector<std::int32_t> ids) {
    const std::uint64_t hash = NgramEmbedding::hash(ids);
    const Index bucket = NgramEmbedding::bucket_of(hash, 1 << 16);
    const float key = values.at("word_evidence/ngram_keys").view()(bucket, 0);
    const float scale = values.at("word_evidence/ngram_scales").view()(bucket, 0);
    return key == NgramEmbedding::key_of(hash) ? scale : 0.0f;
  };
  EXPECT_NEAR(found({2, 3}), ratio(2, 2), 1e-5);
  EXPECT_NEAR(found({3}), ratio(2, 3), 1e-5);
  EXPECT_NEAR(found({2, 3, -1, 3}), ratio(2, 2), 1e-5);
  EXPECT_EQ(found({3, 2}), 0) << "one text is too few";
}

TEST(NaiveBayes, WordsAreForCharacters) {
  TextClassifierRecipe recipe = with_evidence();
  recipe.naive_bayes_words = 2;
  expect_error<ConfigError>([&] { validate(recipe); }, "naive-bayes-words", "--unit char");
  recipe.unit = "char";
  EXPECT_NO_THROW(validate(recipe));
  recipe.naive_bayes = 0;
  expect_error<ConfigError>([&] { validate(recipe); }, "naive-bayes-words", "--naive-bayes");
}

TEST(NaiveBayes, NeedsItsLayer) {
  TextClassifierRecipe recipe = with_evidence();
  recipe.naive_bayes = 0;
  const Network network = text_classifier_network(recipe, 3, 2);
  Parameters values = network.initial_parameters(1, *make_backend({}));
  expect_error<ConfigError>(
      [&] {
        set_log_count_ratios(values, network, encoded({{{1}, 0}}), 1);
      },
      "evidence");
}

TEST(NaiveBayes, DoesNotChangeAGivenNetwork) {
  TextClassifierRecipe recipe;
  recipe.network = "{}";
  recipe.naive_bayes = 0.1f;
  expect_error<ConfigError>([&] { validate(recipe); }, "naive-bayes", "--network");
}

class NaiveBayesTask : public TextClassifierTask {};

TEST_F(NaiveBayesTask, WordsOfCharactersTellTextsBeforeAnythingIsLearned) {
  std::vector<LabelledText> texts;
  for (const test::Note& note : test::was_and_saw()) texts.push_back({{note.label}, note.text});
  TextClassifierRecipe recipe = small("bag");
  recipe.unit = "char";
  recipe.ngrams = 1;
  recipe.holdout = 0;
  recipe.naive_bayes = 0.1f;
  recipe.naive_bayes_ngrams = 1;
  recipe.naive_bayes_buckets = 1009;
  recipe.epochs = 1;
  recipe.lr = 1e-9f;
  const auto right = [&](Index words) {
    recipe.naive_bayes_words = words;
    const TextClassifier model = TextClassifier::fit(texts, recipe);
    return std::count_if(texts.begin(), texts.end(), [&](const LabelledText& text) {
      const Classification answer = model.predict(text.text);
      return model.labels()[static_cast<std::size_t>(answer.label)] == text.labels[0];
    });
  };
  EXPECT_EQ(right(1), 36);
  EXPECT_EQ(right(0), 18);
}

TEST_F(NaiveBayesTask, TellsTextsBeforeAnythingIsLearned) {
  TextClassifierRecipe recipe = small("bag");
  recipe.naive_bayes = 0.1f;
  recipe.naive_bayes_buckets = 1009;
  recipe.epochs = 1;
  recipe.lr = 1e-9f;
  trained(recipe);
  const TextClassifier model = TextClassifier::load(files.path("m"));
  const ClassificationReport report = model.evaluate(std::span(&valid, 1));
  EXPECT_GT(report.accuracy(), 0.6);
}

}  // namespace
}  // namespace rnn
