#include "rnn/text/tag_reader.h"

#include <algorithm>
#include <optional>

#include "rnn/error.h"
#include "text/places.h"

namespace rnn {
namespace {

std::string ConlluWord::*member_of(const std::string& field) {
  if (field == "upos") return &ConlluWord::upos;
  if (field == "xpos") return &ConlluWord::xpos;
  if (field == "feats") return &ConlluWord::feats;
  throw ConfigError("field: expected upos, xpos or feats, got '" + field + "'");
}

std::int64_t conllu_column(const std::string& field) {
  return field == "upos" ? 4 : field == "xpos" ? 5 : 6;
}

/// Where the text of a line ends. A carriage return elsewhere is part of a cell.
std::size_t end_of(std::string_view line) {
  if (!line.ends_with('\n')) return line.size();
  return line.size() - (line.ends_with("\r\n") ? 2 : 1);
}

/// The line with a cell replaced, or added at its end when it has one column too few.
/// `mark`: bytes before the first cell.
std::string with_cell(const std::string& line, std::size_t mark, std::int64_t column,
                      std::string_view separators, const std::string& value) {
  const std::size_t end = end_of(line);
  std::size_t begin = mark, stop = mark;
  for (std::int64_t i = 1;; ++i) {
    begin = std::min(line.find_first_not_of(separators, stop), end);
    if (begin == end) {
      const char separator = line.find('\t') < end ? '\t' : ' ';
      return line.substr(0, stop) + separator + value + line.substr(stop);
    }
    stop = std::min(line.find_first_of(separators, begin), end);
    if (i == column) return line.substr(0, begin) + value + line.substr(stop);
  }
}

}  // namespace

struct TagReader::Impl {
  TagReaderOptions options;
  std::optional<ConlluReader> conllu{};
  std::optional<ConllReader> columns{};
  ConlluSentence conllu_sentence{};
  ConllSentence rows{};

  const SourceLines& source() const { return conllu ? conllu_sentence.source : rows.source; }
  const std::string& name() const { return conllu ? conllu->name() : columns->name(); }

  void take(const ConlluSentence& sentence, TaggedSentence& to) const {
    const auto tag = member_of(options.field);
    for (const ConlluWord& word : sentence.words) {
      to.words.push_back(word.form);
      to.tags.push_back(word.*tag);
    }
  }

  void take(const ConllSentence& sentence, TaggedSentence& to) const {
    for (std::size_t i = 0; i < sentence.rows.size(); ++i) {
      const std::vector<std::string>& row = sentence.rows[i];
      const auto columns_here = static_cast<std::int64_t>(row.size());
      const auto fail = [&](const char* what, std::int64_t wanted) {
        const std::size_t place = source().words[i];
        std::string_view line = source().lines[place];
        if (place == 0) line.remove_prefix(source().mark);
        throw_text_error(name(), source().first + static_cast<std::int64_t>(place),
                         column_of(line, end_of(line)),
                         std::string("expected the ") + what + " in column " +
                             std::to_string(wanted) + ", the row has " +
                             std::to_string(columns_here) + "; is --column right?");
      };
      if (options.word_column > columns_here) fail("word", options.word_column);
      to.words.push_back(row[static_cast<std::size_t>(options.word_column - 1)]);
      if (options.column <= columns_here) {
        to.tags.push_back(row[static_cast<std::size_t>(options.column - 1)]);
      } else if (options.needs_tags || options.column > columns_here + 1) {
        fail("tag", options.column);
      }
    }
  }
};

TagReader::TagReader(std::string path, const TagReaderOptions& options)
    : impl_(new Impl{.options = options}) {
  if (options.field.empty() == (options.column == 0)) {
    throw ConfigError(
        "the tag: expected either --field (upos, xpos or feats of CoNLL-U) or --column (of a "
        "file of columns, from 1), and not both");
  }
  if (!options.field.empty()) {
    member_of(options.field);
    impl_->conllu.emplace(std::move(path), options.policy);
    return;
  }
  if (options.column < 1) {
    throw ConfigError("column: expected 1 or more, got " + std::to_string(options.column));
  }
  if (options.word_column < 1 || options.word_column == options.column) {
    throw ConfigError("word-column: expected 1 or more and not that of the tag, got " +
                      std::to_string(options.word_column));
  }
  impl_->columns.emplace(std::move(path), ConllOptions{.policy = options.policy});
}
TagReader::~TagReader() = default;
TagReader::TagReader(TagReader&&) noexcept = default;

bool TagReader::next(TaggedSentence& sentence) {
  sentence = {};
  Impl& m = *impl_;
  if (m.conllu) {
    if (!m.conllu->next(m.conllu_sentence)) return false;
    m.take(m.conllu_sentence, sentence);
  } else {
    if (!m.columns->next(m.rows)) return false;
    m.take(m.rows, sentence);
  }
  for (const std::size_t line : m.source().words) {
    sentence.lines.push_back(m.source().first + static_cast<std::int64_t>(line));
  }
  return true;
}

TagReader::Lines TagReader::lines() const {
  const Impl& m = *impl_;
  Lines lines;
  lines.source_ = m.source();
  lines.only_tabs_ = m.conllu.has_value();
  lines.column_ = m.conllu ? conllu_column(m.options.field) : m.options.column;
  return lines;
}

std::string TagReader::Lines::with_tags(std::span<const std::string> tags) const {
  if (tags.size() != source_.words.size()) {
    throw ShapeError("with_tags: the sentence has " + std::to_string(source_.words.size()) +
                     " words, got " + std::to_string(tags.size()) + " tags");
  }
  std::string text;
  std::size_t word = 0;
  for (std::size_t i = 0; i < source_.lines.size(); ++i) {
    if (word < source_.words.size() && source_.words[word] == i) {
      text += with_cell(source_.lines[i], i == 0 ? source_.mark : 0, column_,
                        only_tabs_ ? "\t" : " \t", tags[word++]);
    } else {
      text += source_.lines[i];
    }
  }
  return text;
}

const std::string& TagReader::name() const { return impl_->name(); }

}  // namespace rnn
