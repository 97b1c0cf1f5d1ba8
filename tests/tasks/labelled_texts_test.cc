// The labelled texts that a classifier learns from: read, held out, weighed and kept.
#include "tasks/labelled_texts.h"

#include <cmath>

#include "support/environment_variable.h"
#include "tasks/numbers_folder.h"
#include "tasks/text_classifier_fixture.h"

namespace rnn {
namespace {

using LabelledTexts = TextClassifierTask;

TEST_F(LabelledTexts, ClassWeightsAreBalancedOrGiven) {
  const std::vector<std::string> labels{"a", "b b", "c=d"};
  EncodedTexts texts;
  for (const std::int32_t label : {0, 0, 0, 1, 2, 2}) {
    texts.sequences.add({}, label);
    texts.labels.append(std::vector{label});
  }
  EXPECT_TRUE(class_weights_of("", labels, texts).empty());
  EXPECT_EQ(class_weights_of("balanced", labels, texts), (std::vector<float>{2.0f / 3, 2, 1}));
  EXPECT_EQ(class_weights_of("c=d=0.5 a=3", labels, texts), (std::vector<float>{3, 1, 0.5f}));
  EXPECT_EQ(class_weights_of("b\\sb=4 c=d=2", labels, texts), (std::vector<float>{1, 4, 2}));
  EXPECT_EQ(class_weights_of("a\\sb=4", std::vector<std::string>{"a b", "a\\sb"}, texts),
            (std::vector<float>{1, 4}));
  expect_error<ConfigError>([&] { class_weights_of("b b=2", labels, texts); }, "class-weights",
                            "\\s");
  expect_error<ConfigError>([&] { class_weights_of("x=2", labels, texts); }, "a, b\\sb, c=d");
  for (const char* bad : {"a", "a=", "a=x", "a=-1", "a=1,", "a=nan", "even", "a=1 x=2"}) {
    expect_error<ConfigError>([&] { class_weights_of(bad, labels, texts); }, "class-weights");
  }
  // A label that counts for nothing is not learned.
  TextClassifierRecipe recipe = small();
  recipe.class_weights = "none=0";
  recipe.epochs = 8;
  recipe.holdout = 0;
  TextClassifierRun run = to("m");
  run.valid
      .clear();  // so that the last epoch is kept, not one chosen by a loss that weighs nothing
  train_text_classifier(recipe, run);
  const std::string paths[] = {valid};
  const ClassificationReport report = TextClassifier::load(files.path("m")).evaluate(paths);
  EXPECT_EQ(report.labels[1].predicted, 0);  // no, none, yes
  EXPECT_GT(report.labels[0].correct + report.labels[2].correct, 15);
}

TEST_F(LabelledTexts, TextsAreKeptBesideTheModelUnlessTMPDIRNamesAPlace) {
  const std::string model = files.path("made/later");
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    const test::EnvironmentVariable variable("TMPDIR", none);
    EXPECT_EQ(numbers_folder(model), files.directory().string());
  }
  // Also a mistyped one, so that whoever writes there tells of it.
  const test::EnvironmentVariable variable("TMPDIR", "/no such directory");
  EXPECT_EQ(numbers_folder(model), "");
}

TEST_F(LabelledTexts, HoldsOutTheLastTextsOfEachLabel) {
  SourceTexts texts;
  const auto add = [&](const char* label, int count) {
    for (int i = 0; i < count; ++i) {
      const std::int64_t line = texts.size();
      texts.add({.labels = {label}, .text = "text " + std::to_string(line), .line = line},
                line < 10 ? "one.tsv" : "two.tsv");
    }
  };
  add("a", 20);
  add("b", 4);
  add("c", 1);
  const std::vector<bool> marked = hold_out(texts, 0.1f);
  std::vector<std::int64_t> held, kept;
  SelectedTexts(texts, marked, false).each([&](std::int64_t i) { held.push_back(texts.line(i)); });
  SelectedTexts(texts, marked, true).each([&](std::int64_t i) { kept.push_back(texts.line(i)); });
  EXPECT_EQ(held, (std::vector<std::int64_t>{18, 19, 23}));
  EXPECT_EQ(kept.size(), 22u);
  EXPECT_EQ(texts.text(19), "text 19");
  EXPECT_EQ(texts.file(9), "one.tsv");
  EXPECT_EQ(texts.file(10), "two.tsv");
  EXPECT_EQ(labels_of(SelectedTexts(texts, marked, false), false),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(labels_of(SelectedTexts(texts), false), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(LabelledTexts, OfEachLabelThatIsHeldOutATextIsKept) {
  // "rare" stands second in the last text alone, "pair" second in two texts that would both go.
  std::vector<std::vector<std::string>> all(20, {"a"});
  for (int i = 0; i < 20; ++i) all.push_back({"b"});
  all[19] = {"a", "rare", "rare"};
  all[18] = {"a", "pair"};
  all[39] = {"b", "pair"};
  all.push_back({});
  all.push_back({});
  SourceTexts texts;
  for (const auto& labels : all) texts.add({.labels = labels, .text = "x"}, "f");
  const std::vector<bool> marked = hold_out(texts, 0.1f);
  std::vector<std::int64_t> held;
  SelectedTexts(texts, marked, false).each([&](std::int64_t i) { held.push_back(i); });
  EXPECT_EQ(held, (std::vector<std::int64_t>{18, 38, 41}));
  EXPECT_EQ(labels_of(SelectedTexts(texts, marked, true), true),
            (std::vector<std::string>{"a", "b", "pair", "rare"}));

  // So a training that holds out by itself takes what it would have refused.
  std::string lines;
  for (std::size_t i = 0; i < all.size(); ++i) {
    lines += R"({"label":)" + std::string("[");
    for (std::size_t k = 0; k < all[i].size(); ++k) {
      lines += (k > 0 ? ",\"" : "\"") + all[i][k] + "\"";
    }
    lines += "],\"text\":\"some words\"}\n";
  }
  TextClassifierRun run = to("m");
  run.train = {files.write("several.jsonl", lines)};
  run.valid.clear();
  TextClassifierRecipe recipe = small("bag");
  recipe.format = "jsonl";
  recipe.multi_label = true;
  recipe.epochs = 1;
  train_text_classifier(recipe, run);
  EXPECT_EQ(TextClassifier::load(files.path("m")).labels().size(), 4u);
}

TEST_F(LabelledTexts, EmptyTextsAreLearnedFromAndCounted) {
  std::string lines, log;
  for (const test::Note& note : test::made_up_notes(60, 1)) {
    lines += note.label + "\t" + note.text + "\n";
    if (note.label == "none") lines += "none\t\nnone\t  \n";
  }
  TextClassifierRun run = to("m");
  run.train = {files.write("some_empty.tsv", lines)};
  run.log = [&](const std::string& line) { log += line + "\n"; };
  TextClassifierRecipe recipe = small();
  recipe.epochs = 6;
  train_text_classifier(recipe, run);
  EXPECT_NE(log.find("train: 100 texts"), std::string::npos) << log;
  EXPECT_NE(log.find("40 texts have no unit"), std::string::npos) << log;
  const TextClassifier model = TextClassifier::load(files.path("m"));
  for (const char* empty : {"", " ", "\t \n"}) {
    const Classification answer = model.predict(empty);
    EXPECT_EQ(model.labels()[static_cast<std::size_t>(answer.label)], "none");
  }
}

TEST_F(LabelledTexts, RefusesTextsThatCannotBeLearnedFrom) {
  const auto refuses = [&](const std::string& text, const std::string& held, auto... parts) {
    TextClassifierRun run = to("none");
    run.train = {files.write("t", text)};
    run.valid = held.empty() ? "" : files.write("v", held);
    expect_error<TextError>([&] { train_text_classifier(small(), run); }, parts...);
    EXPECT_FALSE(std::filesystem::exists(files.path("none")));
  };
  refuses("a\tx y\nb\tz\n", "a\tx\nc\tz\n", "v:2", "'c'", "a, b");
  refuses("a\tx y\na\tz\n", "a\tx\n", "two labels", "only 'a'");
  refuses("a\tx y\nz\n", "a\tx\n", "t:2");
  refuses("\n \n", "", "no labelled text");
}

}  // namespace
}  // namespace rnn
