#include "tasks/naive_bayes.h"

#include <algorithm>
#include <cmath>

#include "rnn/error.h"
#include "rnn/ngram_embedding.h"

namespace rnn {
namespace {

/// Rows that a text reads of one table, each once: of its units, or of its longer n-grams.
void rows_of(const Sequences& texts, std::int64_t i, bool ngrams,
             const NgramEmbeddingOptions& options, std::vector<Index>& rows) {
  rows.clear();
  std::vector<std::int32_t> ids;
  for (std::int64_t t = 0; t < texts.length(i); ++t) {
    if (!ngrams) rows.push_back(texts.id(i, t));
    ids.clear();
    for (std::int64_t k = t; ngrams && k < texts.length(i) && k < t + options.ngrams; ++k) {
      ids.push_back(texts.id(i, k));
      if (k > t) rows.push_back(NgramEmbedding::bucket(ids, options.buckets));
    }
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
}

class Counts {
 public:
  Counts(Index rows, std::size_t labels)
      : labels_(labels),
        of_row_(static_cast<std::size_t>(rows), 0),
        of_both_(static_cast<std::size_t>(rows) * labels, 0) {}

  void add(Index row, std::span<const std::int32_t> labels) {
    const auto r = static_cast<std::size_t>(row);
    ++of_row_[r];
    for (std::int32_t label : labels) ++of_both_[r * labels_ + static_cast<std::size_t>(label)];
  }
  double with(std::size_t row, std::size_t label) const { return of_both_[row * labels_ + label]; }
  double without(std::size_t row, std::size_t label) const {
    return of_row_[row] - of_both_[row * labels_ + label];
  }

 private:
  std::size_t labels_;
  std::vector<std::int32_t> of_row_, of_both_;
};

void set_table(View<float> table, const EncodedTexts& texts, std::size_t labels, bool ngrams,
               const NgramEmbeddingOptions& options, float scale) {
  Counts counts(table.extent(0), labels);
  std::vector<double> with_label(labels, 0);
  std::vector<Index> rows;
  for (std::int64_t i = 0; i < texts.size(); ++i) {
    const std::span<const std::int32_t> own = texts.labels[i];
    for (std::int32_t label : own) ++with_label[static_cast<std::size_t>(label)];
    rows_of(texts.sequences, i, ngrams, options, rows);
    for (Index row : rows) counts.add(row, own);
  }
  const auto all = static_cast<double>(texts.size());
  for (Index row = 0; row < table.extent(0); ++row) {
    for (std::size_t k = 0; k < labels; ++k) {
      const auto r = static_cast<std::size_t>(row);
      const double ratio = std::log((1 + counts.with(r, k)) / (1 + with_label[k])) -
                           std::log((1 + counts.without(r, k)) / (1 + all - with_label[k]));
      table(row, static_cast<Index>(k)) = scale * static_cast<float>(ratio);
    }
  }
}

}  // namespace

void set_log_count_ratios(TensorList& values, const Network& network, const EncodedTexts& texts,
                          std::size_t labels, float scale) {
  const auto& first = network.nodes().front();
  const auto* layer = dynamic_cast<const NgramEmbedding*>(first.layer.get());
  if (!layer || layer->options().output_dim < static_cast<Index>(labels)) {
    throw ConfigError(
        "naive-bayes: the network must begin with an NgramEmbedding that is at least as wide as "
        "there are labels, " +
        std::to_string(labels) + "; give a larger --embedding or leave --naive-bayes out");
  }
  for (std::size_t table = 0; table < first.parameters.size(); ++table) {
    set_table(values[first.parameters[table]], texts, labels, table > 0, layer->options(), scale);
  }
}

}  // namespace rnn
