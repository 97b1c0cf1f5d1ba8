// From a recipe to a network.
#include <algorithm>

#include "rnn/bidirectional.h"
#include "rnn/conv1d.h"
#include "rnn/dropout.h"
#include "rnn/error.h"
#include "rnn/graph.h"
#include "rnn/highway.h"
#include "rnn/merging.h"
#include "rnn/model_file.h"
#include "rnn/ngram_embedding.h"
#include "rnn/pooling.h"
#include "rnn/recurrent.h"
#include "rnn/sigmoid.h"
#include "rnn/softmax.h"
#include "rnn/tasks/text_classifier_recipe.h"
#include "tasks/naive_bayes.h"
#include "tasks/network_fit.h"
#include "tasks/text_classifier_impl.h"

namespace rnn {
namespace {

using Value = Graph::Value;

bool reads_both_ways(const TextClassifierRecipe& r) {
  return r.arch == "bilstm" || r.arch == "bigru";
}

AnyLayer recurrent(const TextClassifierRecipe& r, bool every_step) {
  const bool gru = r.arch == "gru" || r.arch == "bigru";
  const AnyLayer one = gru ? AnyLayer(GRU({.units = r.hidden, .return_sequences = every_step}))
                           : AnyLayer(LSTM({.units = r.hidden, .return_sequences = every_step}));
  return reads_both_ways(r) ? AnyLayer(Bidirectional({.layer = one})) : one;
}

Value dropped(Graph& graph, Value x, float rate, bool shared) {
  return rate > 0 ? graph.add(Dropout({.rate = rate, .shared_over_time = shared}), x) : x;
}

Value convolved(Graph& graph, const TextClassifierRecipe& r, Value x, Index width, Index strides) {
  return graph.add(Conv1D({.filters = r.filters,
                           .kernel_size = width,
                           .strides = strides,
                           .activation = Activation::kRelu}),
                   x);
}

Value pooled(Graph& graph, Value x, Pooling pooling) {
  return graph.add(PoolOverTime({.pooling = pooling}), x);
}

void add_pooled(std::vector<Value>& all, Graph& graph, const TextClassifierRecipe& r, Value x) {
  for (Pooling pooling : r.pooling) all.push_back(pooled(graph, x, pooling));
}

/// One vector for what `arch` makes of the words.
std::vector<Value> summaries(Graph& graph, const TextClassifierRecipe& r, Value words) {
  std::vector<Value> all;
  if (r.arch == "bag" || r.skip) all.push_back(pooled(graph, words, Pooling::kMean));
  if (r.arch == "bag") return all;
  if (r.arch == "cnn") {
    for (Index width : r.convolution_widths()) {
      add_pooled(all, graph, r, convolved(graph, r, words, width, r.strides));
    }
    return all;
  }
  Value x = words;
  if (r.arch == "clstm") {
    x = dropped(graph, convolved(graph, r, x, r.kernel_size, r.strides), r.dropout, true);
  }
  if (r.arch == "char-cnn-lstm") {
    x = convolved(graph, r, x, r.kernel_size, 1);
    x = convolved(graph, r, x, r.kernel_size, std::max<Index>(2, r.strides));
    x = dropped(graph, graph.add(Highway(HighwayOptions{}), x), r.dropout, true);
  }
  // At the last step the backward direction has read one word; its last state is at the first.
  const bool last_of_both = reads_both_ways(r) && r.pooling.front() == Pooling::kLast;
  for (int layer = 0; layer < r.layers; ++layer) {
    if (layer > 0) x = dropped(graph, x, r.dropout, true);
    const bool top = layer + 1 == r.layers;
    x = graph.add(recurrent(r, !(top && last_of_both)), x);
  }
  if (last_of_both) {
    all.push_back(x);
  } else {
    add_pooled(all, graph, r, x);
  }
  return all;
}

/// What each n-gram says of the labels by itself: logits, which the head begins by passing on. See
/// set_log_count_ratios.
Value evidence(Graph& graph, const TextClassifierRecipe& r, Value text, Index vocabulary,
               Index labels) {
  NgramEmbeddingOptions options{.input_dim = vocabulary,
                                .output_dim = labels,
                                .ngrams = r.naive_bayes_ngrams,
                                .buckets = r.naive_bayes_buckets,
                                .word_dropout = r.word_dropout,
                                .text_dropout = r.naive_bayes_dropout,
                                .distinct = true,
                                .scaled = true,
                                .keyed = true,
                                .initializer = Initializer::constant(r.naive_bayes)};
  const auto said = [&](std::string_view name) {
    const Value each = graph.add(NgramEmbedding(options), text, {.name = std::string(name)});
    return pooled(graph, each, Pooling::kSum);
  };
  const Value units = said(kEvidence);
  if (r.naive_bayes_words == 0) return units;
  options.ngrams = r.naive_bayes_words;
  options.of_words = true;
  return graph.add(Add(), {units, said(kWordEvidence)});
}

Network given_network(const TextClassifierRecipe& r, Index vocabulary, Index labels) {
  Network network = network_from_json(r.network, "network");
  if (const std::string wrong = classifier_misfit(network, vocabulary, labels, r.multi_label);
      !wrong.empty()) {
    throw ConfigError("network: " + wrong);
  }
  return network;
}

}  // namespace

std::string classifier_misfit(const Network& network, Index vocabulary, Index labels,
                              bool multi_label) {
  const std::string_view head = network.head().head ? network.head().head->type() : "";
  const std::string_view expected = multi_label ? "Sigmoid" : "Softmax";
  if (network.input() != Signal::symbols(vocabulary) || network.head().classes != labels ||
      head != expected || network.inputs().size() > 1) {
    return "these texts need one input with an input_dim of " + std::to_string(vocabulary) +
           " and a " + std::string(expected) + " with " + std::to_string(labels) +
           " units; it reads " + network.input().to_string() + " and ends in " +
           (head.empty() ? "no head" : std::string(head)) + " with " +
           std::to_string(network.head().classes);
  }
  return head_misfit(network, Steps::kOne);
}

Network text_classifier_network(const TextClassifierRecipe& r, Index vocabulary, Index labels) {
  if (!r.network.empty()) return given_network(r, vocabulary, labels);
  require_poolings(r);
  Graph graph;
  const Value text = graph.input("text", Signal::symbols(vocabulary));
  const Value embedded = graph.add(NgramEmbedding({.input_dim = vocabulary,
                                                   .output_dim = r.embedding,
                                                   .ngrams = r.ngrams,
                                                   .buckets = r.buckets,
                                                   .word_dropout = r.word_dropout}),
                                   text, {.name = "words"});
  const Value words = dropped(graph, embedded, r.dropout_embedding, r.dropout_shared);
  const std::vector<Value> all = summaries(graph, r, words);
  const Value joined = all.size() == 1 ? all[0] : graph.add(Concatenate(), all);
  Value features = dropped(graph, joined, r.dropout, false);
  if (r.naive_bayes > 0) {
    features = graph.add(Concatenate(), {features, evidence(graph, r, text, vocabulary, labels)});
  }
  if (r.multi_label) {
    graph.output(Sigmoid({.units = labels}), features);
  } else {
    graph.output(Softmax({.units = labels, .label_smoothing = r.label_smoothing}), features);
  }
  return graph.build();
}

}  // namespace rnn
