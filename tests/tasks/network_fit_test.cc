// Model directories whose config.json describes a network that is none for the task, with weights
// that fit it.
#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/tasks/language_model.h"
#include "rnn/tasks/tagger.h"
#include "rnn/tasks/text_classifier.h"
#include "tasks/model_directory.h"
#include "text/text_files.h"

namespace rnn {
namespace {

const BackendOptions kOne{.threads = {.threads = 1}};

class NetworkFit : public ::testing::Test {
 protected:
  /// Gives the model another network.
  void describe(const std::string& network) const {
    const ModelDirectory model(directory);
    Json config = parse_json(read_file(model.file("config.json")), "config.json");
    config["network"] = parse_json(network, "network");
    write_file(model.file("config.json"), config.dump());
    save_safetensors(model.file("model.safetensors"),
                     network_from_json(network).initial_parameters(1, *make_backend(kOne)));
    model.seal();
  }
  template <class Task>
  void expect_refused(const std::string& network, const std::string& part) const {
    SCOPED_TRACE(network);
    describe(network);
    expect_error<FormatError>([&] { Task::load(directory, kOne); }, directory + "/config.json",
                              part);
  }

  TextFiles files;
  const std::string directory = files.path("m");
};

/// A chain over the symbols.
std::string chain(const std::string& symbols, const std::string& layers, const std::string& head) {
  return R"({"layers": [{"type": "Embedding", "output_dim": 2, "input_dim": )" + symbols + "}" +
         layers + "]" + (head.empty() ? "" : R"(, "head": )" + head) + "}";
}

/// Two inputs of so many symbols, the second with sequences of its own, which the first output
/// reads.
std::string of_other_sequences(const std::string& first, const std::string& other,
                               const std::string& pool, const std::string& head) {
  const auto embedding = [](const std::string& name, const std::string& from,
                            const std::string& symbols) {
    return R"({"type": "Embedding", "output_dim": 2, "name": ")" + name + R"(", "from": [")" +
           from + R"("], "input_dim": )" + symbols + "}";
  };
  return R"({"inputs": [{"name": "input", "symbols": )" + first +
         R"(}, {"name": "others", "aligned": false, "symbols": )" + other + R"(}], "layers": [)" +
         embedding("a", "input", first) + ", " + embedding("b", "others", other) + pool +
         R"(], "outputs": [)" + head + R"(, {"name": "rest", "from": "a"}]})";
}

TEST_F(NetworkFit, OfALanguageModel) {
  LanguageModelRecipe recipe;
  recipe.hidden = 2;
  recipe.layers = 1;
  recipe.epochs = 1;
  recipe.batch = 2;
  recipe.bptt = 4;
  train_language_model(recipe, {.train = {files.write("text", repeated(30, "a b\nb a\n"))},
                                .directory = directory,
                                .backend = kOne});
  const std::string size = std::to_string(LanguageModel::load(directory, kOne).vocabulary().size());
  const auto head = [&](const std::string& type) {
    return R"({"type": ")" + type + R"(", "units": )" + size + "}";
  };
  const auto refused = [&](const std::string& layers, const std::string& end, const char* part) {
    expect_refused<LanguageModel>(chain(size, layers, end), part);
  };
  const std::string conv = R"(, {"type": "Conv1D", "filters": 2, "kernel_size": 2, "padding": )";
  refused(R"(, {"type": "PoolOverTime"})", head("Softmax"), "'poolovertime'");
  refused(conv + R"("valid"})", head("Softmax"), "'conv1d'");
  refused(conv + R"("causal", "strides": 2})", head("Softmax"), "'conv1d'");
  refused("", head("CRF"), "CRF");
  refused("", head("Sigmoid"), "Sigmoid");
  refused(R"(, {"type": "Dense", "units": )" + size + "}", "", "head");
  expect_refused<LanguageModel>(
      of_other_sequences(size, size, "",
                         R"({"type": "Softmax", "from": "b", "units": )" + size + "}"),
      "'others'");
  describe(chain(size, conv + R"("causal"})", head("Softmax")));
  EXPECT_FALSE(LanguageModel::load(directory, kOne).generate({.length = 3}).empty());
}

TEST_F(NetworkFit, OfAClassifier) {
  train_text_classifier(
      {.arch = "bag", .embedding = 2, .ngrams = 1, .buckets = 3, .epochs = 1},
      {.train = {files.write("text", repeated(20, "yes\tnorth and\nno\tsouth and\n"))},
       .directory = directory,
       .backend = kOne});
  const std::string size =
      std::to_string(TextClassifier::load(directory, kOne).vocabulary().size());
  const std::string softmax = R"({"type": "Softmax", "units": 2)";
  const auto refused = [&](const std::string& layers, const std::string& end, const char* part) {
    expect_refused<TextClassifier>(chain(size, layers, end), part);
  };
  const std::string pool = R"(, {"type": "PoolOverTime"})";
  refused("", softmax + "}", "PoolOverTime");
  refused(R"(, {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 2}})", softmax + "}",
          "PoolOverTime");
  refused(R"(, {"type": "Conv1D", "filters": 2, "kernel_size": 3, "strides": 1000})", softmax + "}",
          "PoolOverTime");
  refused(pool, R"({"type": "Sigmoid", "units": 2})", "Softmax");
  refused(pool, "", "no head");
  expect_refused<TextClassifier>(
      of_other_sequences(size, size, R"(, {"type": "PoolOverTime", "name": "p", "from": ["b"]})",
                         softmax + R"(, "from": "p"})"),
      "one input");
  for (const std::string& layers :
       {pool, std::string(R"(, {"type": "LSTM", "units": 2, "return_sequences": false})"),
        std::string(R"(, {"type": "Bidirectional",
                          "layer": {"type": "GRU", "units": 2, "return_sequences": false}})")}) {
    describe(chain(size, layers, softmax + "}"));
    EXPECT_EQ(TextClassifier::load(directory, kOne).predict("north").probabilities.size(), 2u);
  }
}

