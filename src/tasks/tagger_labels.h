// The tags of a tagger as numbers, and entities from one scheme to another.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/text/entity_tags.h"
#include "rnn/view.h"
#include "tasks/tagged_part.h"

namespace rnn {

/// Labels of a scheme of entities, of which every two may or may not follow each other: in bioes,
/// of 511 types.
inline constexpr std::size_t kMostEntityLabels = 2048;

/// "none", or the scheme that all the tags are of. Without entities there is none.
std::string detect_scheme(const TaggedPart& part);

/// Labels are what the network learns: tags as they are, or entities in the scheme of training.
class TaggerLabels {
 public:
  /// `scheme` of the files: "none", "iob1", "bio" or "bioes"; `training_scheme` "bio" or "bioes".
  /// Throws ConfigError for other names, FormatError for labels that are not of the scheme, twice
  /// there or, with a scheme, more than kMostEntityLabels.
  TaggerLabels(std::vector<std::string> labels, const std::string& scheme,
               const std::string& training_scheme);
  /// The labels of these sentences, the most frequent first. Throws as `labels_of` does.
  static TaggerLabels of(const TaggedPart& part, const std::string& scheme,
                         const std::string& training_scheme);

  const std::vector<std::string>& names() const { return names_; }
  Index size() const { return static_cast<Index>(names_.size()); }
  bool entities() const { return scheme_.has_value(); }

  /// The label of each word; -1 where training has not seen it, and in a whole sentence whose
  /// entities the scheme does not allow.
  std::vector<std::int32_t> labels_of(const TaggedSentence& sentence,
                                      const std::string& file) const;
  /// The tags of labels, in the scheme of the files. Labels must be well formed.
  std::vector<std::string> tags_of(std::span<const std::int32_t> labels) const;
  /// [K+1,K+1] as CrfScores::allowed has it; empty: everything is possible.
  std::vector<std::uint8_t> allowed() const;
  /// The same as CRFOptions::forbidden; with ... for what is beyond `most` bytes.
  std::string forbidden(std::size_t most = std::string::npos) const;
  /// Whether `text` is forbidden(), which is not made for it.
  bool are_forbidden(std::string_view text) const;

 private:
  std::vector<std::string> training_tags(const TaggedSentence& sentence,
                                         const std::string& file) const;
  /// Calls visit(from, to) for what may not stand side by side, in order, K for start and end,
  /// until it returns false. Takes as long as there are calls.
  template <class Visit>
  void each_forbidden(const Visit& visit) const;

  std::vector<std::string> names_;
  std::map<std::string, std::int32_t, std::less<>> numbers_;
  std::optional<TagScheme> scheme_;
  TagScheme training_scheme_ = TagScheme::kBioes;
};

}  // namespace rnn
