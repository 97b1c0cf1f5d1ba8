// From a recipe to a network.
#include "tasks/tagger_recipe.h"

#include <charconv>
#include <optional>
#include <sstream>

#include "base/json.h"
#include "base/require.h"
#include "rnn/bidirectional.h"
#include "rnn/conv1d.h"
#include "rnn/crf.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/graph.h"
#include "rnn/model_file.h"
#include "rnn/pooling.h"
#include "rnn/recurrent.h"
#include "rnn/softmax.h"
#include "rnn/text/word_shape.h"
#include "tasks/network_fit.h"
#include "tasks/optimization.h"
#include "tasks/tagger_dataset.h"

namespace rnn {
namespace {

void require_name(std::string_view option, const std::string& given,
                  std::initializer_list<std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    if (given == name) return;
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  throw ConfigError(std::string(option) + ": expected one of " + list + "; got '" + given + "'");
}

void require_share(std::string_view option, float given) {
  require(given >= 0 && given < 1, option, "at least 0 and below 1", given);
}

AnyLayer recurrent(const std::string& cell, Index units) {
  if (cell == "gru") return GRU({.units = units});
  return LSTM({.units = units});
}

/// Throws ConfigError, naming the option.
std::vector<Index> widths_of(const std::string& text) {
  std::vector<Index> widths;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    Index width = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), width);
    if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size() || width < 1 ||
        width > 64) {
      throw ConfigError("char-widths: expected numbers from 1 to 64, got '" + word + "'");
    }
    widths.push_back(width);
  }
  if (widths.empty()) throw ConfigError("char-widths: expected at least one number");
  return widths;
}

/// A vector [1,U,.] for each of U words, from their characters.
Graph::Value add_speller(Graph& graph, const TaggerRecipe& recipe, Graph::Value x) {
  if (recipe.characters == "bilstm") {
    const LSTM reader({.units = recipe.char_units, .return_sequences = false});
    return graph.add(Bidirectional({.layer = reader}), x, {.name = "character_bilstm"});
  }
  std::vector<Graph::Value> pooled;
  for (const Index width : widths_of(recipe.char_widths)) {
    const Conv1D filters(
        {.filters = recipe.char_units, .kernel_size = width, .activation = Activation::kRelu});
    const auto y = graph.add(filters, x, {.name = "character_conv_" + std::to_string(width)});
    pooled.push_back(graph.add(PoolOverTime({}), y));
  }
  return pooled.size() == 1 ? pooled.front() : graph.add(Concatenate(), pooled);
}

/// What `input` must be; nothing when no tagger has an input of that name.
std::optional<Network::Input> expected_input(const std::string& name,
                                             const TaggerVocabulary& vocabulary) {
  if (name == kWords) return Network::Input{name, Signal::symbols(vocabulary.words.size())};
  if (name == kShapes) return Network::Input{name, Signal::symbols(kWordShapes)};
  if (name == kCharacters) {
    return Network::Input{name, Signal::symbols(vocabulary.characters.size()), false};
  }
  if (name == kSpelling) return Network::Input{name, Signal::rows()};
  return std::nullopt;
}

/// Bytes of them that a message shows.
constexpr std::size_t kMostForbidden = std::size_t{1} << 16;

/// Transitions that a CRF leaves out.
std::string forbidden_by(const OutputHead& crf) {
  Json options;
  JsonWriter writer(options);
  crf.describe(writer);
  return member<std::string>(options, "forbidden", "CRF");
}

}  // namespace

std::string misfit(const Network& network, const TaggerVocabulary& vocabulary,
                   const TaggerLabels& labels) {
  if (network.inputs().front().name != kWords) {
    return "expected '" + std::string(kWords) + "' as its first input, got '" +
           network.inputs().front().name + "'";
  }
  bool characters = false, spelling = false;
  for (const Network::Input& input : network.inputs()) {
    characters |= input.name == kCharacters;
    spelling |= input.name == kSpelling;
    const auto expected = expected_input(input.name, vocabulary);
    if (!expected) {
      return "a tagger has no input '" + input.name + "'; it has " + kWords + ", " + kShapes +
             ", " + kCharacters + " and " + kSpelling;
    }
    if (input.signal != expected->signal || input.aligned != expected->aligned) {
      return "input '" + input.name + "' is " + input.signal.to_string() + ", here it must be " +
             expected->signal.to_string() +
             (expected->aligned ? " along the words" : " with sequences of its own");
    }
  }
  if (characters != spelling) {
    return std::string(kCharacters) + " and " + kSpelling + " come together or not at all";
  }
  const Network::Head& head = network.head();
  const std::string_view type = head.head ? head.head->type() : "no head";
  if ((type != "CRF" && type != "Softmax") || head.classes != labels.size()) {
    return "expected a CRF or Softmax with the " + std::to_string(labels.size()) +
           " labels of these texts at its end, got " + std::string(type) + " with " +
           std::to_string(head.classes);
  }
  if (std::string wrong = head_misfit(network, Steps::kEach); !wrong.empty()) return wrong;
  if (type == "CRF" && !labels.are_forbidden(forbidden_by(*head.head))) {
    return "the CRF must forbid what the scheme of these tags does not allow: \"forbidden\": \"" +
           labels.forbidden(kMostForbidden) + "\"";
  }
  return {};
}

