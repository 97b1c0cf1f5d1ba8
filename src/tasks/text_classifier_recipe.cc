#include "rnn/tasks/text_classifier_recipe.h"

#include <algorithm>
#include <array>

#include "base/number_list.h"
#include "base/require.h"
#include "rnn/error.h"
#include "rnn/sequential.h"
#include "tasks/network_fit.h"
#include "tasks/optimization.h"
#include "tasks/text_classifier_impl.h"

namespace rnn {
namespace {

constexpr std::array kArchitectures{"bag",   "lstm", "gru",   "bilstm",
                                    "bigru", "cnn",  "clstm", "char-cnn-lstm"};

/// What describes a network, unless the recipe has one as JSON.
void exchange_described_network(Fields& fields, TextClassifierRecipe& r) {
  fields("arch", r.arch);
  fields("embedding", r.embedding);
  fields("ngrams", r.ngrams);
  fields("buckets", r.buckets);
  fields("hidden", r.hidden);
  fields("layers", r.layers);
  fields("filters", r.filters);
  fields("kernel_size", r.kernel_size);
  fields("kernel_sizes", r.kernel_sizes);
  fields("strides", r.strides);
  fields.choices("pooling", r.pooling, {"max", "mean", "last", "attention", "sum"});
  fields("skip", r.skip);
  fields("dropout_embedding", r.dropout_embedding);
  fields("dropout_shared", r.dropout_shared);
  fields("dropout", r.dropout);
  fields("word_dropout", r.word_dropout);
  fields("label_smoothing", r.label_smoothing);
  fields("naive_bayes", r.naive_bayes);
  fields("naive_bayes_ngrams", r.naive_bayes_ngrams);
  fields("naive_bayes_words", r.naive_bayes_words);
  fields("naive_bayes_buckets", r.naive_bayes_buckets);
  fields("naive_bayes_min_count", r.naive_bayes_min_count);
  fields("naive_bayes_dropout", r.naive_bayes_dropout);
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
  exchange_described_network(fields, *this);
  fields("network", network);
  fields("class_weights", class_weights);
  fields("choose", choose);
  fields("unfreeze_epochs", unfreeze_epochs);
  fields("epochs", epochs);
  fields("batch", batch);
  fields("batch_units", batch_units);
  fields("bucket_batches", bucket_batches);
  fields("epsilon", epsilon);
  exchange_optimization(fields, *this);
}

LabelledOptions TextClassifierRecipe::reader() const {
  return {.format = format,
          .header = header,
          .label_column = label_column,
          .text_columns = numbers_of(text_columns, "text-columns"),
          .label_field = label_field,
          .text_field = text_field,
          .label_prefix = label_prefix,
          .policy = {.replace_invalid = replace_invalid, .any_bytes = unit == "byte"}};
}

std::vector<Index> TextClassifierRecipe::convolution_widths() const {
  return numbers_of(kernel_sizes, "kernel-sizes");
}

void require_poolings(const TextClassifierRecipe& r) {
  require(!r.pooling.empty(), "pooling", "at least one", 0);
  if ((r.arch == "bilstm" || r.arch == "bigru") && r.pooling.size() > 1 &&
      std::find(r.pooling.begin(), r.pooling.end(), Pooling::kLast) != r.pooling.end()) {
    throw ConfigError("pooling: last of " + r.arch + " stands alone; leave the others out");
  }
}

void validate(const TextClassifierRecipe& r) {
  if (std::find(kArchitectures.begin(), kArchitectures.end(), r.arch) == kArchitectures.end()) {
    std::string names;
    for (const char* name : kArchitectures)
      names += (names.empty() ? "" : ", ") + std::string(name);
    throw ConfigError("arch: expected one of " + names + "; got '" + r.arch + "'");
  }
  r.reader();
  if (!r.network.empty()) require_undescribed(r, exchange_described_network);
  for (Index width : r.convolution_widths()) {
    require(width <= 64, "kernel-sizes", "1 to 64", width);
  }
  if (r.arch == "cnn" && r.kernel_sizes.empty()) {
    throw ConfigError("kernel-sizes: cnn needs at least one, such as 3,4,5");
  }
  if (r.arch == "char-cnn-lstm" && r.unit != "char" && r.unit != "byte") {
    throw ConfigError("arch: char-cnn-lstm reads characters; give --unit char or --unit byte");
  }
  require_poolings(r);
  require(r.min_count >= 1, "min-count", "at least 1", r.min_count);
  require(r.max_vocabulary == 0 || r.max_vocabulary >= 3, "max-vocabulary", "0 or at least 3",
          r.max_vocabulary);
  require(r.max_units >= 2 && r.max_units <= 1 << 20, "max-units", "2 to 1048576", r.max_units);
  require(r.holdout >= 0 && r.holdout <= 0.9f, "holdout", "0 to 0.9", r.holdout);
  require(r.embedding >= 1 && r.embedding <= 65536, "embedding", "1 to 65536", r.embedding);
  require(r.ngrams >= 1 && r.ngrams <= 8, "ngrams", "1 to 8", r.ngrams);
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
  if (r.choose != "loss" && r.choose != "accuracy" && r.choose != "macro-f1") {
    throw ConfigError("choose: expected loss, accuracy or macro-f1, got '" + r.choose + "'");
  }
  require(r.unfreeze_epochs >= 0, "unfreeze-epochs", "at least 0", r.unfreeze_epochs);
  if (r.multi_label && !r.class_weights.empty()) {
    throw ConfigError("class-weights: are for one label a text; leave them out with --multi-label");
  }
  require(r.naive_bayes >= 0 && r.naive_bayes <= 100, "naive-bayes", "0 to 100", r.naive_bayes);
  require(r.naive_bayes_ngrams >= 1 && r.naive_bayes_ngrams <= 8, "naive-bayes-ngrams", "1 to 8",
          r.naive_bayes_ngrams);
  require(r.naive_bayes_words >= 0 && r.naive_bayes_words <= 8, "naive-bayes-words", "0 to 8",
          r.naive_bayes_words);
  if (r.naive_bayes_words > 0 && r.naive_bayes == 0) {
    throw ConfigError("naive-bayes-words: is a part of naive Bayes; give --naive-bayes too");
  }
  if (r.naive_bayes_words > 0 && r.unit != "char") {
    throw ConfigError("naive-bayes-words: puts words beside characters; give --unit char");
  }
  require(r.naive_bayes_buckets >= 1 && r.naive_bayes_buckets <= 1 << 28, "naive-bayes-buckets",
          "1 to 268435456", r.naive_bayes_buckets);
  require(r.naive_bayes_min_count >= 1, "naive-bayes-min-count", "at least 1",
          r.naive_bayes_min_count);
  require_rate(r.naive_bayes_dropout, "naive-bayes-dropout");
  require(r.epsilon > 0 && r.epsilon <= 1, "epsilon", "more than 0 and at most 1", r.epsilon);
  require(r.batch_units >= 0, "batch-units", "at least 0", r.batch_units);
  require(r.bucket_batches >= 1 && r.bucket_batches <= 1 << 20, "bucket-batches", "1 to 1048576",
          r.bucket_batches);
  validate_optimization(r);
}

}  // namespace rnn
