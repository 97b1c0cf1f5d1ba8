#include "rnn/text/conll_reader.h"

#include <algorithm>
#include <charconv>

#include "rnn/error.h"
#include "text/places.h"

namespace rnn {
namespace {

/// A whole number from 0 that is all of the text, without zeros before it; -1 for anything else.
std::int64_t whole_number(std::string_view text) {
  if (text.size() > 1 && text[0] == '0') return -1;
  std::int64_t value = -1;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc{} && result.ptr == end && value >= 0 ? value : -1;
}

void begin(SourceLines& source, const LineReader& lines) {
  source.first = lines.line_number() + 1;
  source.lines.clear();
  source.words.clear();
  source.mark = 0;
}

void add(SourceLines& source, const LineReader& lines) {
  if (source.lines.empty()) source.mark = lines.line_start().size();
  std::string& line = source.lines.emplace_back(lines.line_start());
  line += lines.line();
  line += lines.line_end();
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t") == std::string_view::npos;
}

}  // namespace

ConllReader::ConllReader(std::string path, const ConllOptions& options)
    : options_(options), lines_(std::move(path), options.policy) {}

bool ConllReader::next(ConllSentence& sentence) {
  sentence.rows.clear();
  begin(sentence.source, lines_);
  while (lines_.next()) {
    rnn::add(sentence.source, lines_);
    const std::string_view line = lines_.line();
    if (is_blank(line)) {
      if (!sentence.rows.empty()) return true;
      continue;
    }
    if (!options_.document_mark.empty() &&
        line.substr(0, options_.document_mark.size()) == options_.document_mark) {
      if (!sentence.rows.empty()) return true;
      continue;
    }
    std::vector<std::string> row;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t begin = line.find_first_not_of(" \t", at);
      if (begin == std::string_view::npos) break;
      at = std::min(line.find_first_of(" \t", begin), line.size());
      row.emplace_back(line.substr(begin, at - begin));
    }
    if (columns_ == 0) columns_ = row.size();
    if (row.size() != columns_) {
      throw_text_error(lines_.name(), lines_.line_number(), column_of(line, line.size()),
                       "expected " + std::to_string(columns_) +
                           " columns as in the first row, found " + std::to_string(row.size()));
    }
    if (sentence.rows.empty()) sentence.line = lines_.line_number();
    sentence.rows.push_back(std::move(row));
    sentence.source.words.push_back(sentence.source.lines.size() - 1);
  }
  return !sentence.rows.empty();
}

std::string ConlluSentence::comment(std::string_view wanted) const {
  for (const std::string& text : comments) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) continue;
    std::string_view key(text.data(), equals), value(text);
    value.remove_prefix(equals + 1);
    while (!key.empty() && key.back() == ' ') key.remove_suffix(1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (key == wanted) return std::string(value);
  }
  return {};
}

