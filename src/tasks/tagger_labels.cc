#include "tasks/tagger_labels.h"

#include <algorithm>
#include <set>

#include "rnn/error.h"
#include "text/places.h"

namespace rnn {
namespace {

struct Parts {
  char prefix = 'O';
  std::string_view type{};
};

Parts parts_of(std::string_view label) {
  if (label == "O") return {};
  return {label[0], label.substr(2)};
}

bool is_entity_tag(const std::string& tag) {
  return tag.size() > 2 && tag[1] == '-' &&
         std::string_view("BIES").find(tag[0]) != std::string_view::npos;
}

/// Whether an entity may end after this label, or the label is O.
bool may_end(Parts label, TagScheme scheme) {
  return scheme == TagScheme::kBio || label.prefix == 'O' || label.prefix == 'E' ||
         label.prefix == 'S';
}

bool continues(Parts label) { return label.prefix == 'I' || label.prefix == 'E'; }

bool may_follow(Parts before, Parts label, TagScheme scheme) {
  if (!continues(label)) return may_end(before, scheme);
  return before.type == label.type && (before.prefix == 'B' || before.prefix == 'I');
}

/// As CRFOptions::forbidden has it; K labels.
std::string forbidden_word(std::size_t from, std::size_t to, std::size_t K) {
  return (from < K ? std::to_string(from) : "start") + ">" + (to < K ? std::to_string(to) : "end");
}

}  // namespace

std::string detect_scheme(const TaggedPart& part) {
  bool entities = false, others = false, ends = false, bio = true, iob1 = true;
  part.each([&](const TaggedSentence& sentence, std::int64_t) {
    for (const std::string& tag : sentence.tags) {
      if (tag == "O") continue;
      others = others || !is_entity_tag(tag);
      entities = true;
      ends = ends || tag[0] == 'E' || tag[0] == 'S';
    }
    if (others) return;  // there are no prefixes to compare
    for (std::size_t i = 0; i < sentence.tags.size(); ++i) {
      const Parts before = i > 0 ? parts_of(sentence.tags[i - 1]) : Parts{};
      const Parts tag = parts_of(sentence.tags[i]);
      bio = bio && may_follow(before, tag, TagScheme::kBio);
      // There B only parts an entity from one of its own type directly before.
      iob1 = iob1 && (tag.prefix != 'B' || (before.prefix != 'O' && before.type == tag.type));
    }
  });
  if (!entities || others) return "none";
  if (ends) return "bioes";
  // Where both are broken it is bio with a mistake, which whoever reads the tags will tell.
  return bio || !iob1 ? "bio" : "iob1";
}

TaggerLabels::TaggerLabels(std::vector<std::string> labels, const std::string& scheme,
                           const std::string& training_scheme)
    : names_(std::move(labels)), training_scheme_(tag_scheme(training_scheme)) {
  if (scheme != "none") scheme_ = tag_scheme(scheme);
  if (training_scheme_ == TagScheme::kIob1) {
    throw ConfigError("training-scheme: expected bio or bioes, got 'iob1'");
  }
  if (entities() && names_.size() > kMostEntityLabels) {
    throw FormatError("a scheme of entities is for at most " + std::to_string(kMostEntityLabels) +
                      " labels, got " + std::to_string(names_.size()) +
                      "; join types of entities, or learn them as plain tags (--scheme none)");
  }
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (entities() && names_[i] != "O" && !is_entity_tag(names_[i])) {
      throw FormatError("label '" + names_[i] + "': expected O or a tag of the scheme " +
                        training_scheme);
    }
    if (!numbers_.emplace(names_[i], static_cast<std::int32_t>(i)).second) {
      throw FormatError("label '" + names_[i] + "' is there twice");
    }
  }
}

TaggerLabels TaggerLabels::of(const TaggedPart& part, const std::string& scheme,
                              const std::string& training_scheme) {
  const TaggerLabels none({}, scheme, training_scheme);
  std::map<std::string, std::int64_t> counts;
  if (none.entities()) counts["O"] = 0;  // so that every sentence has a possible path
  part.each([&](const TaggedSentence& sentence, std::int64_t i) {
    for (const std::string& tag : none.training_tags(sentence, part.file_of(i))) ++counts[tag];
  });
  // An entity may be as long or as short as none in training was.
  std::set<std::string> types;
  for (const auto& [name, count] : counts) {
    if (none.entities() && name != "O") types.emplace(parts_of(name).type);
  }
  for (const std::string& type : types) {
    for (const char prefix : std::string_view(training_scheme == "bio" ? "BI" : "BIES")) {
      counts.try_emplace(std::string{prefix, '-'} + type, 0);
    }
  }
  std::vector<std::string> names;
  names.reserve(counts.size());
  for (const auto& [name, count] : counts) names.push_back(name);
  std::stable_sort(names.begin(), names.end(),
                   [&](const auto& a, const auto& b) { return counts.at(a) > counts.at(b); });
  return TaggerLabels(std::move(names), scheme, training_scheme);
}

