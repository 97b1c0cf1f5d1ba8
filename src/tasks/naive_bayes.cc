#include "tasks/naive_bayes.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "layers/word_walk.h"
#include "rnn/error.h"
#include "rnn/ngram_embedding.h"
#include "text/unicode.h"
#include "text/utf8.h"

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

/// All of them, each once, in order. features_of(text, use) calls use(feature) for each of a text.
template <class FeaturesOf>
std::vector<Occurrence> occurrences(const Sequences& texts, const FeaturesOf& features_of) {
  std::size_t most = 0;
  for (std::int64_t i = 0; i < texts.size(); ++i) {
    features_of(i, [&](std::uint64_t) { ++most; });
  }
  std::vector<Occurrence> all;
  all.reserve(most);
  for (std::int64_t i = 0; i < texts.size(); ++i) {
    const auto begin = static_cast<std::ptrdiff_t>(all.size());
    features_of(i, [&](std::uint64_t feature) {
      all.push_back({feature, static_cast<std::int32_t>(i)});
    });
    std::sort(all.begin() + begin, all.end());
    all.erase(std::unique(all.begin() + begin, all.end()), all.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<Occurrence> unit_occurrences(const Sequences& texts) {
  return occurrences(texts, [&](std::int64_t i, const auto& use) {
    for (std::int64_t t = 0; t < texts.length(i); ++t) {
      use(static_cast<std::uint64_t>(texts.id(i, t)));
    }
  });
}

/// Of 2 .. `longest` units, by their hashes.
std::vector<Occurrence> ngram_occurrences(const Sequences& texts, Index longest) {
  return occurrences(texts, [&](std::int64_t i, const auto& use) {
    for (std::int64_t t = 0; t < texts.length(i); ++t) {
      std::uint64_t hash = hash_with(kNoIdsHashed, texts.id(i, t));
      for (std::int64_t k = t + 1; k < texts.length(i) && k < t + longest; ++k) {
        use(hash = hash_with(hash, texts.id(i, k)));
      }
    }
  });
}

/// Of 1 .. `longest` words, by their hashes.
std::vector<Occurrence> word_occurrences(const Sequences& texts, Index longest,
                                         View<const float> kinds) {
  return occurrences(texts, [&](std::int64_t i, const auto& use) {
    for (Index n = 1; n <= longest; ++n) {
      each_word_ngram(
          static_cast<Index>(texts.length(i)), n, [&](Index t) { return texts.id(i, t); },
          [&](std::int32_t id) { return kinds(id, 0); },
          [&](Index, Index, std::uint64_t hash) { use(hash); });
    }
  });
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

/// The options of a layer that evidence is read by; null where it is none.
const NgramEmbeddingOptions* evidence_options(const Network& network, std::string_view name) {
  const auto node =
      std::find_if(network.nodes().begin(), network.nodes().end(),
                   [&](const Network::Node& candidate) { return candidate.name == name; });
  if (node == network.nodes().end()) return nullptr;
  const auto* layer = dynamic_cast<const NgramEmbedding*>(node->layer.get());
  const bool fits = layer && layer->options().scaled && layer->options().keyed &&
                    layer->options().output_dim == network.head().classes;
  return fits ? &layer->options() : nullptr;
}

/// Factors and keys of a layer's hashed n-grams.
void set_ngrams(TensorList& values, std::string_view layer, std::span<const Occurrence> all,
                std::int64_t least, Ratios& ratios) {
  const View<float> scales = values.at(std::string(layer) + "/ngram_scales");
  const View<float> keys = values.at(std::string(layer) + "/ngram_keys");
  std::fill(scales.begin(), scales.end(), 0.0f);
  std::fill(keys.begin(), keys.end(), 0.0f);
  std::vector<std::uint32_t> held(static_cast<std::size_t>(keys.extent(0)), 0);
  each_feature(all, least, [&](std::span<const Occurrence> feature) {
    const std::uint64_t hash = feature[0].feature;
    const Index bucket = NgramEmbedding::bucket_of(hash, keys.extent(0));
    std::uint32_t& most = held[static_cast<std::size_t>(bucket)];
    if (feature.size() <= most) return;
    most = static_cast<std::uint32_t>(feature.size());
    keys(bucket, 0) = NgramEmbedding::key_of(hash);
    ratios.write(feature, scales.slice(bucket));
  });
}

float word_symbol(const Vocabulary& vocabulary, std::int32_t id) {
  if (id == vocabulary.unknown_id()) return kLetter;
  if (id == vocabulary.end_id()) return kNoWord;
  const char32_t first = decode_utf8(vocabulary.symbol(id), 0).value;
  if (is_white_space(first)) return kNoWord;
  return letter_case(first) != LetterCase::kNoLetter || digit_value(first) >= 0 ? kLetter : kMark;
}

}  // namespace

void set_word_symbols(TensorList& values, const Vocabulary& vocabulary) {
  const std::size_t place = values.find(std::string(kWordEvidence) + "/word_symbols");
  if (place == values.size()) return;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    values[place].view()(id, 0) = word_symbol(vocabulary, id);
  }
}

void set_log_count_ratios(TensorList& values, const Network& network, const EncodedTexts& texts,
                          std::int64_t least) {
  const NgramEmbeddingOptions* const evidence = evidence_options(network, kEvidence);
  const Index labels = network.head().classes;
  if (!evidence || network.head().features.size < labels) {
    throw ConfigError("naive-bayes: the network needs an NgramEmbedding named '" +
                      std::string(kEvidence) + "', scaled, keyed and with an output_dim of " +
                      std::to_string(labels) + "; or leave --naive-bayes out");
  }
  Ratios ratios(texts, static_cast<std::size_t>(labels));
  const View<float> units = values.at(std::string(kEvidence) + "/embedding_scales");
  std::fill(units.begin(), units.end(), 0.0f);
  each_feature(unit_occurrences(texts.sequences), least, [&](std::span<const Occurrence> feature) {
    ratios.write(feature, units.slice(static_cast<Index>(feature[0].feature)));
  });
  if (evidence->ngrams > 1) {
    set_ngrams(values, kEvidence, ngram_occurrences(texts.sequences, evidence->ngrams), least,
               ratios);
  }
  if (const NgramEmbeddingOptions* words = evidence_options(network, kWordEvidence)) {
    const View<const float> kinds = values.at(std::string(kWordEvidence) + "/word_symbols");
    set_ngrams(values, kWordEvidence, word_occurrences(texts.sequences, words->ngrams, kinds),
               least, ratios);
  }
  const View<float> kernel = values.at(network.head().name + "/kernel");
  const Index first = kernel.extent(0) - labels;
  for (Index row = 0; row < labels; ++row) {
    for (Index k = 0; k < labels; ++k) kernel(first + row, k) = row == k ? 1.0f : 0.0f;
  }
}

}  // namespace rnn
