// Tagger as a program embeds it.
#include "rnn/tasks/tagger.h"

#include <cmath>
#include <sstream>

#include "rnn/error.h"
#include "rnn/model.h"
#include "rnn/model_file.h"
#include "rnn/tasks/quantize.h"
#include "rnn/text/entity_tags.h"
#include "support/file_size_limit.h"
#include "tasks/model_directory.h"
#include "text/random_text.h"
#include "text/text_files.h"

namespace rnn {
namespace {

using Words = Tagger::Words;

/// Sentences of made-up entities: a name is a title-case word, its type depends on the word before.
std::string sentences(int count, unsigned seed) {
  static const char* const kNames[] = {"Mira", "Tolv", "Ansa", "Bero", "Kast"};
  static const char* const kWords[] = {"saw", "a", "boat", "7", "and", "."};
  Draws draws(seed);
  std::string text;
  for (int i = 0; i < count; ++i) {
    const unsigned parts = 1 + draws.below(4);
    for (unsigned p = 0; p < parts; ++p) {
      text += std::string(kWords[draws.below(6)]) + " O\n";
      if (draws.below(2) == 0) continue;
      const bool place = draws.below(2) == 0;
      text += std::string(place ? "to" : "with") + " O\n";
      const unsigned length = 1 + draws.below(3);
      for (unsigned w = 0; w < length; ++w) {
        text += std::string(kNames[draws.below(5)]) + (place ? " I-LOC\n" : " I-PER\n");
      }
    }
    text += "\n";
  }
  return text;
}

class TaggerTask : public ::testing::Test {
 protected:
  TaggerTask() {
    train = files.write("train.txt", sentences(150, 1));
    valid = files.write("valid.txt", sentences(40, 2));
  }

  static TaggerRecipe small() {
    return {.column = 2,
            .word_dropout = 0.1f,
            .embedding = 10,
            .char_embedding = 4,
            .char_units = 4,
            .hidden = 8,
            .dropout = 0.1f,
            .epochs = 4,
            .batch = 8,
            .lr = 0.03f};
  }
  TaggerRun to(const std::string& name) const {
    return {.train = {train}, .valid = valid, .directory = files.path(name)};
  }
  Tagger trained(const TaggerRecipe& recipe = small()) const {
    train_tagger(recipe, to("m"));
    return Tagger::load(files.path("m"));
  }
  void expect_no_dependence(const TaggerRecipe& recipe) const;
  std::vector<Words> validation_words() const {
    TagReader reader(valid, {.column = 2});
    TaggedSentence sentence;
    std::vector<Words> words;
    while (reader.next(sentence)) words.push_back(sentence.words);
    return words;
  }

