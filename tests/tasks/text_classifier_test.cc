// TextClassifier as a program embeds it.
#include "rnn/tasks/text_classifier.h"

#include <cmath>
#include <thread>

#include "support/file_size_limit.h"
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

TEST_F(TextClassifierTask, AnswersDoNotDependOnThreads) {
  train_text_classifier(small(), to("m"));
  const std::vector<std::string> all = texts();
  const std::string paths[] = {valid};
  const auto load = [&](int threads) {
    return TextClassifier::load(files.path("m"), {.threads = {.threads = threads}});
  };
  const TextClassifier one = load(1);
  const std::vector<Classification> expected = one.predict(all);
  const ClassificationReport report = one.evaluate(paths);
  for (const int threads : {2, 3, 7}) {
    SCOPED_TRACE(threads);
    const TextClassifier model = load(threads);
    // Two callers: one of them has the threads, the other does all its batches itself.
    std::vector<Classification> beside;
    std::thread other([&] { beside = model.predict(all); });
    const std::vector<Classification> answers = model.predict(all);
    other.join();
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(answers[i].probabilities, expected[i].probabilities);
      EXPECT_EQ(beside[i].probabilities, expected[i].probabilities);
    }
    EXPECT_EQ(model.evaluate(paths).loss.nats, report.loss.nats);
    EXPECT_EQ(model.evaluate(paths).right, report.right);
  }
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
