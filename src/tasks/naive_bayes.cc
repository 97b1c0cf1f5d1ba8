#include "tasks/naive_bayes.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "rnn/error.h"
#include "rnn/ngram_embedding.h"

namespace rnn {
namespace {

constexpr double kSmoothing = 2;

/// That a text holds a unit, by its number, or an n-gram, by its hash.
struct Occurrence {
  std::uint64_t feature = 0;
  std::int32_t text = 0;

  bool operator==(const Occurrence&) const = default;
  bool operator<(const Occurrence& other) const {
    return std::tie(feature, text) < std::tie(other.feature, other.text);
  }
};

/// All of them, each once, in order.
std::vector<Occurrence> occurrences(const Sequences& texts, Index longest, bool ngrams) {
  std::int64_t most = 0;
  for (std::int64_t i = 0; i < texts.size(); ++i) {
    most += texts.length(i) * (ngrams ? longest - 1 : 1);
  }
  std::vector<Occurrence> all;
  all.reserve(static_cast<std::size_t>(most));
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < texts.size(); ++i) {
    const auto begin = static_cast<std::ptrdiff_t>(all.size());
    const auto text = static_cast<std::int32_t>(i);
    for (std::int64_t t = 0; t < texts.length(i); ++t) {
      if (!ngrams) all.push_back({static_cast<std::uint64_t>(texts.id(i, t)), text});
      ids.clear();
      for (std::int64_t k = t; ngrams && k < texts.length(i) && k < t + longest; ++k) {
        ids.push_back(texts.id(i, k));
        if (k > t) all.push_back({NgramEmbedding::hash(ids), text});
      }
    }
    std::sort(all.begin() + begin, all.end());
    all.erase(std::unique(all.begin() + begin, all.end()), all.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

/// The log-count ratios of one feature.
class Ratios {
 public:
  Ratios(const EncodedTexts& texts, std::size_t labels) : texts_(texts), shares_(labels, 0) {
    for (std::int64_t i = 0; i < texts.size(); ++i) {
      for (std::int32_t label : texts.labels[i]) ++shares_[static_cast<std::size_t>(label)];
    }
    for (double& share : shares_) share /= static_cast<double>(texts.size());
  }

  void write(std::span<const Occurrence> feature, View<float> row) {
    counts_.assign(shares_.size(), 0);
    for (const Occurrence& occurrence : feature) {
      for (std::int32_t label : texts_.labels[occurrence.text]) {
        ++counts_[static_cast<std::size_t>(label)];
      }
    }
    const auto all = static_cast<double>(feature.size());
    for (std::size_t k = 0; k < shares_.size(); ++k) {
      const double p = shares_[k], q = 1 - p, with = counts_[k];
      const bool known = p > 0 && q > 0;
      row[static_cast<Index>(k)] =
          known ? static_cast<float>(std::log((with + kSmoothing * p) / p) -
                                     std::log((all - with + kSmoothing * q) / q))
                : 0.0f;
    }
  }

 private:
  const EncodedTexts& texts_;
  std::vector<double> shares_, counts_{};
};

/// Calls use(occurrences of one feature) for each that at least so many texts hold.
template <class Use>
void each_feature(std::span<const Occurrence> all, std::int64_t least, const Use& use) {
  while (!all.empty()) {
    const auto end = std::find_if(all.begin(), all.end(), [&](const Occurrence& occurrence) {
      return occurrence.feature != all.front().feature;
    });
    const auto count = static_cast<std::size_t>(end - all.begin());
    if (static_cast<std::int64_t>(count) >= least) use(all.first(count));
    all = all.subspan(count);
  }
}

}  // namespace

void set_log_count_ratios(TensorList& values, const Network& network, const EncodedTexts& texts,
                          std::int64_t least) {
  const auto node =
      std::find_if(network.nodes().begin(), network.nodes().end(),
                   [](const Network::Node& candidate) { return candidate.name == kEvidence; });
  const auto* layer = node == network.nodes().end()
                          ? nullptr
                          : dynamic_cast<const NgramEmbedding*>(node->layer.get());
  const Index labels = network.head().classes;
  if (!layer || !layer->options().scaled || !layer->options().keyed ||
      layer->options().output_dim != labels || network.head().features.size < labels) {
    throw ConfigError("naive-bayes: the network needs an NgramEmbedding named '" +
                      std::string(kEvidence) + "', scaled, keyed and with an output_dim of " +
                      std::to_string(labels) + "; or leave --naive-bayes out");
  }
  const NgramEmbeddingOptions& options = layer->options();
  Ratios ratios(texts, static_cast<std::size_t>(labels));
  const View<float> units = values.at(std::string(kEvidence) + "/embedding_scales");
  std::fill(units.begin(), units.end(), 0.0f);
  each_feature(occurrences(texts.sequences, 1, false), least,
               [&](std::span<const Occurrence> feature) {
                 ratios.write(feature, units.slice(static_cast<Index>(feature[0].feature)));
               });
  if (options.ngrams > 1) {
    const View<float> ngrams = values.at(std::string(kEvidence) + "/ngram_scales");
    const View<float> keys = values.at(std::string(kEvidence) + "/ngram_keys");
    std::fill(ngrams.begin(), ngrams.end(), 0.0f);
    std::fill(keys.begin(), keys.end(), 0.0f);
    std::vector<std::uint32_t> held(static_cast<std::size_t>(options.buckets), 0);
    each_feature(occurrences(texts.sequences, options.ngrams, true), least,
                 [&](std::span<const Occurrence> feature) {
                   const std::uint64_t hash = feature[0].feature;
                   const Index bucket = NgramEmbedding::bucket_of(hash, options.buckets);
                   std::uint32_t& most = held[static_cast<std::size_t>(bucket)];
                   if (feature.size() <= most) return;
                   most = static_cast<std::uint32_t>(feature.size());
                   keys(bucket, 0) = NgramEmbedding::key_of(hash);
                   ratios.write(feature, ngrams.slice(bucket));
                 });
  }
  const View<float> kernel = values.at(network.head().name + "/kernel");
  const Index first = kernel.extent(0) - labels;
  for (Index row = 0; row < labels; ++row) {
    for (Index k = 0; k < labels; ++k) kernel(first + row, k) = row == k ? 1.0f : 0.0f;
  }
}

}  // namespace rnn
