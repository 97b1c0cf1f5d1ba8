#include "rnn/tasks/text_classifier_recipe.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/require.h"
#include "rnn/bidirectional.h"
#include "rnn/conv1d.h"
#include "rnn/dropout.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/ngram_embedding.h"
#include "rnn/pooling.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/sigmoid.h"
#include "rnn/softmax.h"
#include "tasks/optimization.h"

namespace rnn {
namespace {

constexpr std::array kArchitectures{"bag", "lstm", "gru", "bilstm", "bigru", "clstm"};

/// "2,3" -> {2, 3}
std::vector<std::int64_t> columns_of(const std::string& text) {
  std::vector<std::int64_t> columns;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t to = std::min(text.find(',', from), text.size());
    std::int64_t number = 0;
    const char* const end = text.data() + to;
    const auto [stopped, error] = std::from_chars(text.data() + from, end, number);
    if (error != std::errc() || stopped != end || number < 1) {
      throw ConfigError(
          "text-columns: expected numbers from 1 with commas between, such as 2,3; "
          "got '" +
          text + "'");
    }
    columns.push_back(number);
    from = to + 1;
  }
  return columns;
}

Part recurrent(const TextClassifierRecipe& r) {
  const bool gru = r.arch == "gru" || r.arch == "bigru";
  const AnyLayer one =
      gru ? AnyLayer(GRU({.units = r.hidden})) : AnyLayer(LSTM({.units = r.hidden}));
  if (r.arch == "bilstm" || r.arch == "bigru") return Bidirectional({.layer = one});
  if (gru) return GRU({.units = r.hidden});
  return LSTM({.units = r.hidden});
}

Network given_network(const TextClassifierRecipe& r, Index vocabulary, Index labels) {
  Network network = network_from_json(r.network, "network");
  const std::string_view head = network.head().head ? network.head().head->type() : "";
  const std::string_view expected = r.multi_label ? "Sigmoid" : "Softmax";
  if (network.input() != Signal::symbols(vocabulary) || network.head().classes != labels ||
      head != expected) {
    throw ConfigError("network: these texts need an input_dim of " + std::to_string(vocabulary) +
                      " and a " + std::string(expected) + " with " + std::to_string(labels) +
                      " units; it reads " + network.input().to_string() + " and ends in " +
                      (head.empty() ? "no head" : std::string(head)) + " with " +
                      std::to_string(network.head().classes));
  }
  return network;
}

}  // namespace

void TextClassifierRecipe::exchange(Fields& fields) {
  fields("format", format);
  fields("header", header);
  fields("label_column", label_column);
  fields("text_columns", text_columns);
  fields("label_field", label_field);
  fields("text_field", text_field);
  fields("label_prefix", label_prefix);
  fields("replace_invalid", replace_invalid);
  fields("unit", unit);
  fields("locale", locale);
  fields("pattern", pattern);
  fields("form", form);
  fields("lowercase", lowercase);
  fields("min_count", min_count);
  fields("max_vocabulary", max_vocabulary);
  fields("max_units", max_units);
  fields("multi_label", multi_label);
  fields("holdout", holdout);
  fields("arch", arch);
  fields("embedding", embedding);
  fields("ngrams", ngrams);
  fields("buckets", buckets);
  fields("hidden", hidden);
  fields("layers", layers);
  fields("filters", filters);
  fields("kernel_size", kernel_size);
  fields("strides", strides);
  fields.choice("pooling", pooling, {"max", "mean", "last", "attention"});
  fields("dropout_embedding", dropout_embedding);
  fields("dropout_shared", dropout_shared);
  fields("dropout", dropout);
  fields("word_dropout", word_dropout);
  fields("label_smoothing", label_smoothing);
  fields("naive_bayes", naive_bayes);
  fields("network", network);
  fields("epochs", epochs);
  fields("batch", batch);
  fields("batch_units", batch_units);
  fields("epsilon", epsilon);
  exchange_optimization(fields, *this);
}

LabelledOptions TextClassifierRecipe::reader() const {
  return {.format = format,
          .header = header,
          .label_column = label_column,
          .text_columns = columns_of(text_columns),
          .label_field = label_field,
          .text_field = text_field,
          .label_prefix = label_prefix,
          .policy = {.replace_invalid = replace_invalid, .any_bytes = unit == "byte"}};
}

