#include "rnn/graph.h"

#include <gtest/gtest.h>

#include <functional>

#include "rnn/dense.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/sequential.h"
#include "support/spelling_network.h"

namespace rnn {
namespace {

TEST(Graph, NamesWhatItHolds) {
  const Network network = test::spelling_network();
  std::vector<std::string> names;
  for (const auto& input : network.inputs()) names.push_back(input.name);
  for (const auto& node : network.nodes()) names.push_back(node.name);
  for (const auto& output : network.outputs()) names.push_back(output.name);
  EXPECT_EQ(names, (std::vector<std::string>{"words", "letters", "spelling", "spell", "conv1d",
                                             "poolovertime", "gather", "embedding", "concatenate",
                                             "bidirectional", "around", "crf", "softmax"}));
  EXPECT_EQ(network.nodes()[5].output, Signal::vectors(8));
  EXPECT_EQ(network.output("softmax"), 1u);
  EXPECT_EQ(network.head().name, "crf");
}

TEST(Graph, KeepsAStateForLayersAlongTheFirstInputAlone) {
  Graph g;
  const auto words = g.input("words", Signal::symbols(7));
  const auto letters = g.input("letters", Signal::symbols(5), {.aligned = false});
  const auto rows = g.input("spelling", Signal::rows());
  const auto read = g.add(LSTM({.units = 3, .return_sequences = false}),
                          g.add(Embedding({.input_dim = 5, .output_dim = 2}), letters));
  const auto x = g.add(Concatenate(), {g.add(Embedding({.input_dim = 7, .output_dim = 2}), words),
                                       g.gather(read, rows)});
  g.output(g.add(GRU({.units = 4}), x));
  const Network network = g.build();
  ASSERT_EQ(network.state_specs().size(), 1u);
  EXPECT_EQ(network.state_specs()[0].name, "gru/h");
  // A word may be read to its end; along the text nothing looks ahead.
  EXPECT_EQ(network.first_not_causal(), nullptr);
  EXPECT_EQ(test::spelling_network().first_not_causal()->name, "bidirectional");
}

TEST(Graph, OfAChainIsASequential) {
  Graph g;
  auto x = g.input("input", Signal::symbols(6));
  x = g.add(Embedding({.input_dim = 6, .output_dim = 5}), x);
  x = g.add(LSTM({.units = 5}), x);
  g.output(Softmax({.units = 6, .tied_to = "embedding"}), x);
  const Sequential chain({Embedding({.input_dim = 6, .output_dim = 5}), LSTM({.units = 5}),
                          Softmax({.units = 6, .tied_to = "embedding"})});
  EXPECT_EQ(network_to_json(g.build()), network_to_json(chain));
}

TEST(Graph, IsReadFromJsonAsItIsWritten) {
  const Network network = test::spelling_network({.dropout = 0.1f});
  const std::string json = network_to_json(network);
  const Network again = network_from_json(json);
  EXPECT_EQ(network_to_json(again), json);
  ASSERT_EQ(again.parameter_specs().size(), network.parameter_specs().size());
  for (std::size_t i = 0; i < network.parameter_specs().size(); ++i) {
    EXPECT_EQ(again.parameter_specs()[i].name, network.parameter_specs()[i].name);
    EXPECT_EQ(again.parameter_specs()[i].shape, network.parameter_specs()[i].shape);
  }
  EXPECT_EQ(again.outputs()[1].weight, 0.5f);
  EXPECT_FALSE(again.inputs()[1].aligned);
}

TEST(Graph, IsReadWithNamesAndEdgesLeftOut) {
  const Network network = network_from_json(R"({"layers": [
      {"type": "Embedding", "input_dim": 5, "output_dim": 3},
      {"type": "LSTM", "units": 3},
      {"type": "Add", "from": ["embedding", "lstm"]},
      {"type": "Dense", "units": 2, "name": "last"}],
    "outputs": [{"name": "middle", "from": "lstm"}, {"type": "Softmax", "units": 4}]})");
  EXPECT_EQ(network.nodes()[2].from.size(), 2u);
  EXPECT_EQ(network.nodes()[3].name, "last");
  EXPECT_EQ(network.name_of(network.outputs()[1].from), "last");
  EXPECT_EQ(network.name_of(network.outputs()[0].from), "lstm");
  EXPECT_FALSE(network.outputs()[0].head);
}

