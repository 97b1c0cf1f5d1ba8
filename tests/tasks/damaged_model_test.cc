// Model directories of every task with every byte altered and every file cut off at every length.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <ostream>
#include <set>
#include <vector>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"
#include "rnn/tasks/tagger.h"
#include "rnn/tasks/text_classifier.h"
#include "rnn/text/sentencepiece.h"
#include "support/damage.h"
#include "text/text_files.h"

namespace rnn {
namespace {

const BackendOptions kOne{.threads = {.threads = 1}};

/// A task with a model as small as may be.
struct Case {
  const char* name;
  std::vector<std::string> files;  ///< of its directory, with those that others have too
  void (*train)(const TextFiles& files, const std::string& directory);
  /// Loads and answers: numbers that tell one model from another. Throws what these throw.
  std::vector<double> (*use)(const std::string& directory);
};

/// What is said of it when a test fails.
void PrintTo(const Case& which, std::ostream* out) { *out << which.name; }

std::vector<double> score(const std::string& directory) {
  const std::string sentences[] = {"a \u00E9 the quick fox jumped over lazy dogs"};
  return {LanguageModel::load(directory, kOne).score(sentences)[0].log_prob};
}

void train_on(const std::string& text, const std::string& pieces, const std::string& directory) {
  LanguageModelRecipe recipe;
  recipe.unit = pieces.empty() ? "word" : "sentencepiece";
  recipe.hidden = 2;
  recipe.layers = 1;
  recipe.epochs = 1;
  recipe.batch = 2;
  recipe.bptt = 4;
  train_language_model(
      recipe,
      {.train = {text}, .directory = directory, .tokenizer_model = pieces, .backend = kOne});
}

const Case kCases[] = {
    {"Words",
     {"config.json", "model.safetensors", "vocabulary.txt", "history.csv", "SHA256SUMS"},
     [](const TextFiles& files, const std::string& directory) {
       train_on(files.write("text", repeated(10, "b a\na \u00E9 b\na \u00E9 b\n")), "", directory);
     },
     score},
    {"Pieces",
     {"tokenizer.model"},
     [](const TextFiles& files, const std::string& directory) {
       std::string lines;
       for (int i = 0; i < 60; ++i) {
         lines += "the quick fox " + std::to_string(i * 37) + " jumped over lazy dogs, the brown\n";
       }
       const std::string text[] = {files.write("text", lines)};
       const std::string pieces =
           files.write("pieces", train_sentencepiece(text, {.vocabulary_size = 300}));
       train_on(text[0], pieces, directory);
     },
     score},
    {"Classifier",
     {"config.json", "model.safetensors", "vocabulary.txt", "labels.txt", "history.csv",
      "SHA256SUMS"},
     [](const TextFiles& files, const std::string& directory) {
       train_text_classifier(
           {.arch = "bag", .embedding = 2, .ngrams = 2, .buckets = 3, .epochs = 1},
           {.train = {files.write("text", repeated(20, "yes\tnorth and\nn\u00F8\tsouth and\n"))},
            .directory = directory,
            .backend = kOne});
     },
     [](const std::string& directory) {
       const TextClassifier model = TextClassifier::load(directory, kOne);
       const Classification answer = model.predict("north of south");
       return std::vector<double>(answer.probabilities.begin(), answer.probabilities.end());
     }},
    {"Tagger",
     {"config.json", "model.safetensors", "vocabulary.txt", "characters.txt", "labels.txt",
      "history.csv", "SHA256SUMS"},
     [](const TextFiles& files, const std::string& directory) {
       train_tagger({.column = 2,
                     .embedding = 2,
                     .case_embedding = 1,
                     .char_embedding = 1,
                     .char_units = 1,
                     .hidden = 1,
                     .epochs = 1},
                    {.train = {files.write(
                         "text", repeated(20, "\u00C5sa B-PER\nLund I-PER\nto O\nOslo B-LOC\n\n"))},
                     .directory = directory,
                     .backend = kOne});
     },
     [](const std::string& directory) {
       const Tagger model = Tagger::load(directory, kOne);
       const Tagger::Words words{"\u00C5sa", "to", "Rome"};
       std::vector<double> all;
       for (const auto& of_word : model.marginals(words)) {
         all.insert(all.end(), of_word.begin(), of_word.end());
       }
       return all;
     }},
};

class DamagedModel : public ::testing::TestWithParam<Case> {
 protected:
  DamagedModel() {
    GetParam().train(files, directory);
    expected = use();
  }

  std::string file(const std::string& name) const { return directory + "/" + name; }
  std::vector<double> use() const { return GetParam().use(directory); }

  TextFiles files;
  const std::string directory = files.path("m");
  std::vector<double> expected;
};

TEST_P(DamagedModel, EveryDamageIsFoundAndItsFileNamed) {
  for (const std::string& name : GetParam().files) {
    test::damage(file(name), 1, [&] {
      try {
        // A line of SHA256SUMS cut off before its line feed says the same.
        EXPECT_EQ(use(), expected);
        EXPECT_EQ(name, "SHA256SUMS");
      } catch (const Error& error) {
        // A checksum that is damaged names the file that it was of, and where checksums stand.
        const std::string what = error.what(), part = name == "SHA256SUMS" ? name : file(name);
        EXPECT_NE(what.find(part), std::string::npos) << what;
      }
    });
  }
  EXPECT_EQ(use(), expected);
}

TEST_P(DamagedModel, DamageThatWasSealedIsRefusedOrHarmless) {
  std::set<std::vector<double>> results;
  int refused = 0;
  const std::string sums = read_file(file("SHA256SUMS"));
  for (const std::string& name : GetParam().files) {
    if (name == "SHA256SUMS") continue;
    const std::size_t place = sums.find(sha256_of_file(file(name)));
    const test::Overwriting seal(file("SHA256SUMS"));
    // Each is loaded whole: of large files not all, for time.
    const std::size_t step = 1 + std::filesystem::file_size(file(name)) / 400;
    test::damage(file(name), step, [&] {
      seal.put(place, sha256_of_file(file(name)));
      try {
        results.insert(use());
      } catch (const Error& error) {
        ++refused;
        EXPECT_NE(std::string(error.what()).find(directory), std::string::npos) << error.what();
      }
    });
    seal.put(0, sums);
  }
  EXPECT_GT(results.size(), 1u);  // other weights, other words: another answer
  EXPECT_GT(refused, 100);
  EXPECT_EQ(use(), expected);
}

TEST_P(DamagedModel, AFileWithoutAnEndIsNamedAndNotWaitedFor) {
  for (const std::string& name : GetParam().files) {
    const std::string path = file(name), kept = files.path("kept");
    std::filesystem::rename(path, kept);
    for (const char* kind : {"pipe", "/dev/zero", "link round in a circle"}) {
      SCOPED_TRACE(name + " is a " + kind);
      const bool pipe = kind == std::string("pipe");
      ASSERT_EQ(pipe ? mkfifo(path.c_str(), 0600)
                     : symlink(kind[0] == '/' ? kind : name.c_str(), path.c_str()),
                0);
      expect_error<IoError>([&] { use(); }, path);
      std::filesystem::remove(path);
    }
    std::filesystem::rename(kept, path);
  }
  EXPECT_EQ(use(), expected);
}

INSTANTIATE_TEST_SUITE_P(OfEachTask, DamagedModel, ::testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace rnn
