#include "tasks/labelled_texts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "base/file.h"
#include "rnn/error.h"

namespace rnn {
namespace {

constexpr std::size_t kLabelsInMessage = 8;

std::string listed(std::span<const std::string> labels) {
  std::string text;
  for (std::size_t i = 0; i < labels.size() && i < kLabelsInMessage; ++i) {
    text += (i > 0 ? ", " : "") + labels[i];
  }
  return labels.size() > kLabelsInMessage
             ? text + " and " + std::to_string(labels.size() - kLabelsInMessage) + " more"
             : text;
}

}  // namespace

std::vector<SourceText> read_labelled(std::span<const std::string> paths,
                                      const LabelledOptions& options) {
  std::vector<SourceText> texts;
  LabelledText one;
  for (const std::string& path : paths) {
    LabelledReader reader(path, options);
    while (reader.next(one)) texts.push_back({one.labels, one.text, path, one.line});
  }
  if (texts.empty()) {
    throw TextError((paths.empty() ? std::string("texts") : paths.front()) +
                    ": there is no labelled text in it");
  }
  return texts;
}

std::vector<SourceText> hold_out(std::vector<SourceText>& texts, float share) {
  const auto key = [](const SourceText& text) {
    return text.labels.empty() ? std::string() : text.labels.front();
  };
  std::map<std::string, std::int64_t> left;  // how many of a label are still to be kept
  for (const SourceText& text : texts) ++left[key(text)];
  for (auto& [label, count] : left) {
    const auto out =
        static_cast<std::int64_t>(static_cast<double>(share) * static_cast<double>(count));
    count -= count > 1 ? std::max<std::int64_t>(1, out) : 0;
  }
  std::vector<SourceText> kept, held;
  for (SourceText& text : texts) {
    (left[key(text)]-- > 0 ? kept : held).push_back(std::move(text));
  }
  texts = std::move(kept);
  return held;
}

std::vector<std::string> labels_of(std::span<const SourceText> texts, bool multi_label) {
  std::set<std::string> labels;
  for (const SourceText& text : texts) labels.insert(text.labels.begin(), text.labels.end());
  if (labels.size() < (multi_label ? 1 : 2)) {
    throw TextError((texts.empty() ? std::string("texts") : texts.front().file) +
                    ": a classifier needs at least " + (multi_label ? "one label" : "two labels") +
                    ", got " +
                    (labels.empty() ? std::string("none") : "only '" + *labels.begin() + "'") +
                    "; is the label in the column or field that the options say?");
  }
  return {labels.begin(), labels.end()};
}

EncodedTexts encode_texts(std::span<const SourceText> texts, const TextEncoder& encoder,
                          const Vocabulary& vocabulary, std::span<const std::string> labels,
                          bool multi_label) {
  EncodedTexts encoded;
  std::vector<std::int32_t> ids;
  for (const SourceText& text : texts) {
    std::vector<std::int32_t> numbers;
    for (const std::string& label : text.labels) {
      const auto found = std::lower_bound(labels.begin(), labels.end(), label);
      if (found == labels.end() || *found != label) {
        throw TextError(
            at(text.file, text.line,
               "the label '" + label + "' is not one that the model learns, which are " +
                   listed(labels) +
                   "; correct it, leave the text out, or train with texts that have it"));
      }
      numbers.push_back(static_cast<std::int32_t>(found - labels.begin()));
    }
    if (!multi_label && numbers.size() != 1) {
      throw TextError(at(text.file, text.line,
                         "expected one label, got " + std::to_string(numbers.size()) +
                             "; give --multi-label for texts with any number of them"));
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    encoded.unknown += encoder.encode(text.text, vocabulary, ids);
    encoded.empty += ids.size() == 1 && ids[0] == vocabulary.end_id();
    encoded.units += static_cast<std::int64_t>(ids.size());
    encoded.sequences.add(ids, numbers.empty() ? -1 : numbers.front());
    encoded.labels.push_back(std::move(numbers));
  }
  return encoded;
}

std::vector<float> class_weights_of(const std::string& text, std::span<const std::string> labels,
                                    const EncodedTexts& train) {
  if (text.empty()) return {};
  std::vector<float> weights(labels.size(), 1.0f);
  if (text == "balanced") {
    std::vector<double> counts(labels.size(), 0);
    for (const auto& own : train.labels) ++counts[static_cast<std::size_t>(own.front())];
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
    const auto found = std::lower_bound(labels.begin(), labels.end(), label);
    float weight = -1;
    const char* const end = item.data() + item.size();
    const bool parsed = equals != std::string::npos &&
                        std::from_chars(item.data() + equals + 1, end, weight).ptr == end;
    if (!parsed || weight < 0 || !std::isfinite(weight)) {
      throw ConfigError(
          "class-weights: expected balanced, or LABEL=X with X at least 0 and spaces "
          "between; got '" +
          item + "'");
    }
    if (found == labels.end() || *found != label) {
      throw ConfigError("class-weights: '" + label + "' is none of the labels, which are " +
                        listed(labels));
    }
    weights[static_cast<std::size_t>(found - labels.begin())] = weight;
  }
  return weights;
}

bool ClassifierBatches::next(Batch& batch) {
  if (!dataset_.next(batch)) return false;
  if (!multi_label_) return true;
  batch.targets.assign(batch.examples.size() * labels_, 0);
  for (std::size_t b = 0; b < batch.examples.size(); ++b) {
    for (std::int32_t label : texts_.labels[batch.examples[b]]) {
      batch.targets[b * labels_ + static_cast<std::size_t>(label)] = 1;
    }
  }
  return true;
}

}  // namespace rnn