/// The message of the ConfigError that building gives.
std::string refusal(const std::function<void(Graph&, Graph::Value)>& work) {
  Graph g;
  const auto x =
      g.add(Embedding({.input_dim = 6, .output_dim = 5}), g.input("words", Signal::symbols(6)));
  try {
    work(g, x);
    g.build();
  } catch (const ConfigError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no ConfigError";
  return {};
}

TEST(Graph, SaysWhatDoesNotFitWhereItIsSaid) {
  const auto contains = [](const std::string& message, std::initializer_list<const char*> parts) {
    for (const char* part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << part;
    }
  };
  contains(refusal([](Graph&, Graph::Value) {}), {"no output"});
  contains(refusal([](Graph& g, Graph::Value x) {
             g.add(LSTM({.units = 2}), x);
             g.output(x);
           }),
           {"'lstm'", "leads to no output"});
  contains(refusal([](Graph& g, Graph::Value x) {
             g.input("other", Signal::vectors(2));
             g.output(x);
           }),
           {"'other'", "leads to no output"});
  contains(refusal([](Graph& g, Graph::Value x) {
             g.add(Add(), {x, g.add(Dense({.units = 2}), x)});
           }),
           {"'add'", "vectors of 5", "vectors of 2"});
  contains(refusal([](Graph& g, Graph::Value x) {
             const auto other = g.input("letters", Signal::vectors(5), {.aligned = false});
             g.add(Add(), {x, g.add(Dense({.units = 5}), other)});
           }),
           {"'add'", "'letters'", "'words'", "through 'embedding'", "Gather"});
  contains(refusal([](Graph& g, Graph::Value x) { g.add(LSTM({.units = 2}), x, {.name = "a/b"}); }),
           {"'a/b'"});
  contains(
      refusal([](Graph& g, Graph::Value x) { g.add(LSTM({.units = 2}), x, {.name = "words"}); }),
      {"'words'", "two"});
  contains(refusal([](Graph& g, Graph::Value) { g.add(LSTM({.units = 2}), Graph::Value()); }),
           {"'lstm'", "not of this graph"});
  contains(refusal([](Graph& g, Graph::Value) {
             Graph other;  // whose value has the number of one of ours
             g.add(LSTM({.units = 2}), other.input("words", Signal::vectors(5)));
           }),
           {"'lstm'", "not of this graph"});
  contains(refusal([](Graph& g, Graph::Value x) {
             g.output(Softmax({.units = 3, .tied_to = "embeddin"}), x);
           }),
           {"'softmax'", "embeddin/embeddings"});
  contains(refusal([](Graph& g, Graph::Value x) {
             g.add(Dense({.units = 2}), g.add(Dense({.units = 3}), x), {.shares = "dense"});
           }),
           {"'dense_1'", "'dense'", "'kernel'", "[5,3]", "[3,2]"});
  contains(refusal([](Graph& g, Graph::Value x) {
             g.add(Dense({.units = 2}), x, {.shares = "nothing"});
           }),
           {"'dense'", "'nothing'"});
  contains(
      refusal([](Graph& g, Graph::Value x) { g.output(Softmax({.units = 3}), x, {.weight = -1}); }),
      {"'softmax'", "weight", "-1"});
  contains(refusal([](Graph& g, Graph::Value) { g.input("more", Signal::vectors(0)); }),
           {"'more'", "vectors of 0"});
  Graph empty;
  EXPECT_THROW(empty.input("rows", Signal::rows()), ConfigError);
  EXPECT_THROW(empty.input("alone", Signal::vectors(2), {.aligned = false}), ConfigError);
}

TEST(Graph, NumbersTheNamesThatItMakesFromTheFirstFreeOneOn) {
  Graph g;
  const auto x = g.input("words", Signal::vectors(2));
  const auto next = [&](const std::string& name) {
    return g.name(g.add(Dense({.units = 2}), x, {.name = name}));
  };
  EXPECT_EQ(next("dense_2"), "dense_2");
  EXPECT_EQ(next(""), "dense");
  EXPECT_EQ(next(""), "dense_1");
  EXPECT_EQ(next(""), "dense_3");
  EXPECT_EQ(next("dense_4"), "dense_4");
  EXPECT_EQ(next(""), "dense_5");
}

TEST(Graph, SaysWhereAFileIsWrong) {
  const auto refused = [](const std::string& json, std::initializer_list<const char*> parts) {
    try {
      network_from_json(json, "net.json");
      ADD_FAILURE() << "accepted " << json;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.rfind("net.json", 0), 0u) << message;
      for (const char* part : parts) {
        EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << part;
      }
    }
  };
  const auto with = [](const std::string& layers, const std::string& rest = "") {
    return R"({"inputs": [{"name": "w", "symbols": 5}], "layers": [
        {"type": "Embedding", "input_dim": 5, "output_dim": 3})" +
           layers + "]" + rest + "}";
  };
  refused(with(R"(, {"type": "Add", "from": ["embedding", "lstm"]})"),
          {"layers[1]", "'lstm'", "embedding w"});
  refused(with(R"(, {"type": "LSTM", "units": 2, "from": ["embedding", "w"]})"),
          {"layers[1]", "LSTM", "got 2"});
  refused(with(R"(, {"type": "LSTM", "units": 2, "from": 7})"), {"layers[1]", "'from'"});
  refused(with(R"(, {"type": "Add", "units": 2, "from": "embedding"})"), {"layers[1]", "'units'"});
  refused(with("", R"(, "outputs": [{"type": "Softmax", "units": 0}])"), {"outputs[0]", "units"});
  refused(with("", R"(, "outputs": [{"from": "x"}])"), {"outputs[0]", "'x'"});
  refused(with("", R"(, "outputs": [], "head": {})"), {"'head'"});
  // Widths whose sums and products would overflow.
  refused(R"({"input_features": 6000000000000000000,
              "layers": [{"type": "Conv1D", "filters": 1, "kernel_size": 3}]})",
          {"'input'", "at most 268435456", "6000000000000000000"});
  refused(R"({"inputs": [{"name": "x", "vectors": 9000000000000000000}],
              "layers": [{"type": "Concatenate", "from": ["x", "x"]}]})",
          {"inputs[0]", "'x'", "at most 268435456"});
  refused(R"({"inputs": [{"name": "x", "vectors": 200000000}],
              "layers": [{"type": "Concatenate", "from": ["x", "x"]}]})",
          {"layers[0]", "'concatenate'", "at most 268435456", "vectors of 400000000"});
  refused(R"({"input_features": 200000000, "layers": [
              {"type": "Conv1D", "filters": 1, "kernel_size": 268435456}]})",
          {"'conv1d'", "kernel_size 268435456", "at most 268435456 numbers", "200000000"});
  refused(R"({"input_features": 2, "layers": [
              {"type": "PoolOverTime", "pooling": "attention",
               "attention_units": 9000000000000000000}]})",
          {"attention_units", "9000000000000000000"});
  std::string doubled = R"({"input_features": 2, "layers": [)";
  for (int i = 0; i < 63; ++i) {
    doubled += std::string(i == 0 ? "" : ", ") +
               R"({"type": "Residual", "merge": "concat", "layer": {"type": "Dropout"}})";
  }
  refused(doubled + "]}", {"layers[27]", "'residual_27'", "at most 268435456"});
  // More than its limits of layers.
  std::string many = R"({"input_features": 2, "layers": [)";
  for (int i = 0; i < 4096; ++i) many += R"({"type": "Dropout"}, )";
  refused(many + R"({"type": "Dropout"}]})", {"'layers'", "at most 4096", "4097"});
  refused(with("", R"(, "input_features": 3)"), {"'input_features'"});
  refused(R"({"inputs": [{"name": "w"}], "layers": []})", {"inputs[0]", "symbols"});
  refused(R"({"inputs": [{"symbols": 3}], "layers": []})", {"inputs[0]", "'name'"});
  refused(R"({"inputs": [{"name": "w", "symbols": 3, "size": 3}], "layers": []})",
          {"inputs[0]", "'size'"});
}

}  // namespace
}  // namespace rnn