void validate(const TextClassifierRecipe& r) {
  if (std::find(kArchitectures.begin(), kArchitectures.end(), r.arch) == kArchitectures.end()) {
    std::string names;
    for (const char* name : kArchitectures)
      names += (names.empty() ? "" : ", ") + std::string(name);
    throw ConfigError("arch: expected one of " + names + "; got '" + r.arch + "'");
  }
  r.reader();
  require(r.min_count >= 1, "min-count", "at least 1", r.min_count);
  require(r.max_vocabulary == 0 || r.max_vocabulary >= 3, "max-vocabulary", "0 or at least 3",
          r.max_vocabulary);
  require(r.max_units >= 2 && r.max_units <= 1 << 20, "max-units", "2 to 1048576", r.max_units);
  require(r.holdout >= 0 && r.holdout <= 0.9f, "holdout", "0 to 0.9", r.holdout);
  require(r.embedding >= 1 && r.embedding <= 65536, "embedding", "1 to 65536", r.embedding);
  require(r.ngrams >= 1 && r.ngrams <= 5, "ngrams", "1 to 5", r.ngrams);
  require(r.buckets >= 1 && r.buckets <= 1 << 28, "buckets", "1 to 268435456", r.buckets);
  require(r.hidden >= 1 && r.hidden <= 65536, "hidden", "1 to 65536", r.hidden);
  require(r.layers >= 1 && r.layers <= 64, "layers", "1 to 64", r.layers);
  require(r.filters >= 1 && r.filters <= 65536, "filters", "1 to 65536", r.filters);
  require(r.kernel_size >= 1 && r.kernel_size <= 64, "kernel-size", "1 to 64", r.kernel_size);
  require(r.strides >= 1 && r.strides <= 64, "strides", "1 to 64", r.strides);
  const auto require_rate = [](float rate, const char* name) {
    require(rate >= 0 && rate < 1, name, "at least 0 and below 1", rate);
  };
  require_rate(r.dropout_embedding, "dropout-embedding");
  require_rate(r.dropout, "dropout");
  require_rate(r.word_dropout, "word-dropout");
  require_rate(r.label_smoothing, "label-smoothing");
  if (r.multi_label && r.label_smoothing > 0) {
    throw ConfigError("label-smoothing: is for one label a text; leave it out with --multi-label");
  }
  require(r.naive_bayes >= 0 && r.naive_bayes <= 100, "naive-bayes", "0 to 100", r.naive_bayes);
  require(r.epsilon > 0 && r.epsilon <= 1, "epsilon", "more than 0 and at most 1", r.epsilon);
  require(r.batch_units >= 0, "batch-units", "at least 0", r.batch_units);
  validate_optimization(r);
}

Network text_classifier_network(const TextClassifierRecipe& r, Index vocabulary, Index labels) {
  if (!r.network.empty()) return given_network(r, vocabulary, labels);
  std::vector<Part> parts{NgramEmbedding({.input_dim = vocabulary,
                                          .output_dim = r.embedding,
                                          .ngrams = r.ngrams,
                                          .buckets = r.buckets,
                                          .word_dropout = r.word_dropout})};
  const auto add_dropout = [&](float rate, bool shared) {
    if (rate > 0) parts.emplace_back(Dropout({.rate = rate, .shared_over_time = shared}));
  };
  add_dropout(r.dropout_embedding, r.dropout_shared);
  if (r.arch == "bag") {
    parts.emplace_back(PoolOverTime({.pooling = Pooling::kMean}));
  } else {
    if (r.arch == "clstm") {
      parts.emplace_back(Conv1D({.filters = r.filters,
                                 .kernel_size = r.kernel_size,
                                 .strides = r.strides,
                                 .activation = Activation::kRelu}));
      add_dropout(r.dropout, true);
    }
    for (int layer = 0; layer < r.layers; ++layer) {
      if (layer > 0) add_dropout(r.dropout, true);
      parts.push_back(recurrent(r));
    }
    parts.emplace_back(PoolOverTime({.pooling = r.pooling}));
  }
  add_dropout(r.dropout, false);
  if (r.multi_label) {
    parts.emplace_back(Sigmoid({.units = labels}));
  } else {
    parts.emplace_back(Softmax({.units = labels, .label_smoothing = r.label_smoothing}));
  }
  return Sequential(parts);
}

}  // namespace rnn
