// A model directory with every byte altered and every file cut off at every length.
#include <functional>
#include <map>
#include <set>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"
#include "text/text_files.h"

namespace rnn {
namespace {

class DamagedModel : public ::testing::Test {
 protected:
  DamagedModel() {
    std::string text;
    for (int i = 0; i < 30; ++i) text += i % 3 == 0 ? "b a\n" : "a \u00E9 b\n";
    train_language_model(
        {.hidden = 2, .layers = 1, .epochs = 1, .batch = 2, .bptt = 4},
        {.train = {files.write("text", text)}, .directory = files.path("m"), .backend = kOne});
    for (const char* name :
         {"config.json", "model.safetensors", "vocabulary.txt", "history.csv", "SHA256SUMS"}) {
      contents[name] = TextFiles::read(file(name));
    }
    expected = use();
  }

  std::string file(const std::string& name) const { return files.path("m/" + name); }

  /// Loads and scores: the log-probability. Throws what these throw.
  double use() const {
    const std::string sentences[] = {"a \u00E9 c"};
    return LanguageModel::load(files.path("m"), kOne).score(sentences)[0].log_prob;
  }

  /// Calls `tried` with a file in its place that is altered, or cut off, at every `step`-th byte;
  /// puts the file back.
  void damage(const std::string& name, std::size_t step, const std::function<void()>& tried) {
    const std::string whole = contents[name];
    for (std::size_t i = 0; i < whole.size(); i += step) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << i % 8));
      files.write("m/" + name, bytes);
      SCOPED_TRACE(name + ", byte " + std::to_string(i) + " altered");
      tried();
      files.write("m/" + name, whole.substr(0, i));
      SCOPED_TRACE(name + ", cut off at " + std::to_string(i));
      tried();
    }
    files.write("m/" + name, whole);
  }

  static constexpr BackendOptions kOne{.threads = {.threads = 1}};
  TextFiles files;
  std::map<std::string, std::string> contents;
  double expected = 0;
};

TEST_F(DamagedModel, EveryDamageIsFoundAndItsFileNamed) {
  for (const auto& [name, bytes] : contents) {
    damage(name, 1, [&, name = name] {
      try {
        // A line of SHA256SUMS cut off before its line feed says the same.
        EXPECT_EQ(use(), expected);
        EXPECT_EQ(name, "SHA256SUMS");
      } catch (const Error& error) {
        const std::string what = error.what();
        EXPECT_NE(what.find(name), std::string::npos) << what;
      }
    });
  }
}

TEST_F(DamagedModel, DamageThatWasSealedIsRefusedOrHarmless) {
  std::set<double> results;
  int refused = 0;
  for (const char* name : {"config.json", "model.safetensors", "vocabulary.txt"}) {
    const std::string sums = contents["SHA256SUMS"], before = sha256_of_file(file(name));
    damage(name, 3, [&] {  // each is loaded whole: a third of them, for time
      std::string sealed = sums;
      sealed.replace(sealed.find(before), before.size(), sha256_of_file(file(name)));
      files.write("m/SHA256SUMS", sealed);
      try {
        results.insert(use());
      } catch (const Error&) {
        ++refused;
      }
    });
    files.write("m/SHA256SUMS", sums);
  }
  EXPECT_GT(results.size(), 10u);  // other weights are other weights
  EXPECT_GT(refused, 500);
  EXPECT_EQ(use(), expected);
}

}  // namespace
}  // namespace rnn