class TaggerFit : public NetworkFit {
 protected:
  explicit TaggerFit(const std::string& head = "crf") {
    train_tagger({.column = 2,
                  .embedding = 2,
                  .char_embedding = 1,
                  .char_units = 1,
                  .hidden = 1,
                  .head = head,
                  .epochs = 1},
                 {.train = {files.write("text", repeated(20, "the DET\nold ADJ\nship NOUN\n\n"))},
                  .directory = directory,
                  .backend = kOne});
  }
};

TEST_F(TaggerFit, OfATagger) {
  const Tagger model = Tagger::load(directory, kOne);
  const std::string words = std::to_string(model.vocabulary().size());
  const std::string softmax =
      R"({"type": "Softmax", "units": )" + std::to_string(model.labels().size());
  std::string letters;
  for (const Network::Input& input : model.network().inputs()) {
    if (input.name == "characters") letters = std::to_string(input.signal.size);
  }
  const auto over = [&](const std::string& layers, const std::string& from) {
    return R"({"inputs": [{"name": "words", "symbols": )" + words + R"(}], "layers": [
              {"type": "Embedding", "name": "a", "output_dim": 2, "input_dim": )" +
           words + "}" + layers + R"(], "outputs": [)" + softmax + R"(, "from": ")" + from +
           R"("}]})";
  };
  describe(over("", "a"));
  const Tagger::Words sentence{"the", "ship"};
  EXPECT_EQ(Tagger::load(directory, kOne).tag(std::span(&sentence, 1))[0].size(), 2u);
  expect_refused<Tagger>(over(R"(, {"type": "PoolOverTime", "name": "p"})", "p"),
                         "one vector a step");
  expect_refused<Tagger>(
      over(
          R"(, {"type": "Conv1D", "name": "c", "filters": 2, "kernel_size": 2, "padding": "valid"})",
          "c"),
      "one vector a step");
  expect_refused<Tagger>(R"({"inputs": [{"name": "words", "symbols": )" + words + R"(},
      {"name": "characters", "aligned": false, "symbols": )" +
                             letters + R"(},
      {"name": "spelling", "rows": true}], "layers": [
      {"type": "Embedding", "name": "a", "from": ["words"], "output_dim": 2, "input_dim": )" +
                             words + R"(},
      {"type": "Embedding", "name": "b", "from": ["characters"], "output_dim": 2, "input_dim": )" +
                             letters + R"(},
      {"type": "PoolOverTime", "name": "p", "from": ["b"]},
      {"type": "Gather", "name": "g", "from": ["p", "spelling"]}], "outputs": [)" +
                             softmax + R"(, "from": "b"},
      {"name": "rest", "from": "a"}, {"name": "more", "from": "g"}]})",
                         "'characters'");
}

class DivergedTagger : public TaggerFit, public ::testing::WithParamInterface<const char*> {
 protected:
  DivergedTagger() : TaggerFit(GetParam()) {}
};

TEST_P(DivergedTagger, LosesNoSentence) {
  const ModelDirectory files_of(directory);
  const std::string weights = files_of.file("model.safetensors");
  TensorList tensors = load_safetensors(weights).tensors;
  Tensor& bias = tensors.at(std::string(GetParam()) + "/bias");
  for (float& value : View<float>(bias)) value = std::nanf("");
  save_safetensors(weights, tensors);
  files_of.seal();
  const Tagger model = Tagger::load(directory, kOne);
  const Tagger::Words sentence{"the", "ship"};
  expect_error<DivergenceError>([&] { model.tag(std::span(&sentence, 1)); }, "2 words");
  expect_error<DivergenceError>([&] { model.tag("the ship"); }, "2 words");
  expect_error<DivergenceError>([&] { model.n_best(sentence, 2); }, "2 words");
  expect_error<DivergenceError>([&] { model.marginals(sentence); }, "not finite");
  const std::string text[] = {files.path("text")};
  expect_error<DivergenceError>([&] { model.evaluate(text); }, "3 words");
  EXPECT_TRUE(model.tag("").words.empty());
}

INSTANTIATE_TEST_SUITE_P(OfEachHead, DivergedTagger, ::testing::Values("crf", "softmax"));

}  // namespace
}  // namespace rnn
