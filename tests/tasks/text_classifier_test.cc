// TextClassifier as a program embeds it.
#include "rnn/tasks/text_classifier.h"

#include <cmath>
#include <thread>

#include "rnn/tasks/language_model.h"
#include "rnn/text/sentencepiece.h"
#include "support/file_size_limit.h"
#include "tasks/first_values.h"
#include "tasks/text_classifier_fixture.h"

namespace rnn {
namespace {

TEST_F(TextClassifierTask, EvaluationIsTheValidationOfTheTraining) {
  for (const char* arch :
       {"bag", "lstm", "gru", "bilstm", "bigru", "cnn", "clstm", "char-cnn-lstm"}) {
    SCOPED_TRACE(arch);
    TextClassifierRun run = to("m");
    run.overwrite = true;
    TextClassifierRecipe recipe = small(arch);
    if (recipe.arch == "char-cnn-lstm") recipe.unit = "char";
    recipe.skip = recipe.arch == "cnn" || recipe.arch == "gru";
    if (recipe.arch == "bigru") recipe.pooling = {Pooling::kLast};
    if (recipe.arch == "lstm") recipe.pooling = {Pooling::kMax, Pooling::kMean, Pooling::kLast};
    const History history = train_text_classifier(recipe, run);
    const TextClassifier model = TextClassifier::load(files.path("m"));
    const std::string paths[] = {valid};
    const ClassificationReport report = model.evaluate(paths);
    EXPECT_EQ(report.loss.nats, history.best()->validation->nats);
    EXPECT_EQ(report.examples, 45);
    EXPECT_EQ(report.loss.targets, 45);
    // What eval says is what predict does, text by text.
    std::int64_t right = 0;
    for (const test::Note& note : test::made_up_notes(45, 2)) {
      const Classification answer = model.predict(note.text);
      right += model.labels()[static_cast<std::size_t>(answer.label)] == note.label;
    }
    EXPECT_EQ(report.right, right);
  }
}

TEST_F(TextClassifierTask, TheLastOfBothDirectionsHasReadTheWholeText) {
  for (const char* arch : {"bilstm", "bigru"}) {
    for (const int layers : {1, 2}) {
      SCOPED_TRACE(std::string(arch) + " " + std::to_string(layers));
      TextClassifierRecipe recipe = small(arch);
      recipe.pooling = {Pooling::kLast};
      recipe.layers = layers;
      Model model(text_classifier_network(recipe, 10, 3));
      model.compile({});
      // Two texts that differ in their first word alone, for each direction without the other.
      Batch batch;
      batch.time = 5;
      batch.batch = 2;
      batch.ids = {3, 4, 5, 5, 6, 6, 7, 7, 8, 8};
      for (const char* without : {"/forward_", "/backward_"}) {
        TensorList values = model.parameters();
        for (NamedTensor& value : values) {
          if (value.name.find(without) == std::string::npos) continue;
          value.tensor.fill(0);
        }
        Model half(model.network());
        half.compile({});
        half.set_parameters(values);
        const View<const float> probabilities = half.predict(batch);
        EXPECT_GT(std::abs(probabilities(0, 0, 0) - probabilities(0, 1, 0)), 1e-6f) << without;
      }
    }
  }
}

TEST_F(TextClassifierTask, TheMemoryOfATrainingIsToldBeforeIt) {
  TextClassifierRun run = to("told");
  std::string log;
  run.log = [&](const std::string& text) {
    if (log.find("epoch") == std::string::npos) log += text + "\n";
  };
  TextClassifierRecipe recipe = small();
  recipe.epochs = 1;
  train_text_classifier(recipe, run);
  EXPECT_NE(log.find("\ntraining takes "), std::string::npos) << log;
}

TEST_F(TextClassifierTask, LearnsWhatOnlyTheOrderOfWordsTells) {
  TextClassifierRecipe recipe = small();
  recipe.ngrams = 1;
  recipe.epochs = 12;
  recipe.dropout = recipe.dropout_embedding = 0;
  const std::string paths[] = {valid};
  EXPECT_GE(trained(recipe).evaluate(paths).accuracy(), 0.95);
  recipe.arch = "bag";
  TextClassifierRun run = to("bag");
  train_text_classifier(recipe, run);
  EXPECT_LE(TextClassifier::load(files.path("bag")).evaluate(paths).accuracy(), 0.85);
}

TEST_F(TextClassifierTask, StoppedAfterEveryStepItBecomesTheSameModel) {
  TextClassifierRecipe recipe = small("clstm");
  recipe.naive_bayes = 0.1f;
  recipe.naive_bayes_buckets = 503;
  recipe.epochs = 2;
  recipe.batch = 24;
  const History whole = train_text_classifier(recipe, to("whole"));
  TextClassifierRun run = to("parts");
  run.resume = true;
  OnStep stop([](Model& model, const StepRecord&) { model.stop("after every step"); });
  run.callbacks = {&stop};
  for (std::int64_t i = 0; i <= whole.epochs.back().steps; ++i) {
    run.backend.threads.threads = 1 + static_cast<int>(i % 3);
    train_text_classifier(recipe, run);
  }
  for (const char* file :
       {"/model.safetensors", "/config.json", "/vocabulary.txt", "/labels.txt"}) {
    EXPECT_EQ(TextFiles::read(files.path("whole") + file),
              TextFiles::read(files.path("parts") + file))
        << file;
  }
}

TEST_F(TextClassifierTask, AnAnswerDependsOnItsTextAlone) {
  const TextClassifier model = trained(small());
  const std::vector<std::string> all = texts();
  const std::vector<Classification> together = model.predict(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    const Classification alone = model.predict(all[i]);
    EXPECT_EQ(alone.probabilities, together[i].probabilities);
    EXPECT_EQ(alone.label, together[i].label);
    float sum = 0;
    for (float p : alone.probabilities) sum += p;
    EXPECT_NEAR(sum, 1, 1e-5f);
  }
  EXPECT_TRUE(model.predict(std::span<const std::string>()).empty());
}

TEST_F(TextClassifierTask, ServesManyThreadsAtOnce) {
  const TextClassifier model = trained(small());
  const std::vector<std::string> all = texts();
  const std::vector<Classification> expected = model.predict(all);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < all.size(); ++i) {
        wrong += model.predict(all[i]).probabilities != expected[i].probabilities;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(TextClassifierTask, FitsTextsInMemory) {
  std::vector<LabelledText> texts;
  for (const test::Note& note : test::made_up_notes(150, 1)) {
    texts.push_back({.labels = {note.label}, .text = note.text});
  }
  TextClassifierRecipe recipe = small();
  recipe.holdout = 0;
  const TextClassifier fitted = TextClassifier::fit(texts, recipe);
  TextClassifierRun run = to("files");
  run.valid.clear();
  train_text_classifier(recipe, run);
  const TextClassifier loaded = TextClassifier::load(files.path("files"));
  const Classification a = fitted.predict("north ship south"),
                       b = loaded.predict("north ship south");
  EXPECT_EQ(a.probabilities, b.probabilities);
  EXPECT_EQ(fitted.labels(), (std::vector<std::string>{"no", "none", "yes"}));

  // What is saved is loaded, by a move over another; and never written over anything.
  fitted.save(files.path("saved"));
  TextClassifier saved = TextClassifier::load(files.path("files"));
  saved = TextClassifier::load(files.path("saved"));
  EXPECT_EQ(saved.predict("north ship south").probabilities, a.probabilities);
  EXPECT_EQ(saved.labels(), fitted.labels());
  expect_error<ConfigError>([&] { fitted.save(files.path("saved")); }, "saved", "empty directory");

  const auto refuses = [&](auto change, const char* part) {
    TextClassifierRecipe asked = recipe;
    change(asked);
    expect_error<ConfigError>([&] { TextClassifier::fit(texts, asked); }, part,
                              "train_text_classifier");
  };
  refuses([](auto& r) { r.choose = "accuracy"; }, "choose");
  refuses([](auto& r) { r.early_stopping = 0; }, "early-stopping");
  refuses([](auto& r) { r.unfreeze_epochs = 1; }, "unfreeze-epochs");
}

TEST_F(TextClassifierTask, TextsInMemoryNeedNoDiskHoweverManyTheyAre) {
  std::string text;
  for (int word = 0; word < 1500; ++word) text += word % 3 ? "ship " : "north ";
  // More units than a DiskVector keeps in memory.
  const std::vector<std::string> many(200, text);
  std::vector<LabelledText> labelled;
  for (std::size_t i = 0; i < many.size(); ++i) {
    labelled.push_back({.labels = {i % 2 ? "odd" : "even"}, .text = many[i]});
  }
  TextClassifierRecipe recipe = small("bag");
  recipe.epochs = 1;
  recipe.holdout = 0;
  recipe.max_units = 2000;
  const test::FileSizeLimit limit(0);
  const TextClassifier model = TextClassifier::fit(labelled, recipe);
  const std::vector<Classification> answers = model.predict(many);
  EXPECT_EQ(answers.back().probabilities, model.predict(text).probabilities);
}

TEST_F(TextClassifierTask, GivesAnyNumberOfLabels) {
  std::string lines;
  for (const test::Note& note : test::made_up_notes(120, 3)) {
    const bool night = note.text.find("Night") != std::string::npos;
    const bool ship = note.text.find("ship") != std::string::npos;
    lines += std::string(R"({"label":[)") + (night ? "\"night\"" : "") +
             (night && ship ? "," : "") + (ship ? "\"ship\"" : "") + R"(],"text":")" + note.text +
             "\"}\n";
  }
  train = files.write("train.jsonl", lines);
  TextClassifierRecipe recipe = small("bag");
  recipe.format = "jsonl";
  recipe.multi_label = true;
  recipe.epochs = 25;
  recipe.dropout = recipe.dropout_embedding = 0;
  TextClassifierRun run = to("m");
  run.valid = train;
  const History history = train_text_classifier(recipe, run);
  const TextClassifier model = TextClassifier::load(files.path("m"));
  EXPECT_EQ(model.labels(), (std::vector<std::string>{"night", "ship"}));
  const std::string paths[] = {train};
  const ClassificationReport report = model.evaluate(paths);
  EXPECT_EQ(report.loss.nats, history.best()->validation->nats);
  EXPECT_GE(report.accuracy(), 0.95);
  EXPECT_EQ(model.chosen(model.predict("the ship by Night")), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(model.chosen(model.predict("by day and by day")), (std::vector<std::int32_t>{}));
}

TEST_F(TextClassifierTask, ReadsTheFirstAndTheLastOfALongText) {
  TextClassifierRecipe recipe = small("gru");
  recipe.max_units = 6;
  recipe.ngrams = 1;
  const TextClassifier model = trained(recipe);
  std::string middle;
  for (int i = 0; i < 300000; ++i) middle += "ship ";
  const auto a = model.predict("north the old " + middle + "by day south");
  const auto b = model.predict("north the old by day south");
  EXPECT_EQ(a.probabilities, b.probabilities);
}

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

// What is found wrong once the texts are read costs nothing of the model that was to be replaced.
TEST_F(TextClassifierTask, AWrongWeightLeavesTheTrainingThatIsThere) {
  TextClassifierRecipe recipe = small();
  trained(recipe);
  TextClassifierRun run = to("m");
  run.overwrite = true;
  TextClassifierRecipe wrong = recipe;
  wrong.class_weights = "perhaps=2";
  expect_error<ConfigError>([&] { train_text_classifier(wrong, run); }, "class-weights", "perhaps");
  run.overwrite = false;
  run.resume = true;
  recipe.epochs += 1;
  EXPECT_EQ(train_text_classifier(recipe, run).epochs.size(),
            static_cast<std::size_t>(recipe.epochs));
}

TEST_F(TextClassifierTask, WithoutATextToSpareThereIsNothingToChooseBy) {
  TextClassifierRecipe recipe = small();
  recipe.choose = "accuracy";
  TextClassifierRun run = to("m");
  run.train = {files.write("two.tsv", "yes\tnorth\nno\tsouth\n")};
  run.valid.clear();
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "no label has a text");
}

TEST_F(TextClassifierTask, TheBestEpochIsChosenByTheMeasureAsked) {
  for (const char* choose : {"loss", "accuracy", "macro-f1"}) {
    TextClassifierRecipe recipe = small();
    recipe.choose = choose;
    recipe.epochs = 6;
    recipe.averaging = {.kind = Averaging::Kind::kEma, .momentum = 0.9f};
    TextClassifierRun run = to("m");
    run.overwrite = true;
    const History history = train_text_classifier(recipe, run);
    const std::string paths[] = {valid};
    const ClassificationReport report = TextClassifier::load(files.path("m")).evaluate(paths);
    EXPECT_EQ(report.loss.nats, history.best()->validation->nats);
    EXPECT_EQ(history.best()->metric.has_value(), recipe.choose != "loss");
    if (recipe.choose != "loss") {
      EXPECT_EQ(recipe.choose == "accuracy" ? report.accuracy() : report.macro_f1(),
                *history.best()->metric);
    }
  }
  TextClassifierRecipe recipe = small();
  recipe.choose = "accuracy";
  recipe.holdout = 0;
  TextClassifierRun run = to("x");
  run.valid.clear();
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "choose", "--holdout");
  recipe.choose = "loss";
  recipe.early_stopping = 1;
  expect_error<ConfigError>([&] { train_text_classifier(recipe, run); }, "early-stopping",
                            "--holdout");
}

TEST_F(TextClassifierTask, RefusesImpossibleRecipes) {
  const auto refuses = [&](auto change, auto... parts) {
    TextClassifierRecipe recipe = small();
    change(recipe);
    expect_error<ConfigError>([&] { validate(recipe); }, parts...);
  };
  refuses([](auto& r) { r.arch = "transformer"; }, "arch", "bilstm", "transformer");
  refuses([](auto& r) { r.dropout = 1; }, "dropout");
  refuses([](auto& r) { r.holdout = 1; }, "holdout");
  refuses([](auto& r) { r.text_columns = "2,x"; }, "text-columns", "2,x");
  refuses([](auto& r) { r.max_units = 1; }, "max-units");
  refuses([](auto& r) { r.multi_label = true, r.label_smoothing = 0.1f; }, "label-smoothing");
  refuses([](auto& r) { r.arch = "cnn", r.kernel_sizes = "3,0"; }, "kernel-sizes", "3,0");
  refuses([](auto& r) { r.arch = "char-cnn-lstm"; }, "--unit char");
  refuses([](auto& r) { r.pooling = {Pooling::kMax, Pooling::kLast}; }, "pooling", "bilstm");
  refuses([](auto& r) { r.pooling = {}; }, "pooling");
  refuses([](auto& r) { r.network = "{}"; }, "embedding", "--network");
  refuses([](auto& r) { r.lr = 0; }, "lr");
  refuses([](auto& r) { r.choose = "f2"; }, "choose", "macro-f1", "f2");
  refuses([](auto& r) { r.unfreeze_epochs = -1; }, "unfreeze-epochs");
  refuses([](auto& r) { r.accumulate = 0; }, "accumulate");
  refuses([](auto& r) { r.multi_label = true, r.class_weights = "balanced"; }, "class-weights");
}

TEST_F(TextClassifierTask, RefusesADirectoryThatIsNotWhole) {
  trained(small());
  const auto refuses = [&](const char* file, const std::string& content, auto... parts) {
    const std::string before = TextFiles::read(files.path("m") + "/" + file);
    files.write(std::string("m/") + file, content);
    expect_error<FormatError>([&] { TextClassifier::load(files.path("m")); }, file, parts...);
    files.write(std::string("m/") + file, before);
  };
  refuses("labels.txt", "no\nnone\n");
  refuses("config.json", "{}");
  TextClassifier::load(files.path("m"));
}

}  // namespace
}  // namespace rnn
