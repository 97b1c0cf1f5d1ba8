// What a text classifier can start from: a language model, word vectors.
#include "rnn/tasks/language_model.h"
#include "rnn/tasks/text_classifier.h"
#include "rnn/text/sentencepiece.h"
#include "tasks/first_values.h"
#include "tasks/text_classifier_fixture.h"

namespace rnn {
namespace {

TEST_F(TextClassifierTask, StartsFromALanguageModel) {
  std::string lines;
  for (const test::Note& note : test::made_up_notes(150, 1)) lines += note.text + "\n";
  LanguageModelRecipe language{.unit = "icu-word",
                               .embedding = 8,
                               .hidden = 8,
                               .layers = 1,
                               .epochs = 1,
                               .batch = 4,
                               .bptt = 8};
  train_language_model(language, {.train = {files.write("notes.txt", lines)},
                                  .valid = files.path("notes.txt"),
                                  .directory = files.path("lm")});
  const LanguageModel start = LanguageModel::load(files.path("lm"));
  TextClassifierRecipe recipe = small("lstm");
  recipe.ngrams = 1;
  recipe.lowercase = false;
  recipe.epochs = 1;
  recipe.lr = 1e-12f;  // the first values stay
  TextClassifierRun run = to("m");
  run.init_from = files.path("lm");
  train_text_classifier(recipe, run);
  const TextClassifier model = TextClassifier::load(files.path("m"));
  EXPECT_EQ(model.vocabulary().fingerprint(), start.vocabulary().fingerprint());
  for (const auto& [theirs, ours] : {std::pair("embedding/embeddings", "words/embeddings"),
                                     std::pair("lstm/recurrent_kernel", "lstm/recurrent_kernel")}) {
    const Tensor& a = start.parameters().at(theirs);
    const Tensor& b = model.parameters().at(ours);
    ASSERT_EQ(a.shape(), b.shape());
    for (Index i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-6f);
  }
  run.overwrite = true;
  recipe.hidden = 9;
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "lstm/kernel", "--hidden");
  recipe.lowercase = true;
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "--lowercase");
}

TEST_F(TextClassifierTask, ALanguageModelToStartFromReadsTextInTheSameWay) {
  std::string lines;
  for (const test::Note& note : test::made_up_notes(150, 1)) lines += note.text + "\n";
  const std::string paths[] = {files.write("notes.txt", lines)};
  const auto language_model = [&](LanguageModelRecipe recipe, const std::string& pieces) {
    recipe.embedding = recipe.hidden = 8;
    recipe.layers = 1;
    recipe.epochs = 1;
    recipe.batch = 4;
    recipe.bptt = 8;
    train_language_model(recipe, {.train = {paths[0]},
                                  .valid = paths[0],
                                  .directory = files.path("lm"),
                                  .overwrite = true,
                                  .tokenizer_model = pieces});
  };
  TextClassifierRecipe recipe = small("lstm");
  recipe.ngrams = 1;
  recipe.lowercase = false;
  recipe.epochs = 1;
  recipe.min_count = 20;  // does not act
  std::string log;
  TextClassifierRun run = to("m");
  run.overwrite = true;
  run.init_from = files.path("lm");
  run.log = [&](const std::string& line) { log += line + "\n"; };

  language_model({.unit = "regex", .pattern = "\\w+"}, "");
  recipe.unit = "regex";
  recipe.pattern = "\\S+";
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "init-from",
                            "--pattern '\\w+'", "--pattern '\\S+'");
  recipe.pattern = "\\w+";
  train_text_classifier(recipe, run);
  EXPECT_NE(log.find("--min-count and --max-vocabulary do not act"), std::string::npos) << log;

  for (int i = 0; i < 60; ++i) {  // the notes alone have too few different pieces
    lines += "the quick fox " + std::to_string(i * 37) + " jumped over lazy dogs, the brown\n";
  }
  const std::string varied[] = {files.write("varied.txt", lines)};
  const std::string pieces =
      files.write("p", train_sentencepiece(varied, {.vocabulary_size = 310}));
  const std::string other = files.write("q", train_sentencepiece(varied, {.vocabulary_size = 305}));
  language_model({.unit = "sentencepiece"}, pieces);
  recipe.unit = "sentencepiece";
  recipe.pattern.clear();
  run.tokenizer_model = other;
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "init-from",
                            "tokenizer.model", other.c_str(), "or none");
  for (const std::string& given : {pieces, std::string()}) {
    run.tokenizer_model = given;
    train_text_classifier(recipe, run);
    EXPECT_EQ(TextFiles::read(files.path("m/tokenizer.model")), TextFiles::read(pieces));
    EXPECT_EQ(TextClassifier::load(files.path("m")).vocabulary().fingerprint(),
              LanguageModel::load(files.path("lm")).vocabulary().fingerprint());
  }
}

