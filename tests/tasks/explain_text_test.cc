// What TextClassifier::explain promises.
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "rnn/embedding.h"
#include "rnn/graph.h"
#include "rnn/merging.h"
#include "rnn/model_file.h"
#include "rnn/pooling.h"
#include "rnn/softmax.h"
#include "rnn/tasks/text_classifier.h"
#include "support/notes.h"
#include "text/text_files.h"

namespace rnn {
namespace {

TextClassifier trained(const std::string& arch, Pooling pooling = Pooling::kMax, Index ngrams = 2,
                       float naive_bayes = 0) {
  std::vector<LabelledText> texts;
  for (const test::Note& note : test::made_up_notes(150, 1)) {
    texts.push_back({.labels = {note.label}, .text = note.text});
  }
  TextClassifierRecipe recipe;
  recipe.arch = arch;
  recipe.pooling = {pooling};
  recipe.ngrams = ngrams;
  recipe.embedding = recipe.hidden = recipe.filters = 12;
  recipe.buckets = 101;
  recipe.epochs = 5;
  recipe.batch = 8;
  recipe.lr = 0.02f;
  recipe.naive_bayes = naive_bayes;
  recipe.naive_bayes_buckets = 503;
  return TextClassifier::fit(texts, recipe);
}

const char* const kTexts[] = {"the ship sailed north and then, by night, south.", "Old ship",
                              "south  of the north,\u00a0zebra north of the south", ""};

TEST(ExplainText, IntegratedGradientsAddUpToTheChangeOfTheLogit) {
  for (const char* arch : {"bag", "lstm", "gru", "bilstm", "bigru", "cnn", "clstm"}) {
    for (Pooling pooling : {Pooling::kMax, Pooling::kMean, Pooling::kAttention, Pooling::kLast}) {
      const bool both_ways = std::string_view(arch).starts_with("bi");
      if (pooling == Pooling::kLast && !both_ways) continue;
      SCOPED_TRACE(std::string(arch) + " pooling " + std::to_string(static_cast<int>(pooling)));
      const TextClassifier model = trained(arch, pooling);
      for (const char* text : kTexts) {
        for (std::int32_t label = 0; label < 3; ++label) {
          const Explanation why = model.explain(text, {.label = label});
          double sum = 0;
          for (const UnitContribution& unit : why.units) sum += unit.contribution;
          const double change = why.logit - why.baseline;
          EXPECT_NEAR(sum, change, 0.01 * std::abs(change) + 1e-4) << text;
          EXPECT_NEAR(why.remainder, change - sum, 1e-6);
        }
      }
    }
  }
}

TEST(ExplainText, ContributionsAddUpOverHundredsOfUnitsToo) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += i % 7 == 3 ? "zebra " : i % 3 ? "ship " : "north ";
  for (const char* arch : {"bag", "cnn"}) {  // of recurrent networks, see Explanation::remainder
    const Explanation why = trained(arch).explain(text);
    EXPECT_EQ(why.units.size(), 300u);
    EXPECT_NEAR(why.remainder, 0, 0.01 * std::abs(why.logit - why.baseline) + 1e-4) << arch;
  }
}

TEST(ExplainText, LogitsAreThoseOfThePrediction) {
  for (const float naive_bayes : {0.0f, 0.1f}) {
    const TextClassifier model = trained("bilstm", Pooling::kMax, 2, naive_bayes);
    for (const char* text : kTexts) {
      const Classification answer = model.predict(text);
      const Explanation first = model.explain(text, {.label = 0});
      EXPECT_EQ(model.explain(text).label, answer.label);
      for (std::int32_t label = 1; label < 3; ++label) {
        const double difference = model.explain(text, {.label = label}).logit - first.logit;
        EXPECT_NEAR(difference,
                    std::log(double{answer.probabilities[static_cast<std::size_t>(label)]} /
                             double{answer.probabilities[0]}),
                    1e-3);
      }
    }
  }
}

// What looks the text up in two ways, one of which reads each n-gram once, is explained as a whole.
TEST(ExplainText, OfTwoLookUpsTheContributionsAddUp) {
  const TextClassifier model = trained("gru", Pooling::kMax, 2, 0.1f);
  for (const char* text : kTexts) {
    const Explanation why = model.explain(text);
    const double change = why.logit - why.baseline;
    EXPECT_NEAR(why.remainder, 0, 0.01 * std::abs(change) + 1e-4) << text;
  }
  // Of equal words the first counts, and without it the next: nothing is lost of what they say
  // alone.
  const TextClassifier bag = trained("bag", Pooling::kMax, 1, 0.1f);
  const Explanation once = bag.explain("north", {.method = ExplainMethod::kOcclusion});
  const Explanation twice =
      bag.explain("north north", {.method = ExplainMethod::kOcclusion, .label = once.label});
  EXPECT_LT(std::abs(twice.units[0].contribution), 0.7 * std::abs(once.units[0].contribution));
  EXPECT_NEAR(twice.units[0].contribution, twice.units[1].contribution, 1e-5);
  const Explanation shares = bag.explain("north north", {.label = once.label});
  EXPECT_GT(std::abs(shares.units[0].contribution), std::abs(shares.units[1].contribution));
}

// "was" and "saw" tell the labels, and their letters by themselves do not.
TEST(ExplainText, WordsOfCharactersAreExplainedByTheirCharacters) {
  std::vector<LabelledText> texts;
  for (const test::Note& note : test::was_and_saw()) texts.push_back({{note.label}, note.text});
  TextClassifierRecipe recipe;
  recipe.arch = "bag";
  recipe.unit = "char";
  recipe.ngrams = 1;
  recipe.embedding = 4;
  recipe.holdout = 0;
  recipe.naive_bayes = 1;
  recipe.naive_bayes_ngrams = 1;
  recipe.naive_bayes_words = 1;
  recipe.naive_bayes_buckets = 2003;
  recipe.epochs = 1;
  recipe.lr = 1e-6f;
  const TextClassifier model = TextClassifier::fit(texts, recipe);
  const Explanation why = model.explain("he was here");
  const Explanation left_out = model.explain("he was here", {.method = ExplainMethod::kOcclusion});
  EXPECT_EQ(model.labels()[static_cast<std::size_t>(why.label)], "past");
  const double change = why.logit - why.baseline;
  EXPECT_GT(change, 0.5);
  EXPECT_NEAR(why.remainder, 0, 0.01 * change + 1e-4);
  ASSERT_EQ(why.units.size(), 11u);
  for (std::size_t i = 0; i < 11; ++i) {
    const bool of_was = i >= 3 && i < 6;
    EXPECT_NEAR(why.units[i].contribution, of_was ? change / 3 : 0, 0.1) << i;
    EXPECT_NEAR(left_out.units[i].contribution, of_was ? change : 0, 0.2) << i;
  }
  const Classification answer = model.predict("he was here");
  EXPECT_NEAR(model.explain("he was here", {.label = 1}).logit -
                  model.explain("he was here", {.label = 0}).logit,
              std::log(double{answer.probabilities[1]} / double{answer.probabilities[0]}), 1e-3);
}

TEST(ExplainText, OfALinearModelBothMethodsSayTheSame) {
  // A bag without n-grams is linear in the vectors, up to the mean's divisor, which zeros in place
  // of a unit do not change.
  const TextClassifier model = trained("bag", Pooling::kMax, 1);
  const Explanation gradients = model.explain(kTexts[0]);
  const Explanation occlusion = model.explain(kTexts[0], {.method = ExplainMethod::kOcclusion});
  ASSERT_EQ(gradients.units.size(), occlusion.units.size());
  for (std::size_t i = 0; i < gradients.units.size(); ++i) {
    EXPECT_NEAR(gradients.units[i].contribution, occlusion.units[i].contribution, 2e-4);
  }
}

TEST(ExplainText, TheWordsThatDecideStandOut) {
  const TextClassifier model = trained("bilstm");
  const std::string text = "the ship sailed north and the old ship sailed south by day.";
  for (ExplainMethod method : {ExplainMethod::kIntegratedGradients, ExplainMethod::kOcclusion}) {
    const Explanation why = model.explain(text, {.method = method});
    EXPECT_EQ(model.labels()[static_cast<std::size_t>(why.label)], "yes");
    std::vector<std::pair<double, std::string>> order;
    for (const UnitContribution& unit : why.units) {
      order.emplace_back(std::abs(unit.contribution),
                         text.substr(unit.begin, unit.end - unit.begin));
    }
    std::sort(order.rbegin(), order.rend());
    const std::vector<std::string> strongest{order[0].second, order[1].second, order[2].second};
    EXPECT_NE(std::find(strongest.begin(), strongest.end(), "north"), strongest.end());
  }
}

TEST(ExplainText, CanBeGivenUp) {
  const TextClassifier model = trained("bag");
  for (const auto method : {ExplainMethod::kIntegratedGradients, ExplainMethod::kOcclusion}) {
    int calls = 0;
    const auto give_up = [&] {
      if (++calls == 3) throw std::runtime_error("enough");
    };
    EXPECT_THROW(model.explain(kTexts[0], {.method = method, .between = give_up}),
                 std::runtime_error);
    EXPECT_EQ(calls, 3);
  }
}

TEST(ExplainText, PlacesCoverTheUnitsOfTheSource) {
  const TextClassifier model = trained("bag");
  const std::string text = kTexts[2];
  const Explanation why = model.explain(text);
  std::size_t place = 0;
  std::string joined;
  for (const UnitContribution& unit : why.units) {
    EXPECT_GE(unit.begin, place);
    place = unit.end;
    joined += text.substr(unit.begin, unit.end - unit.begin) + "|";
  }
  EXPECT_EQ(joined, "south|of|the|north|,|zebra|north|of|the|south|");
  EXPECT_TRUE(why.units[5].unknown);
  EXPECT_FALSE(why.cut);
}

TEST(ExplainText, ExplainsAGivenNetworkThatLooksUnitsUpTwice) {
  std::vector<LabelledText> texts;
  for (const test::Note& note : test::made_up_notes(60, 1)) {
    texts.push_back({.labels = {note.label}, .text = note.text});
  }
  TextClassifierRecipe recipe;
  recipe.arch = "bag";
  recipe.epochs = 1;
  const Index vocabulary = TextClassifier::fit(texts, recipe).vocabulary().size();
  Graph graph;
  const auto text = graph.input("text", Signal::symbols(vocabulary));
  std::vector<Graph::Value> means;
  for (const char* name : {"path_0", "path_1"}) {  // names of explain's own
    const auto words =
        graph.add(Embedding({.input_dim = vocabulary, .output_dim = name[5] == '0' ? 4 : 2}), text,
                  {.name = name});
    means.push_back(graph.add(PoolOverTime({.pooling = Pooling::kMean}), words));
  }
  graph.output(Softmax({.units = 3}), graph.add(Concatenate(), means));
  recipe.arch = TextClassifierRecipe().arch;
  recipe.network = network_to_json(graph.build());
  const TextClassifier model = TextClassifier::fit(texts, recipe);
  const Explanation why = model.explain("north of the ship");
  EXPECT_EQ(why.label, model.predict("north of the ship").label);
  EXPECT_NEAR(why.remainder, 0, 0.01 * std::abs(why.logit - why.baseline) + 1e-4);
}

TEST(ExplainText, RefusesALabelThatIsNotThere) {
  const TextClassifier model = trained("bag");
  expect_error<ConfigError>([&] { model.explain("x", {.label = 3}); }, "0 to 2", "3");
  expect_error<ConfigError>([&] { explain_method("magic"); }, "occlusion", "magic");
}

}  // namespace
}  // namespace rnn
