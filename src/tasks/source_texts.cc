#include "tasks/source_texts.h"

#include <algorithm>
#include <set>

#include "rnn/error.h"
#include "text/escape.h"

namespace rnn {

void SourceTexts::add(const LabelledText& text, const std::string& file) {
  files_.add(size(), file);
  std::vector<std::int32_t> numbers;
  for (const std::string& label : text.labels) numbers.push_back(names_.insert(label));
  texts_.append(text.text);
  labels_.append(numbers);
  lines_.append(text.line);
}

std::string_view SourceTexts::text(std::int64_t i) const {
  const std::span<const char> text = texts_[i];
  return {text.data(), text.size()};
}

SourceTexts read_labelled(std::span<const std::string> paths, const LabelledOptions& options,
                          const Storage& storage) {
  SourceTexts texts(storage);
  LabelledText one;
  for (const std::string& path : paths) {
    LabelledReader reader(path, options);
    while (reader.next(one)) texts.add(one, reader.name());
  }
  if (texts.size() == 0) {
    throw TextError((paths.empty() ? std::string("texts") : paths.front()) +
                    ": there is no labelled text in it");
  }
  return texts;
}

std::vector<bool> hold_out(const SourceTexts& texts, float share) {
  // Of each label, and at the end of texts without one, how many are still to be kept.
  std::vector<std::int64_t> left(static_cast<std::size_t>(texts.label_count()) + 1, 0);
  const auto left_of = [&](std::int64_t i) -> std::int64_t& {
    const std::span<const std::int32_t> labels = texts.labels(i);
    return labels.empty() ? left.back() : left[static_cast<std::size_t>(labels.front())];
  };
  // In how many texts that are not held out each label stands, first or not.
  std::vector<std::int64_t> kept(static_cast<std::size_t>(texts.label_count()), 0);
  std::vector<std::int32_t> own;  // labels of one text, each once
  const auto kept_of = [&](std::int32_t label) -> std::int64_t& {
    return kept[static_cast<std::size_t>(label)];
  };
  const auto read_own = [&](std::int64_t i) {
    const std::span<const std::int32_t> labels = texts.labels(i);
    own.assign(labels.begin(), labels.end());
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
  };
  for (std::int64_t i = 0; i < texts.size(); ++i) {
    ++left_of(i);
    read_own(i);
    for (const std::int32_t label : own) ++kept_of(label);
  }
  for (std::int64_t& count : left) {
    const auto out =
        static_cast<std::int64_t>(static_cast<double>(share) * static_cast<double>(count));
    count -= count > 1 ? std::max<std::int64_t>(1, out) : 0;
  }
  std::vector<bool> held(static_cast<std::size_t>(texts.size()));
  for (std::int64_t i = 0; i < texts.size(); ++i) {
    if (left_of(i)-- > 0) continue;
    read_own(i);
    if (!std::all_of(own.begin(), own.end(), [&](auto label) { return kept_of(label) > 1; })) {
      continue;  // nothing would be left to learn one of its labels from
    }
    for (const std::int32_t label : own) --kept_of(label);
    held[static_cast<std::size_t>(i)] = true;
  }
  return held;
}

std::vector<std::string> labels_of(const SelectedTexts& texts, bool multi_label) {
  const SourceTexts& source = texts.source();
  std::vector<bool> seen(static_cast<std::size_t>(source.label_count()));
  std::int64_t first = -1;
  texts.each([&](std::int64_t i) {
    if (first < 0) first = i;
    for (const std::int32_t label : source.labels(i)) seen[static_cast<std::size_t>(label)] = true;
  });
  std::set<std::string> labels;
  for (std::int32_t label = 0; label < source.label_count(); ++label) {
    if (seen[static_cast<std::size_t>(label)]) labels.emplace(source.label(label));
  }
  if (labels.size() < (multi_label ? 1 : 2)) {
    throw TextError(
        (first < 0 ? std::string("texts") : source.file(first)) + ": a classifier needs at least " +
        (multi_label ? "one label" : "two labels") + ", got " +
        (labels.empty() ? std::string("none") : "only '" + escape(*labels.begin()) + "'") +
        "; is the label in the column or field that the options say?");
  }
  return {labels.begin(), labels.end()};
}

}  // namespace rnn
