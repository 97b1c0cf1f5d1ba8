// Entity tags: named entities and other chunks as one tag a word.
//
//   iob1   I-X inside; B-X only where an entity directly follows another of the same type
//          (Ramshaw and Marcus 1995; the CoNLL-2003 files). Read as the start of an entity wherever
//          it stands, because those very files have it elsewhere too.
//   bio    B-X for the first word of every entity, I-X for the others (IOB2)
//   bioes  B-X first, I-X inside, E-X last, S-X alone (also called IOBES)
// O stands outside in all of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/export.h"

namespace rnn {

enum class TagScheme { kIob1, kBio, kBioes };

/// "iob1", "bio" or "bioes". Throws ConfigError for another name.
RNN_API TagScheme tag_scheme(std::string_view name);
RNN_API std::string_view name_of(TagScheme scheme);

/// Words begin to end-1.
struct Entity {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string type{};

  friend bool operator==(const Entity&, const Entity&) = default;
};

/// The entities of a sentence in order. Throws TextError naming the word (from 1) for a tag that is
/// not of the scheme or cannot stand where it does: I-X of bio after O, an entity of bioes that is
/// not ended.
RNN_API std::vector<Entity> entities_of(std::span<const std::string> tags, TagScheme scheme);

/// As conlleval does: every tag is understood somehow. An entity begins at B- and S-, at a tag
/// after E- or S-, and where the type changes; it ends before such a place, before O, and after E-
/// and S-.
RNN_API std::vector<Entity> entities_of_any(std::span<const std::string> tags);

/// The tags of `words` words. The entities must be in order and not overlap.
RNN_API std::vector<std::string> tags_of(std::span<const Entity> entities, std::size_t words,
                                         TagScheme scheme);

inline std::vector<std::string> convert_tags(std::span<const std::string> tags, TagScheme from,
                                             TagScheme to) {
  return tags_of(entities_of(tags, from), tags.size(), to);
}

}  // namespace rnn