void TaggerRecipe::exchange(Fields& fields) {
  fields("field", field);
  fields("column", column);
  fields("word_column", word_column);
  fields("scheme", scheme);
  fields("training_scheme", training_scheme);
  fields("lowercase", lowercase);
  fields("fold_digits", fold_digits);
  fields("min_count", min_count);
  fields("char_min_count", char_min_count);
  fields("word_dropout", word_dropout);
  fields("singleton_dropout", singleton_dropout);
  fields("embedding", embedding);
  fields("case_embedding", case_embedding);
  fields("characters", characters);
  fields("char_embedding", char_embedding);
  fields("char_units", char_units);
  fields("char_widths", char_widths);
  fields("char_dropout", char_dropout);
  fields("cell", cell);
  fields("hidden", hidden);
  fields("layers", layers);
  fields("dropout", dropout);
  fields("dropout_shared", dropout_shared);
  fields("head", head);
  fields("network", network);
  fields("epochs", epochs);
  fields("batch", batch);
  exchange_optimization(fields, *this);
}

void validate(const TaggerRecipe& r) {
  require_name("scheme", r.scheme, {"auto", "none", "iob1", "bio", "bioes"});
  require_name("training-scheme", r.training_scheme, {"bio", "bioes"});
  require(r.min_count >= 1, "min-count", "at least 1", r.min_count);
  require(r.char_min_count >= 1, "char-min-count", "at least 1", r.char_min_count);
  require_share("word-dropout", r.word_dropout);
  require_share("singleton-dropout", r.singleton_dropout);
  require(r.embedding >= 1 && r.embedding <= 65536, "embedding", "1 to 65536", r.embedding);
  require(r.case_embedding >= 0 && r.case_embedding <= 65536, "case-embedding", "0 to 65536",
          r.case_embedding);
  require_name("characters", r.characters, {"cnn", "bilstm", "none"});
  require(r.char_embedding >= 1 && r.char_embedding <= 65536, "char-embedding", "1 to 65536",
          r.char_embedding);
  require(r.char_units >= 1 && r.char_units <= 65536, "char-units", "1 to 65536", r.char_units);
  widths_of(r.char_widths);
  require_share("char-dropout", r.char_dropout);
  require_name("cell", r.cell, {"lstm", "gru"});
  require(r.hidden >= 1 && r.hidden <= 65536, "hidden", "1 to 65536", r.hidden);
  require(r.layers >= 1 && r.layers <= 64, "layers", "1 to 64", r.layers);
  require_share("dropout", r.dropout);
  require_name("head", r.head, {"auto", "softmax", "crf"});
  validate_optimization(r);
}

Network tagger_network(const TaggerRecipe& recipe, const TaggerVocabulary& vocabulary,
                       const TaggerLabels& labels) {
  if (!recipe.network.empty()) {
    Network network = network_from_json(recipe.network, "network");
    if (const std::string wrong = misfit(network, vocabulary, labels); !wrong.empty()) {
      throw ConfigError("network: " + wrong);
    }
    return network;
  }
  Graph graph;
  const auto embed = [&](Graph::Value symbols, Index width, const char* name) {
    const Embedding table({.input_dim = graph.signal(symbols).size, .output_dim = width});
    return graph.add(table, symbols, {.name = name});
  };
  const auto drop = [&](Graph::Value x, float rate) {
    if (rate == 0) return x;
    return graph.add(Dropout({.rate = rate, .shared_over_time = recipe.dropout_shared}), x);
  };

  const auto words = graph.input(kWords, Signal::symbols(vocabulary.words.size()));
  std::vector<Graph::Value> parts{embed(words, recipe.embedding, kWordEmbedding)};
  if (recipe.case_embedding > 0) {
    const auto shapes = graph.input(kShapes, Signal::symbols(kWordShapes));
    parts.push_back(embed(shapes, recipe.case_embedding, "shape_embedding"));
  }
  if (recipe.characters != "none") {
    const auto characters =
        graph.input(kCharacters, Signal::symbols(vocabulary.characters.size()), {.aligned = false});
    const auto spelling = graph.input(kSpelling, Signal::rows());
    const auto x =
        drop(embed(characters, recipe.char_embedding, "character_embedding"), recipe.char_dropout);
    parts.push_back(graph.gather(add_speller(graph, recipe, x), spelling));
  }
  auto x = parts.size() == 1 ? parts.front() : graph.add(Concatenate(), parts);
  x = drop(x, recipe.dropout);
  for (int layer = 0; layer < recipe.layers; ++layer) {
    x = graph.add(Bidirectional({.layer = recurrent(recipe.cell, recipe.hidden)}), x);
    x = drop(x, recipe.dropout);
  }
  if (recipe.head == "crf" || (recipe.head == "auto" && labels.entities())) {
    graph.output(CRF({.units = labels.size(), .forbidden = labels.forbidden()}), x);
  } else {
    graph.output(Softmax({.units = labels.size()}), x);
  }
  return graph.build();
}

}  // namespace rnn
