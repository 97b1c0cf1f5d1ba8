// From a recipe to a network and an optimiser.
#include "tasks/language_model_recipe.h"

#include <cmath>

#include "base/number.h"
#include "base/prefixed_fields.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/recurrent.h"
#include "rnn/softmax.h"

namespace rnn {
namespace {

/// Throws unless `good`; a number that is not finite is never good.
template <class Number>
void require(bool good, const char* option, const char* expected, Number given) {
  if (good && std::isfinite(static_cast<double>(given))) return;
  throw ConfigError(std::string(option) + ": expected " + expected + ", got " + to_text(given));
}

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
  fields("min_count", min_count);
  fields("max_vocabulary", max_vocabulary);
  fields("replace_invalid", replace_invalid);
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
  fields("optimizer", optimizer);
  fields("lr", lr);
  fields("momentum", momentum);
  fields("weight_decay", weight_decay);
  fields("clip", clip);
  fields("clip_value", clip_value);
  PrefixedFields schedule_fields(fields, "schedule");
  schedule.exchange(schedule_fields);
  fields("early_stopping", early_stopping);
  fields("seed", seed);
}

void validate(const LanguageModelRecipe& r) {
  require(r.min_count >= 1, "min-count", "at least 1", r.min_count);
  require(r.max_vocabulary == 0 || r.max_vocabulary >= 3, "max-vocabulary", "0 or at least 3",
          r.max_vocabulary);
  if (r.cell != "lstm" && r.cell != "gru" && r.cell != "gru-reset-before" && r.cell != "rnn-tanh" &&
      r.cell != "rnn-relu") {
    throw ConfigError("cell: expected lstm, gru, gru-reset-before, rnn-tanh or rnn-relu, got '" +
                      r.cell + "'");
  }
  require(r.hidden >= 1 && r.hidden <= 65536, "hidden", "1 to 65536", r.hidden);
  require(r.embedding >= 0 && r.embedding <= 65536, "embedding", "0 to 65536", r.embedding);
  require(r.layers >= 1 && r.layers <= 64, "layers", "1 to 64", r.layers);
  require(r.dropout >= 0 && r.dropout < 1, "dropout", "at least 0 and below 1", r.dropout);
  require(r.init >= 0, "init", "at least 0", r.init);
  require(r.epochs >= 1, "epochs", "at least 1", r.epochs);
  require(r.batch >= 1 && r.batch <= 65536, "batch", "1 to 65536", r.batch);
  require(r.bptt >= 1 && r.bptt <= 65536, "bptt", "1 to 65536", r.bptt);
  require(r.clip >= 0, "clip", "at least 0", r.clip);
  require(r.clip_value >= 0, "clip-value", "at least 0", r.clip_value);
  if (r.tie && r.embedding != 0 && r.embedding != r.hidden) {
    throw ConfigError("tie: needs embedding and hidden of one size, got " +
                      std::to_string(r.embedding) + " and " + std::to_string(r.hidden));
  }
  require(r.lr > 0, "lr", "more than 0", r.lr);
  require(r.momentum >= 0 && r.momentum < 1, "momentum", "at least 0 and below 1", r.momentum);
  require(r.weight_decay >= 0, "weight-decay", "at least 0", r.weight_decay);
  require(true, "forget-bias", "a number", r.forget_bias);
  r.schedule.validate();
  validate(optimizer_of(r));
}

Optimizer optimizer_of(const LanguageModelRecipe& r) {
  if (r.optimizer == "sgd") {
    return SGD{.learning_rate = r.lr, .weight_decay = r.weight_decay};
  }
  if (r.optimizer == "momentum") {
    return SGD{.learning_rate = r.lr, .momentum = r.momentum, .weight_decay = r.weight_decay};
  }
  if (r.optimizer == "rmsprop") {
    return RMSprop{.learning_rate = r.lr, .weight_decay = r.weight_decay};
  }
  if (r.optimizer == "adam") return Adam{.learning_rate = r.lr, .weight_decay = r.weight_decay};
  if (r.optimizer == "adamw") return AdamW{.learning_rate = r.lr, .weight_decay = r.weight_decay};
  throw ConfigError("optimizer: expected sgd, momentum, rmsprop, adam or adamw, got '" +
                    r.optimizer + "'");
}

Sequential language_model_network(const LanguageModelRecipe& recipe, Index vocabulary) {
  if (!recipe.network.empty()) {
    Sequential network = network_from_json(recipe.network, "network");
    if (network.input() != Signal::symbols(vocabulary) || network.head().classes != vocabulary) {
      throw ConfigError(
          "network: a language model over this text needs an Embedding with input_dim " +
          std::to_string(vocabulary) + " and a head with as many units");
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
