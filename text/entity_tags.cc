#include "rnn/text/entity_tags.h"

#include "rnn/error.h"

namespace rnn {
namespace {

/// Turns prefixes and types into entities.
class EntityBuilder {
 public:
  void begin(std::size_t word, std::string_view type) {
    close(word);
    entities_.push_back({word, 0, std::string(type)});
    open_ = true;
  }
  void close(std::size_t word) {
    if (open_) entities_.back().end = word;
    open_ = false;
  }
  bool continues(std::string_view type) const { return open_ && entities_.back().type == type; }
  bool open() const { return open_; }
  std::vector<Entity> take(std::size_t words) {
    close(words);
    return std::move(entities_);
  }

 private:
  std::vector<Entity> entities_;
  bool open_ = false;
};

struct Tag {
  char prefix = 'O';
  std::string_view type{};
};

/// False when it is neither O nor a letter, a hyphen and a type.
bool parse(std::string_view text, std::string_view prefixes, Tag& tag) {
  tag = {};
  if (text == "O") return true;
  if (text.size() < 3 || text[1] != '-' || prefixes.find(text[0]) == std::string_view::npos) {
    return false;
  }
  tag = {text[0], text.substr(2)};
  return true;
}

[[noreturn]] void fail(std::span<const std::string> tags, std::size_t word, TagScheme scheme,
                       const std::string& what) {
  throw TextError("the tag \"" + tags[word] + "\" of word " + std::to_string(word + 1) + " " +
                  what + " in the scheme " + std::string(name_of(scheme)));
}

}  // namespace

TagScheme tag_scheme(std::string_view name) {
  if (name == "iob1") return TagScheme::kIob1;
  if (name == "bio") return TagScheme::kBio;
  if (name == "bioes") return TagScheme::kBioes;
  throw ConfigError("tag scheme: expected iob1, bio or bioes; given \"" + std::string(name) + "\"");
}

std::string_view name_of(TagScheme scheme) {
  switch (scheme) {
    case TagScheme::kIob1:
      return "iob1";
    case TagScheme::kBio:
      return "bio";
    default:
      return "bioes";
  }
}

std::vector<Entity> entities_of(std::span<const std::string> tags, TagScheme scheme) {
  EntityBuilder builder;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    Tag tag;
    if (!parse(tags[i], scheme == TagScheme::kBioes ? "BIES" : "BI", tag)) {
      fail(tags, i, scheme, "is not one");
    }
    const bool continues = builder.continues(tag.type);
    const bool inside = tag.prefix == 'I' || tag.prefix == 'E';
    if (scheme == TagScheme::kBioes && builder.open() && !(inside && continues)) {
      fail(tags, i, scheme, "comes before the end of the entity");
    }
    if (inside && !continues && scheme != TagScheme::kIob1) {
      fail(tags, i, scheme, "does not continue an entity of its type");
    }
    if (tag.prefix == 'O') {
      builder.close(i);
    } else if (!inside || !continues) {
      builder.begin(i, tag.type);
    }
    if (tag.prefix == 'E' || tag.prefix == 'S') builder.close(i + 1);
  }
  if (scheme == TagScheme::kBioes && builder.open()) {
    fail(tags, tags.size() - 1, scheme, "leaves an entity without its end");
  }
  return builder.take(tags.size());
}

std::vector<Entity> entities_of_any(std::span<const std::string> tags) {
  EntityBuilder builder;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    Tag tag;
    if (!parse(tags[i], "BIES", tag) || tag.prefix == 'O') {
      builder.close(i);
      continue;
    }
    if (tag.prefix == 'B' || tag.prefix == 'S' || !builder.continues(tag.type)) {
      builder.begin(i, tag.type);
    }
    if (tag.prefix == 'E' || tag.prefix == 'S') builder.close(i + 1);
  }
  return builder.take(tags.size());
}

std::vector<std::string> tags_of(std::span<const Entity> entities, std::size_t words,
                                 TagScheme scheme) {
  std::vector<std::string> tags(words, "O");
  const Entity* before = nullptr;
  for (const Entity& entity : entities) {
    if (entity.begin >= entity.end || entity.end > words ||
        (before && entity.begin < before->end)) {
      throw TextError("entities of a sentence of " + std::to_string(words) + " words: words " +
                      std::to_string(entity.begin + 1) + " to " + std::to_string(entity.end) +
                      " are empty, outside or overlap with another");
    }
    const bool touches = before && before->end == entity.begin && before->type == entity.type;
    for (std::size_t i = entity.begin; i < entity.end; ++i) {
      const bool first = i == entity.begin, last = i + 1 == entity.end;
      char prefix = 'I';
      if (scheme == TagScheme::kIob1) {
        if (first && touches) prefix = 'B';
      } else if (scheme == TagScheme::kBio) {
        if (first) prefix = 'B';
      } else if (first || last) {
        prefix = first && last ? 'S' : first ? 'B' : 'E';
      }
      tags[i] = std::string(1, prefix) + "-" + entity.type;
    }
    before = &entity;
  }
  return tags;
}

}  // namespace rnn