TEST_F(TextClassifierTask, LayersOfALanguageModelBeginToLearnOneAfterTheOther) {
  std::map<std::string, std::int64_t> expected{
      {"words/embeddings", 6}, {"lstm/kernel", 4}, {"lstm/bias", 4}, {"lstm_2/kernel", 2}};
  EXPECT_EQ(
      gradual_unfreezing({"words/embeddings", "lstm/kernel", "lstm/bias", "lstm_2/kernel"}, 2),
      expected);

  const LanguageModelRecipe language{.unit = "icu-word",
                                     .embedding = 8,
                                     .hidden = 8,
                                     .layers = 1,
                                     .epochs = 1,
                                     .batch = 4,
                                     .bptt = 8};
  std::string lines;
  for (const test::Note& note : test::made_up_notes(150, 1)) lines += note.text + "\n";
  train_language_model(language, {.train = {files.write("notes.txt", lines)},
                                  .valid = files.path("notes.txt"),
                                  .directory = files.path("lm")});
  const LanguageModel start = LanguageModel::load(files.path("lm"));
  TextClassifierRecipe recipe = small("lstm");
  recipe.ngrams = 1;
  recipe.lowercase = false;
  recipe.unfreeze_epochs = 1;
  TextClassifierRun run = to("m");
  run.overwrite = true;
  run.init_from = files.path("lm");
  const auto same = [&](const char* theirs, const char* ours) {
    const Tensor& a = start.parameters().at(theirs);
    const TextClassifier model = TextClassifier::load(files.path("m"));
    const Tensor& b = model.parameters().at(ours);
    return std::equal(a.data(), a.data() + a.size(), b.data());
  };
  for (std::int64_t epochs = 1; epochs <= 3; ++epochs) {
    recipe.epochs = epochs;
    recipe.holdout = 0;
    run.valid.clear();  // so that the model of the last epoch is kept
    train_text_classifier(recipe, run);
    EXPECT_EQ(same("lstm/kernel", "lstm/kernel"), epochs <= 1) << epochs;
    EXPECT_EQ(same("embedding/embeddings", "words/embeddings"), epochs <= 2) << epochs;
  }
  run.init_from.clear();
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "unfreeze-epochs",
                            "--init-from");
}

TEST_F(TextClassifierTask, StartsFromVectorsOfAFile) {
  TextClassifierRecipe recipe = small();
  recipe.embedding = 2;
  recipe.epochs = 1;
  recipe.lr = 1e-12f;
  TextClassifierRun run = to("m");
  run.vectors = files.write("v.txt", "2 2\nship 0.5 -1\nquagga 3 4\n");
  std::string log;
  run.log = [&](const std::string& line) { log += line + "\n"; };
  train_text_classifier(recipe, run);
  EXPECT_NE(log.find("v.txt: 2 vectors, 1 for the "), std::string::npos) << log;
  const TextClassifier model = TextClassifier::load(files.path("m"));
  const Index ship = model.vocabulary().id("ship");
  const View<const float> table = model.parameters().at("words/embeddings");
  EXPECT_EQ(table(ship, 0), 0.5f);
  EXPECT_EQ(table(ship, 1), -1);
  recipe.embedding = 3;
  run.overwrite = true;
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "v.txt", "--embedding 2");
  run.init_from = "lm";
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "exclude each other");
}

}  // namespace
}  // namespace rnn