std::vector<std::string> TaggerLabels::training_tags(const TaggedSentence& sentence,
                                                     const std::string& file) const {
  if (!entities()) return sentence.tags;
  try {
    return convert_tags(sentence.tags, *scheme_, training_scheme_);
  } catch (const TextError& error) {
    throw TextError(at(file, sentence.lines.front(), 1,
                       std::string("in the sentence that starts here ") + error.what() +
                           "; mend it, or give --scheme iob1, which reads I-X as the start of an "
                           "entity wherever it stands"));
  }
}

std::vector<std::int32_t> TaggerLabels::labels_of(const TaggedSentence& sentence,
                                                  const std::string& file) const {
  std::vector<std::int32_t> labels;
  std::vector<std::string> tags;
  try {
    tags = training_tags(sentence, file);
  } catch (const TextError&) {  // conlleval counts them all the same; for the loss they say nothing
    return std::vector<std::int32_t>(sentence.tags.size(), -1);
  }
  for (const std::string& tag : tags) {
    const auto found = numbers_.find(tag);
    labels.push_back(found == numbers_.end() ? -1 : found->second);
  }
  // A sequence through a label that training has not seen may be one that decoding rules out: the
  // sentence is left out of the loss.
  if (entities()) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] < 0) {
        std::fill(labels.begin(), labels.end(), -1);
        break;
      }
    }
  }
  return labels;
}

std::vector<std::string> TaggerLabels::tags_of(std::span<const std::int32_t> labels) const {
  std::vector<std::string> tags;
  tags.reserve(labels.size());
  for (const std::int32_t label : labels) tags.push_back(names_[static_cast<std::size_t>(label)]);
  if (entities() && *scheme_ != training_scheme_) {
    return convert_tags(tags, training_scheme_, *scheme_);
  }
  return tags;
}

template <class Visit>
void TaggerLabels::each_forbidden(const Visit& visit) const {
  if (!entities()) return;
  const std::size_t K = names_.size();
  std::vector<Parts> parts;  // the last: of the start and the end
  for (const std::string& name : names_) parts.push_back(parts_of(name));
  parts.emplace_back();
  std::vector<std::size_t> all(K + 1), continuing;
  for (std::size_t i = 0; i <= K; ++i) {
    all[i] = i;
    if (continues(parts[i])) continuing.push_back(i);
  }
  for (std::size_t from = 0; from <= K; ++from) {
    for (const std::size_t to : may_end(parts[from], training_scheme_) ? continuing : all) {
      const bool good = may_follow(parts[from], parts[to], training_scheme_);
      if (!good && !visit(from, to)) return;
    }
  }
}

std::vector<std::uint8_t> TaggerLabels::allowed() const {
  if (!entities()) return {};
  const std::size_t K = names_.size();
  std::vector<std::uint8_t> allowed((K + 1) * (K + 1), 1);
  each_forbidden([&](std::size_t from, std::size_t to) {
    allowed[from * (K + 1) + to] = 0;
    return true;
  });
  return allowed;
}

std::string TaggerLabels::forbidden(std::size_t most) const {
  std::string text;
  each_forbidden([&](std::size_t from, std::size_t to) {
    const std::string word = forbidden_word(from, to, names_.size());
    const bool fits = text.size() + !text.empty() + word.size() < most;
    text += (text.empty() ? "" : " ") + (fits ? word : "...");
    return fits;
  });
  return text;
}

bool TaggerLabels::are_forbidden(std::string_view text) const {
  bool same = true, first = true;
  each_forbidden([&](std::size_t from, std::size_t to) {
    const std::string word = (first ? "" : " ") + forbidden_word(from, to, names_.size());
    first = false;
    same = text.starts_with(word);
    if (same) text.remove_prefix(word.size());
    return same;
  });
  return same && text.empty();
}

}  // namespace rnn
