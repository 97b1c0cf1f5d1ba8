// From a recipe to a network.
#include <algorithm>

#include "base/number_list.h"
#include "base/require.h"
#include "rnn/activity_regularization.h"
#include "rnn/adaptive_softmax.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/recurrent.h"
#include "rnn/sampled_softmax.h"
#include "rnn/sequential.h"
#include "tasks/language_model_recipe.h"
#include "tasks/network_fit.h"

namespace rnn {
namespace {

template <class Layer, class Options>
Part recurrent(const LanguageModelRecipe& recipe, Index units, Options options) {
  options.units = units;
  options.recurrent_dropout = recipe.dropout_recurrent;
  options.weight_drop = recipe.weight_drop;
  if (recipe.init > 0) {
    options.kernel_initializer = options.recurrent_initializer = Initializer::uniform(recipe.init);
  }
  return Layer(options);
}

Part recurrent(const LanguageModelRecipe& recipe, Index units) {
  if (recipe.cell == "lstm") {
    return recurrent<LSTM>(recipe, units, LSTMOptions{.forget_bias = recipe.forget_bias});
  }
  if (recipe.cell == "gru") return recurrent<GRU>(recipe, units, GRUOptions{});
  if (recipe.cell == "gru-reset-before") {
    return recurrent<GRU>(recipe, units, GRUOptions{.reset_after = false});
  }
  return recurrent<SimpleRNN>(recipe, units, SimpleRNNOptions{.relu = recipe.cell == "rnn-relu"});
}

template <class Head, class Options>
Part head(const LanguageModelRecipe& recipe, Options options) {
  if (recipe.init > 0) options.kernel_initializer = Initializer::uniform(recipe.init);
  return Head(options);
}

Part head(const LanguageModelRecipe& recipe, Index vocabulary) {
  const std::string tied_to = recipe.tie ? "embedding" : "";
  switch (recipe.softmax) {
    case SoftmaxKind::kAdaptive: {
      AdaptiveSoftmaxOptions options{
          .units = vocabulary, .cutoffs = numbers_of(recipe.softmax_cutoffs, "softmax-cutoffs")};
      if (options.cutoffs.empty()) options.cutoffs = {std::max<Index>(1, vocabulary / 5)};
      return head<AdaptiveSoftmax>(recipe, options);
    }
    case SoftmaxKind::kSampled:
      require(recipe.softmax_samples <= vocabulary / 2, "softmax-samples",
              "at most half of the " + std::to_string(vocabulary) + " units",
              recipe.softmax_samples);
      return head<SampledSoftmax>(
          recipe,
          SampledSoftmaxOptions{
              .units = vocabulary, .num_sampled = recipe.softmax_samples, .tied_to = tied_to});
    case SoftmaxKind::kFull:
      break;
  }
  return head<Softmax>(recipe, SoftmaxOptions{.units = vocabulary,
                                              .tied_to = tied_to,
                                              .label_smoothing = recipe.label_smoothing});
}

Network network_of_file(const std::string& json, Index vocabulary) {
  Network network = network_from_json(json, "network");
  if (const std::string wrong = language_model_misfit(network, vocabulary); !wrong.empty()) {
    throw ConfigError("network: " + wrong);
  }
  return network;
}

}  // namespace

Network language_model_network(const LanguageModelRecipe& recipe, Index vocabulary) {
  if (!recipe.network.empty()) return network_of_file(recipe.network, vocabulary);
  const Index width = recipe.embedding > 0 ? recipe.embedding : recipe.hidden;
  EmbeddingOptions embedding{
      .input_dim = vocabulary, .output_dim = width, .dropout = recipe.dropout_embedding};
  if (recipe.init > 0) embedding.initializer = Initializer::uniform(recipe.init);
  std::vector<Part> parts{Embedding(embedding)};
  const auto add_dropout = [&](float own) {
    const float rate = own >= 0 ? own : recipe.dropout;
    if (rate > 0) {
      parts.emplace_back(Dropout({.rate = rate, .shared_over_time = recipe.dropout_shared}));
    }
  };
  const auto add_penalty = [&](const ActivityRegularizationOptions& options) {
    if (options.l2 > 0 || options.temporal_l2 > 0) {
      parts.emplace_back(ActivityRegularization(options));
    }
  };
  add_dropout(recipe.dropout_input);
  for (int layer = 1; layer < recipe.layers; ++layer) {
    parts.push_back(recurrent(recipe, recipe.hidden));
    add_dropout(recipe.dropout_hidden);
  }
  parts.push_back(recurrent(recipe, recipe.tie ? width : recipe.hidden));
  // As Merity, Keskar and Socher have them: one of what is dropped, the other of what was before.
  add_penalty({.temporal_l2 = recipe.tar});
  add_dropout(recipe.dropout_output);
  add_penalty({.l2 = recipe.ar});
  parts.push_back(head(recipe, vocabulary));
  return Sequential(parts);
}

}  // namespace rnn
