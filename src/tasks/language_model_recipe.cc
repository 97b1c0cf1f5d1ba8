// From a recipe to a network and an optimiser.
#include "tasks/language_model_recipe.h"

#include <cmath>

#include "base/require.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/softmax.h"
#include "tasks/optimization.h"

namespace rnn {
namespace {

template <class Layer, class Options>
Part recurrent(const LanguageModelRecipe& recipe, Options options) {
  options.units = recipe.hidden;
  if (recipe.init > 0) {
    options.kernel_initializer = options.recurrent_initializer = Initializer::uniform(recipe.init);
  }
  return Layer(options);
}

Part recurrent(const LanguageModelRecipe& recipe) {
  if (recipe.cell == "lstm") {
    return recurrent<LSTM>(recipe, LSTMOptions{.forget_bias = recipe.forget_bias});
  }
  if (recipe.cell == "gru") return recurrent<GRU>(recipe, GRUOptions{});
  if (recipe.cell == "gru-reset-before") {
    return recurrent<GRU>(recipe, GRUOptions{.reset_after = false});
  }
  return recurrent<SimpleRNN>(recipe, SimpleRNNOptions{.relu = recipe.cell == "rnn-relu"});
}

}  // namespace

void LanguageModelRecipe::exchange(Fields& fields) {
  fields("unit", unit);
  fields("locale", locale);
  fields("pattern", pattern);
  fields("min_count", min_count);
  fields("max_vocabulary", max_vocabulary);
  fields("replace_invalid", replace_invalid);
  PrefixedFields normalize_fields(fields, "normalize");
  normalize.exchange(normalize_fields);
  fields("sentencepiece_size", sentencepiece_size);
  fields("sentencepiece_kind", sentencepiece_kind);
  fields("sentencepiece_coverage", sentencepiece_coverage);
  fields("sentencepiece_nbest", sentencepiece_nbest);
  fields("sentencepiece_alpha", sentencepiece_alpha);
  fields("cell", cell);
  fields("embedding", embedding);
  fields("hidden", hidden);
  fields("layers", layers);
  fields("tie", tie);
  fields("dropout", dropout);
  fields("dropout_shared", dropout_shared);
  fields("init", init);
  fields("forget_bias", forget_bias);
  fields("network", network);
  fields("epochs", epochs);
  fields("batch", batch);
  fields("bptt", bptt);
  fields("random_bptt", random_bptt);
  exchange_optimization(fields, *this);
}

void validate(const LanguageModelRecipe& r) {
  require(r.min_count >= 1, "min-count", "at least 1", r.min_count);
  require(r.max_vocabulary == 0 || r.max_vocabulary >= 3, "max-vocabulary", "0 or at least 3",
          r.max_vocabulary);
  require(r.sentencepiece_nbest >= 1 && r.sentencepiece_nbest <= 1000, "sentencepiece-nbest",
          "1 to 1000", r.sentencepiece_nbest);
  require(r.sentencepiece_alpha >= 0 && std::isfinite(r.sentencepiece_alpha), "sentencepiece-alpha",
          "at least 0 and finite", r.sentencepiece_alpha);
  if (r.sentencepiece_nbest > 1 && r.unit != "sentencepiece") {
    throw ConfigError("sentencepiece-nbest: only the unit sentencepiece has several segmentations");
  }
  if (r.unit == "sentencepiece" && (r.min_count != 1 || r.max_vocabulary != 0)) {
    throw ConfigError(
        "min-count, max-vocabulary: the unit sentencepiece brings its vocabulary; "
        "--sentencepiece-size sets its size");
  }
  if (r.cell != "lstm" && r.cell != "gru" && r.cell != "gru-reset-before" && r.cell != "rnn" &&
      r.cell != "rnn-relu") {
    throw ConfigError("cell: expected lstm, gru, gru-reset-before, rnn or rnn-relu, got '" +
                      r.cell + "'");
  }
  require(r.hidden >= 1 && r.hidden <= 65536, "hidden", "1 to 65536", r.hidden);
  require(r.embedding >= 0 && r.embedding <= 65536, "embedding", "0 to 65536", r.embedding);
  require(r.layers >= 1 && r.layers <= 64, "layers", "1 to 64", r.layers);
  require(r.dropout >= 0 && r.dropout < 1, "dropout", "at least 0 and below 1", r.dropout);
  require(r.init >= 0 && r.init <= 100, "init", "0 to 100", r.init);
  require(std::abs(r.forget_bias) <= 100, "forget-bias", "-100 to 100", r.forget_bias);
  require(r.bptt >= 1 && r.bptt <= 65536, "bptt", "1 to 65536", r.bptt);
  if (r.tie && r.embedding != 0 && r.embedding != r.hidden) {
    throw ConfigError("tie: needs embedding and hidden of one size, got " +
                      std::to_string(r.embedding) + " and " + std::to_string(r.hidden));
  }
  validate_optimization(r);
}

Network language_model_network(const LanguageModelRecipe& recipe, Index vocabulary) {
  if (!recipe.network.empty()) {
    Network network = network_from_json(recipe.network, "network");
    if (network.input() != Signal::symbols(vocabulary) || network.head().classes != vocabulary) {
      throw ConfigError(
          "network: a language model over this text needs an Embedding with input_dim " +
          std::to_string(vocabulary) + " and a head with as many units");
    }
    if (const Network::Node* node = network.first_not_causal()) {
      throw ConfigError("network: layer '" + node->name +
                        "' sees the future or gives fewer outputs than steps; a language model "
                        "predicts each unit from those before it");
    }
    return network;
  }
  const Index width = recipe.embedding > 0 ? recipe.embedding : recipe.hidden;
  EmbeddingOptions embedding{.input_dim = vocabulary, .output_dim = width};
  SoftmaxOptions softmax{.units = vocabulary, .tied_to = recipe.tie ? "embedding" : ""};
  if (recipe.init > 0) {
    embedding.initializer = softmax.kernel_initializer = Initializer::uniform(recipe.init);
  }
  std::vector<Part> parts{Embedding(embedding)};
  const auto add_dropout = [&] {
    if (recipe.dropout > 0) {
      parts.emplace_back(
          Dropout({.rate = recipe.dropout, .shared_over_time = recipe.dropout_shared}));
    }
  };
  add_dropout();
  for (int layer = 0; layer < recipe.layers; ++layer) {
    parts.push_back(recurrent(recipe));
    add_dropout();
  }
  parts.emplace_back(Softmax(softmax));
  return Sequential(parts);
}

}  // namespace rnn