std::string ConlluSentence::spelled() const {
  std::string text;
  const auto add = [&](const ConlluWord& token) {
    text += token.form;
    if (('|' + token.misc + '|').find("|SpaceAfter=No|") == std::string::npos) text += ' ';
  };
  std::size_t range = 0;
  for (std::size_t i = 0; i < words.size();) {
    if (range < multiword.size() &&
        whole_number(multiword[range].id.substr(0, multiword[range].id.find('-'))) ==
            static_cast<std::int64_t>(i + 1)) {
      add(multiword[range]);
      i = static_cast<std::size_t>(
          whole_number(multiword[range].id.substr(multiword[range].id.find('-') + 1)));
      ++range;
    } else {
      add(words[i++]);
    }
  }
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

namespace {

/// Lines that belong to no sentence, such as a remark at the end of a file.
bool only_comments(const ConlluSentence& sentence) {
  return sentence.words.empty() && sentence.multiword.empty() && sentence.empty.empty();
}

}  // namespace

ConlluReader::ConlluReader(std::string path, const TextPolicy& policy)
    : lines_(std::move(path), policy) {}

void ConlluReader::add(std::string_view line, ConlluSentence& sentence) {
  const auto fail = [&](std::size_t byte, const std::string& what) {
    throw_text_error(lines_.name(), lines_.line_number(), column_of(line, byte), what);
  };
  std::array<std::string, 10> columns;
  std::size_t at = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::size_t tab = std::min(line.find('\t', at), line.size());
    if ((tab == line.size()) != (i + 1 == columns.size())) {
      fail(tab, "expected 10 columns separated by tabs, found " +
                    (tab == line.size() ? std::to_string(i + 1) : std::string("more")));
    }
    if (tab == at) fail(at, "column " + std::to_string(i + 1) + " is empty; nothing is written _");
    columns[i] = line.substr(at, tab - at);
    at = tab + 1;
  }
  ConlluWord word{std::move(columns[0]), std::move(columns[1]), std::move(columns[2]),
                  std::move(columns[3]), std::move(columns[4]), std::move(columns[5]),
                  std::move(columns[6]), std::move(columns[7]), std::move(columns[8]),
                  std::move(columns[9])};
  const auto words = static_cast<std::int64_t>(sentence.words.size());
  const std::size_t mark = word.id.find_first_of("-.");
  const std::int64_t first = whole_number(std::string_view(word.id).substr(0, mark));
  if (mark == std::string::npos) {
    if (first != words + 1) {
      fail(0, "expected the id " + std::to_string(words + 1) + ", found \"" + word.id + "\"");
    }
    sentence.words.push_back(std::move(word));
    sentence.source.words.push_back(sentence.source.lines.size() - 1);
    return;
  }
  const std::int64_t second = whole_number(std::string_view(word.id).substr(mark + 1));
  if (word.id[mark] == '-') {
    // The next one must not start before the last one ended.
    std::int64_t last = words;
    if (!sentence.multiword.empty()) {
      const std::string& id = sentence.multiword.back().id;
      last = std::max(last, whole_number(std::string_view(id).substr(id.find('-') + 1)));
    }
    if (first != words + 1 || first <= last || second <= first) {
      fail(0, "expected a range that starts at " + std::to_string(last + 1) + ", found \"" +
                  word.id + "\"");
    }
    sentence.multiword.push_back(std::move(word));
  } else {
    // Those after one word are numbered from 1, so the last one says how many there are.
    const std::string before = std::to_string(words) + '.';
    std::int64_t seen = 0;
    if (!sentence.empty.empty() && sentence.empty.back().id.starts_with(before)) {
      seen = whole_number(std::string_view(sentence.empty.back().id).substr(before.size()));
    }
    if (first != words || second != seen + 1) {
      fail(0, "expected the empty node " + before + std::to_string(seen + 1) + ", found \"" +
                  word.id + "\"");
    }
    sentence.empty.push_back(std::move(word));
  }
}

void ConlluReader::check_heads(const ConlluSentence& sentence) const {
  const auto words = static_cast<std::int64_t>(sentence.words.size());
  const auto fail = [&](const std::string& what) {
    throw_text_error(lines_.name(), sentence.line, 1, "in the sentence that starts here, " + what);
  };
  for (std::size_t i = 0; i < sentence.words.size(); ++i) {
    const ConlluWord& word = sentence.words[i];
    const std::int64_t head = whole_number(word.head);
    if (word.head != "_" && (head < 0 || head > words)) {
      const std::size_t line = sentence.source.words[i];
      std::string_view text = sentence.source.lines[line];
      if (line == 0) text.remove_prefix(sentence.source.mark);
      std::size_t column = 0;  // the seventh
      for (int tabs = 0; tabs < 6; ++tabs) column = text.find('\t', column) + 1;
      throw_text_error(lines_.name(), sentence.source.first + static_cast<std::int64_t>(line),
                       column_of(text, column),
                       "word " + word.id + " has the head \"" + word.head + "\"; expected 0 to " +
                           std::to_string(words) + " or _");
    }
  }
  if (!sentence.multiword.empty()) {
    const std::string& id = sentence.multiword.back().id;
    if (whole_number(std::string_view(id).substr(id.find('-') + 1)) > words) {
      fail("the range " + id + " goes beyond the last word");
    }
  }
  if (words == 0) fail("there is no word");
}

bool ConlluReader::next(ConlluSentence& sentence) {
  sentence = {};
  begin(sentence.source, lines_);
  while (lines_.next()) {
    rnn::add(sentence.source, lines_);
    const std::string_view line = lines_.line();
    if (is_blank(line)) {
      if (only_comments(sentence)) {
        sentence.comments.clear();
        sentence.line = 0;
        continue;
      }
      check_heads(sentence);
      return true;
    }
    if (sentence.line == 0) sentence.line = lines_.line_number();
    if (line[0] == '#') {
      const std::size_t begin = std::min(line.find_first_not_of(' ', 1), line.size());
      sentence.comments.emplace_back(line.substr(begin));
    } else {
      add(line, sentence);
    }
  }
  if (only_comments(sentence)) return false;
  check_heads(sentence);
  return true;
}

}  // namespace rnn
