#include "tasks/labelled_texts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "rnn/error.h"
#include "text/escape.h"
#include "text/places.h"

namespace rnn {
namespace {

constexpr std::size_t kLabelsInMessage = 8;

/// With the escapes that class-weights takes.
std::string listed(std::span<const std::string> labels) {
  std::string text;
  for (std::size_t i = 0; i < labels.size() && i < kLabelsInMessage; ++i) {
    text += (i > 0 ? ", " : "") + escape(labels[i]);
  }
  return labels.size() > kLabelsInMessage
             ? text + " and " + std::to_string(labels.size() - kLabelsInMessage) + " more"
             : text;
}

/// The number of a label that is written as it is or with escapes, or the number of labels.
std::size_t label_number(std::string_view written, std::span<const std::string> labels) {
  const auto find = [&](std::string_view label) {
    const auto found = std::lower_bound(labels.begin(), labels.end(), label);
    const bool known = found != labels.end() && *found == label;
    return known ? static_cast<std::size_t>(found - labels.begin()) : labels.size();
  };
  const std::size_t number = find(written);
  std::string label;
  std::size_t error_at = 0;
  return number == labels.size() && unescape(written, label, error_at) ? find(label) : number;
}

}  // namespace

EncodedTexts encode_texts(const SelectedTexts& texts, const TextEncoder& encoder,
                          const Vocabulary& vocabulary, std::span<const std::string> labels,
                          bool multi_label, const Storage& storage) {
  EncodedTexts encoded(storage);
  const SourceTexts& source = texts.source();
  std::vector<std::int32_t> number_of;  // of each label of the source among `labels`, or -1
  for (std::int32_t label = 0; label < source.label_count(); ++label) {
    const auto found = std::lower_bound(labels.begin(), labels.end(), source.label(label));
    const bool known = found != labels.end() && *found == source.label(label);
    number_of.push_back(known ? static_cast<std::int32_t>(found - labels.begin()) : -1);
  }
  std::vector<std::int32_t> ids, numbers;
  texts.each([&](std::int64_t i) {
    numbers.clear();
    for (const std::int32_t label : source.labels(i)) {
      numbers.push_back(number_of[static_cast<std::size_t>(label)]);
      if (numbers.back() < 0) {
        throw TextError(
            at(source.file(i), source.line(i), 1,
               "the label '" + escape(source.label(label)) +
                   "' is not one that the model learns, which are " + listed(labels) +
                   "; correct it, leave the text out, or train with texts that have it"));
      }
    }
    if (!multi_label && numbers.size() != 1) {
      throw TextError(at(source.file(i), source.line(i), 1,
                         "expected one label, got " + std::to_string(numbers.size()) +
                             "; give --multi-label for texts with any number of them"));
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    encoded.unknown += encoder.encode(source.text(i), vocabulary, ids);
    encoded.empty += ids.size() == 1 && ids[0] == vocabulary.end_id();
    encoded.units += static_cast<std::int64_t>(ids.size());
    encoded.sequences.add(ids, numbers.empty() ? -1 : numbers.front());
    encoded.labels.append(numbers);
  });
  return encoded;
}

std::vector<float> class_weights_of(const std::string& text, std::span<const std::string> labels,
                                    const EncodedTexts& train) {
  if (text.empty()) return {};
  std::vector<float> weights(labels.size(), 1.0f);
  if (text == "balanced") {
    std::vector<double> counts(labels.size(), 0);
    for (std::int64_t i = 0; i < train.size(); ++i) {
      ++counts[static_cast<std::size_t>(train.labels[i].front())];
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
      weights[i] = static_cast<float>(static_cast<double>(train.size()) /
                                      (static_cast<double>(labels.size()) * counts[i]));
    }
    return weights;
  }
  std::istringstream items(text);
  for (std::string item; items >> item;) {
    const std::size_t equals = item.rfind('=');
    const std::string label = item.substr(0, equals);
    float weight = -1;
    const char* const end = item.data() + item.size();
    const bool parsed = equals != std::string::npos &&
                        std::from_chars(item.data() + equals + 1, end, weight).ptr == end;
    if (!parsed || weight < 0 || !std::isfinite(weight)) {
      throw ConfigError(
          "class-weights: expected balanced, or LABEL=X with X at least 0 and spaces "
          "between (one in a label is written \\s); got '" +
          item + "'");
    }
    const std::size_t number = label_number(label, labels);
    if (number == labels.size()) {
      throw ConfigError("class-weights: '" + label + "' is none of the labels, which are " +
                        listed(labels));
    }
    weights[number] = weight;
  }
  return weights;
}

bool ClassifierBatches::next(Batch& batch) {
  if (!dataset_.next(batch)) return false;
  if (!multi_label_) return true;
  batch.targets.assign(batch.examples.size() * labels_, 0);
  for (std::size_t b = 0; b < batch.examples.size(); ++b) {
    for (std::int32_t label : texts_.labels[static_cast<std::int64_t>(batch.examples[b])]) {
      batch.targets[b * labels_ + static_cast<std::size_t>(label)] = 1;
    }
  }
  return true;
}

}  // namespace rnn