  TextFiles files;
  std::string train, valid;
};

TEST_F(TaggerTask, LearnsAndEvaluationIsTheValidationOfTheTraining) {
  for (const char* head : {"crf", "softmax"}) {
    TaggerRecipe recipe = small();
    recipe.head = head;
    TaggerRun run = to(head);
    const History history = train_tagger(recipe, run);
    const Tagger tagger = Tagger::load(files.path(head));
    const std::string paths[] = {valid};
    const TaggerEvaluation result = tagger.evaluate(paths);
    EXPECT_TRUE(result.entities);
    EXPECT_EQ(result.quality(), *history.best()->metric);
    EXPECT_EQ(result.loss.nats, history.best()->validation->nats);
    EXPECT_EQ(result.loss.targets, history.best()->validation->targets);
    EXPECT_EQ(result.loss.targets, result.scores.tokens());
    EXPECT_EQ(result.unknown, 0);
    EXPECT_GT(result.quality(), head == std::string("crf") ? 0.95 : 0.6) << head;
  }
}

TEST_F(TaggerTask, TheMemoryOfATrainingIsToldBeforeIt) {
  TaggerRun run = to("told");
  std::string log;
  run.log = [&](const std::string& text) {
    if (log.find("epoch") == std::string::npos) log += text + "\n";
  };
  TaggerRecipe recipe = small();
  recipe.epochs = 1;
  train_tagger(recipe, run);
  EXPECT_NE(log.find("\ntraining takes "), std::string::npos) << log;
}

TEST_F(TaggerTask, StoppedAfterEveryStepItBecomesTheSameModel) {
  TaggerRecipe recipe = small();
  recipe.epochs = 2;
  recipe.batch = 30;
  recipe.averaging = {.kind = Averaging::Kind::kEma, .momentum = 0.5f};
  const History whole = train_tagger(recipe, to("whole"));
  TaggerRun run = to("parts");
  run.resume = true;
  OnStep stop([](Model& model, const StepRecord&) { model.stop("after every step"); });
  run.callbacks = {&stop};
  for (std::int64_t i = 0; i <= whole.epochs.back().steps; ++i) {
    run.backend.threads.threads = 1 + static_cast<int>(i % 3);
    train_tagger(recipe, run);
  }
  for (const char* file : {"/model.safetensors", "/config.json", "/vocabulary.txt", "/labels.txt",
                           "/characters.txt"}) {
    EXPECT_EQ(TextFiles::read(files.path("whole") + file),
              TextFiles::read(files.path("parts") + file))
        << file;
  }
}

TEST_F(TaggerTask, RefusesLabelsThatAreNotUtf8) {
  TaggerRecipe recipe = small();
  recipe.epochs = 1;
  train_tagger(recipe, to("m"));
  std::string labels = TextFiles::read(files.path("m/labels.txt"));
  labels[labels.find('\n') + 1] = '\xff';
  files.write("m/labels.txt", labels);
  ModelDirectory(files.path("m")).seal();
  expect_error<FormatError>([&] { Tagger::load(files.path("m")); }, "labels.txt:2", "UTF-8");
}

TEST_F(TaggerTask, TagsDoNotDependOnTheSentencesAround) {
  for (const char* characters : {"cnn", "bilstm", "none"}) {
    TaggerRecipe recipe = small();
    recipe.epochs = 1;
    recipe.characters = characters;
    recipe.char_widths = "1 2 4";
    recipe.case_embedding = 3;
    expect_no_dependence(recipe);
  }
}

// All that is known of a new word is how it is spelled.
TEST_F(TaggerTask, SpellingTellsUnknownWordsApart) {
  for (const char* characters : {"cnn", "bilstm", "none"}) {
    TaggerRecipe recipe = small();
    recipe.characters = characters;
    recipe.epochs = 1;
    TaggerRun run = to(characters);
    train_tagger(recipe, run);
    const Tagger tagger = Tagger::load(files.path(characters));
    const auto one = tagger.marginals({"with", "Mirast"}),
               other = tagger.marginals({"with", "bot"});
    EXPECT_EQ(one == other, characters == std::string("none")) << characters;
  }
}

void TaggerTask::expect_no_dependence(const TaggerRecipe& recipe) const {
  TaggerRun run = to("mates");
  run.overwrite = true;
  train_tagger(recipe, run);
  const Tagger tagger = Tagger::load(files.path("mates"));
  std::vector<Words> words = validation_words();
  words.insert(words.begin() + 3, {{}, {"Zebra"}, {"to", "Zebra", "Mira"}});
  const std::vector<Words> together = tagger.tag(words);
  ASSERT_EQ(together.size(), words.size());
  EXPECT_TRUE(together[3].empty());
  for (std::size_t i = 0; i < words.size(); ++i) {
    EXPECT_EQ(tagger.tag(std::span(&words[i], 1)).front(), together[i]) << i;
    if (words[i].empty()) continue;
    EXPECT_EQ(tagger.n_best(words[i], 1).front().tags, together[i]) << i;
  }
  std::vector<Words> backwards(words.rbegin(), words.rend());
  const std::vector<Words> other = tagger.tag(backwards);
  EXPECT_TRUE(std::equal(together.begin(), together.end(), other.rbegin(), other.rend()));
}

TEST_F(TaggerTask, TagsManySentencesWithoutADisk) {
  const Tagger tagger = trained();
  // More words than a DiskVector keeps in memory.
  const std::vector<Words> sentences(300, Words(1000, "Mira"));
  const test::FileSizeLimit limit(0);
  const std::vector<Words> tags = tagger.tag(sentences);
  EXPECT_EQ(tags.front(), tags.back());
}

TEST_F(TaggerTask, StartsFromVectorsOfAFile) {
  TaggerRecipe recipe = small();
  recipe.embedding = 3;
  recipe.epochs = 1;
  recipe.lr = 1e-12f;
  std::string log;
  TaggerRun run = to("vectors");
  run.log = [&](const std::string& line) { log += line + "\n"; };
  run.vectors = files.write("v.txt", "boat 0.5 -1 2\nzebra 1 1 1\nMira 3 4 5\n");
  train_tagger(recipe, run);
  EXPECT_NE(log.find("v.txt: 3 vectors, 2 for the "), std::string::npos) << log;
  const Tagger tagger = Tagger::load(files.path("vectors"));
  const View<const float> table = tagger.parameters().at("word_embedding/embeddings");
  const auto row = [&](const char* word) {
    const Index id = tagger.vocabulary().id(word);
    return std::vector<float>{table(id, 0), table(id, 1), table(id, 2)};
  };
  EXPECT_EQ(row("boat"), (std::vector<float>{0.5f, -1, 2}));
  EXPECT_EQ(row("Mira"), (std::vector<float>{3, 4, 5}));
  EXPECT_NE(row("Tolv"), (std::vector<float>{1, 1, 1}));

  run.directory = files.path("wide");
  recipe.embedding = 4;
  expect_error<ConfigError>([&] { train_tagger(recipe, run); }, "v.txt", "3 numbers",
                            "--embedding 3");
  run.vectors = files.write("v.txt", "boat 0.5 -1 2\nMira 3 x 5\n");
  recipe.embedding = 3;
  expect_error<TextError>([&] { train_tagger(recipe, run); }, "v.txt:2");
  EXPECT_FALSE(std::filesystem::exists(files.path("wide")));
}

TEST_F(TaggerTask, AQuantizedOneComputesInInt8) {
  trained();
  quantize_model(files.path("m"), files.path("q"));
  const Words sentence{"to", "Mira", "saw", "Tolv"};
  const auto marginals = [&](const char* directory, const BackendOptions& backend) {
    return Tagger::load(files.path(directory), backend).marginals(sentence);
  };
  const auto quantized = marginals("q", {});
  EXPECT_EQ(quantized, marginals("m", {.precision = Precision::kInt8}));
  EXPECT_NE(quantized, marginals("m", {}));
}

TEST_F(TaggerTask, ANetworkOfOnesOwn) {
  TaggerRecipe recipe = small();
  recipe.epochs = 1;
  recipe.case_embedding = 2;
  train_tagger(recipe, to("m"));
  const Tagger first = Tagger::load(files.path("m"));
  TaggerRecipe given{.column = 2,
                     .word_dropout = recipe.word_dropout,
                     .network = network_to_json(first.network()),
                     .epochs = 1,
                     .batch = recipe.batch,
                     .lr = recipe.lr};
  train_tagger(given, to("n"));
  EXPECT_EQ(TextFiles::read(files.path("m") + "/model.safetensors"),
            TextFiles::read(files.path("n") + "/model.safetensors"));

  // Every occurrence of a piece of the JSON replaced by another.
  const auto refused = [&](const std::string& from, const std::string& by, const char* part) {
    TaggerRecipe other = given;
    for (std::size_t at = 0; (at = other.network.find(from, at)) != std::string::npos;) {
      other.network.replace(at, from.size(), by);
      at += by.size();
    }
    ASSERT_NE(other.network, given.network) << from;
    expect_error<ConfigError>([&] { train_tagger(other, to("x")); }, "network: ", part);
  };
  refused("\"words\"", "\"letters\"", "'words' as its first input, got 'letters'");
  refused("\"shapes\"", "\"forms\"", "no input 'forms'");
  refused("start>", "0>", "\"forbidden\": \"");
  TaggerRun run = to("x");
  run.train.push_back(files.write("more.txt", "unheard O\nof O\n"));
  expect_error<ConfigError>([&] { train_tagger(given, run); }, "network: input 'words' is symbols");
  EXPECT_FALSE(std::filesystem::exists(files.path("x")));
}

TEST_F(TaggerTask, EntitiesAreAlwaysWellFormed) {
  for (const char* head : {"crf", "softmax"}) {
    TaggerRecipe recipe = small();
    recipe.head = head;
    recipe.epochs = 1;  // a poor model, which makes more mistakes
    recipe.lr = 1e-4f;
    TaggerRun run = to("poor");
    run.overwrite = true;
    train_tagger(recipe, run);
    const Tagger tagger = Tagger::load(files.path("poor"));
    for (const Words& words : validation_words()) {
      for (const TagSequence& sequence : tagger.n_best(words, 3)) {
        EXPECT_NO_THROW(entities_of(sequence.tags, TagScheme::kIob1));
      }
    }
    EXPECT_EQ(tagger.n_best({"a"}, 1000).size(), 3u);  // O, S-LOC and S-PER
  }
}

// Each by itself, without a table of all pairs.
TEST_F(TaggerTask, PlainTagsOfASoftmaxAreTheLikeliestSequence) {
  TaggerRecipe recipe = small();
  recipe.head = "softmax";
  recipe.scheme = "none";
  recipe.epochs = 1;
  const Tagger tagger = trained(recipe);
  const std::vector<Words> sentences = validation_words();
  const auto tags = tagger.tag(sentences);
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    EXPECT_EQ(tagger.n_best(sentences[i], 1).front().tags, tags[i]) << i;
  }
}

TEST_F(TaggerTask, MarginalsAddUpAndAgreeWithAllSequences) {
  const Tagger tagger = trained();
  const Words words{"saw", "Mira", "Zebra"};
  const auto marginals = tagger.marginals(words);
  const auto all = tagger.n_best(words, 100000);
  ASSERT_EQ(marginals.size(), 3u);
  double total = 0;
  std::vector<double> outside(3);
  for (const TagSequence& sequence : all) {
    total += std::exp(sequence.log_prob);
    for (std::size_t t = 0; t < 3; ++t) {
      if (sequence.tags[t] == "O") outside[t] += std::exp(sequence.log_prob);
    }
  }
  EXPECT_NEAR(total, 1, 1e-6);
  const auto o = std::find(tagger.labels().begin(), tagger.labels().end(), "O");
  for (std::size_t t = 0; t < 3; ++t) {
    double sum = 0;
    for (const float p : marginals[t]) sum += double{p};
    EXPECT_NEAR(sum, 1, 1e-6);
    EXPECT_NEAR(marginals[t][static_cast<std::size_t>(o - tagger.labels().begin())], outside[t],
                1e-6);
  }
  EXPECT_TRUE(tagger.marginals({}).empty());
  EXPECT_TRUE(tagger.n_best({}, 2).front().tags.empty());
  expect_error<ConfigError>([&] { tagger.n_best(words, 0); }, "nbest");
}

TEST_F(TaggerTask, ASentenceOfTwoThousandWordsIsTaggedLikeAnyOther) {
  const Tagger tagger = trained();
  Words words;
  while (words.size() < 2000) {
    for (const Words& sentence : validation_words()) {
      words.insert(words.end(), sentence.begin(), sentence.end());
    }
  }
  words.resize(2000);
  const std::vector<Words> both{words, {"with", "Mira"}};
  const TagSequence best = tagger.n_best(words, 1).front();
  EXPECT_EQ(tagger.tag(both).front(), best.tags);
  EXPECT_TRUE(std::isfinite(best.log_prob));
  EXPECT_LT(best.log_prob, 0);
  for (const std::vector<float>& row : tagger.marginals(words)) {
    double sum = 0;
    for (const float p : row) sum += double{p};
    ASSERT_NEAR(sum, 1, 1e-5);
  }
}

TEST_F(TaggerTask, SpansOfATextHaveTheirPlacesInTheSource) {
  const Tagger tagger = trained();
  const std::string text = "  \u00E9\u00E9 saw a boat with Mira  Tolv. And to Bero.\n";
  const TaggedText tagged = tagger.tag(text);
  Words pieces;
  for (const TaggedWord& word : tagged.words) {
    pieces.push_back(text.substr(word.begin, word.end - word.begin));
  }
  EXPECT_EQ(pieces, (Words{"\u00E9\u00E9", "saw", "a", "boat", "with", "Mira", "Tolv", ".", "And",
                           "to", "Bero", "."}));
  EXPECT_EQ(tagged.sentence_ends, (std::vector<std::size_t>{8, 12}));
  ASSERT_EQ(tagged.spans.size(), 2u);
  EXPECT_EQ(text.substr(tagged.spans[0].begin, tagged.spans[0].end - tagged.spans[0].begin),
            "Mira  Tolv");
  EXPECT_EQ(tagged.spans[0].type, "PER");
  EXPECT_EQ(tagged.spans[0].first_word, 5u);
  EXPECT_EQ(tagged.spans[0].end_word, 7u);
  EXPECT_EQ(text.substr(tagged.spans[1].begin, tagged.spans[1].end - tagged.spans[1].begin),
            "Bero");
  EXPECT_EQ(tagged.spans[1].type, "LOC");
  EXPECT_TRUE(tagger.tag("").words.empty());
  EXPECT_TRUE(tagger.tag(" \n ").words.empty());
  expect_error<TextError>([&] { tagger.tag("a\xFF"); }, "UTF-8 at byte 2");
}

TEST_F(TaggerTask, TagsThatTrainingHasNotSeenCountAsWrong) {
  std::string log;
  TaggerRun run = to("unseen");
  run.valid = files.write("v.txt", "a O\n\nto O\nMira I-LOC\nx I-NEW\n\nsaw O\n");
  run.log = [&](const std::string& line) { log += line; };
  const History history = train_tagger(small(), run);
  EXPECT_NE(log.find("3 words of the validation part"), std::string::npos) << log;
  EXPECT_EQ(history.best()->validation->targets, 2);
  const std::string paths[] = {run.valid};
  const TaggerEvaluation result = Tagger::load(files.path("unseen")).evaluate(paths);
  EXPECT_EQ(result.scores.tokens(), 5);
  EXPECT_EQ(result.scores.types().at("NEW").gold, 1);
  EXPECT_EQ(result.scores.types().at("NEW").correct, 0);
  EXPECT_LT(result.scores.accuracy(), 1);
}

TEST_F(TaggerTask, WithoutAValidationPartTheLastTenthIsHeldOut) {
  std::string log;
  TaggerRun run = to("tenth");
  run.valid.clear();
  run.log = [&](const std::string& line) { log += line; };
  train_tagger(small(), run);
  EXPECT_NE(log.find("train: 135 sentences"), std::string::npos) << log;
  EXPECT_NE(log.find("valid: 15 sentences"), std::string::npos) << log;
  run = to("few");
  run.valid.clear();
  run.train = {files.write("few.txt", "a O\n\nb O\n")};
  expect_error<TextError>([&] { train_tagger(small(), run); }, "few.txt", "2 sentences", "--valid");
}

TEST_F(TaggerTask, WrongRunsAreRefusedBeforeAnythingIsWritten) {
  const auto refused = [&](const TaggerRecipe& recipe, const char* option) {
    expect_error<ConfigError>([&] { train_tagger(recipe, to("r")); }, option);
  };
  TaggerRecipe recipe = small();
  const auto changed = [&](auto member, auto value) {
    TaggerRecipe other = recipe;
    other.*member = value;
    return other;
  };
  refused(changed(&TaggerRecipe::column, 0), "--field");
  refused(changed(&TaggerRecipe::field, "upos"), "--field");
  refused(changed(&TaggerRecipe::scheme, "iob"), "scheme");
  refused(changed(&TaggerRecipe::training_scheme, "iob1"), "training-scheme");
  refused(changed(&TaggerRecipe::cell, "rnn"), "cell");
  refused(changed(&TaggerRecipe::head, "hmm"), "head");
  refused(changed(&TaggerRecipe::word_dropout, 1.0f), "word-dropout");
  refused(changed(&TaggerRecipe::singleton_dropout, NAN), "singleton-dropout");
  refused(changed(&TaggerRecipe::dropout, -0.1f), "dropout");
  refused(changed(&TaggerRecipe::min_count, 0), "min-count");
  refused(changed(&TaggerRecipe::embedding, 0), "embedding");
  refused(changed(&TaggerRecipe::characters, "lstm"), "characters");
  for (const char* widths : {"", "0", "3,4", "x", "1 99"}) {
    refused(changed(&TaggerRecipe::char_widths, widths), "char-widths");
  }
  refused(changed(&TaggerRecipe::batch, 0), "batch");
  TaggerRun run = to("r");
  run.train = {files.write("bad.txt", "a O\nb I-PER\n")};
  recipe.scheme = "bio";
  expect_error<TextError>([&] { train_tagger(recipe, run); }, "bad.txt:1:", "I-PER",
                          "--scheme iob1");
  run.train = {files.write("empty.txt", "\n\n")};
  expect_error<TextError>([&] { train_tagger(recipe, run); }, "empty.txt", "no sentence");
  EXPECT_FALSE(std::filesystem::exists(files.path("r")));
}

}  // namespace
}  // namespace rnn
