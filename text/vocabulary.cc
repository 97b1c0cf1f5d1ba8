#include "rnn/text/vocabulary.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/text/line_reader.h"
#include "text/escape.h"
#include "text/places.h"
#include "text/utf8.h"

namespace rnn {

Vocabulary::Vocabulary(std::span<const VocabularyEntry> entries) {
  counts_.reserve(entries.size());
  for (const VocabularyEntry& entry : entries) {
    if (entry.symbol.empty()) {
      throw TextError("vocabulary: the symbol with the id " + std::to_string(table_.size()) +
                      " is empty");
    }
    if (table_.insert(entry.symbol) != static_cast<std::int32_t>(counts_.size())) {
      throw TextError("vocabulary: the symbol \"" + escape(entry.symbol) + "\" is there twice");
    }
    counts_.push_back(entry.count);
  }
  fingerprint_ = table_.fingerprint();
  unknown_ = table_.find(kUnknownSymbol);
  end_ = table_.find(kEndSymbol);
  if (unknown_ < 0 || end_ < 0) {
    throw TextError("vocabulary: the special symbol " +
                    std::string(unknown_ < 0 ? kUnknownSymbol : kEndSymbol) + " is missing");
  }
  for (std::size_t byte = 0; byte < bytes_.size(); ++byte) {
    const char symbol = static_cast<char>(byte);
    bytes_[byte] = table_.find({&symbol, 1});
  }
}

Vocabulary Vocabulary::load(const std::string& path) {
  // The text is checked here, so that the message tells of the escape for such bytes.
  LineReader reader(path, {.any_bytes = true, .never_packed = true});
  const auto fail_at = [&](std::size_t byte, const std::string& what) {
    throw FormatError(
        at(reader.name(), reader.line_number(), column_of(reader.line(), byte), what));
  };
  std::vector<VocabularyEntry> entries;
  SymbolTable seen;
  std::int64_t end_line = 1, end_column = 1;  // where the file ends
  while (reader.next()) {
    const std::string_view line = reader.line();
    end_line = reader.line_number();
    end_column = column_of(line, line.size());
    if (const std::size_t bad = find_invalid_utf8(line); bad != std::string_view::npos) {
      fail_at(bad, "invalid UTF-8 at byte " + std::to_string(bad + 1) +
                       " of the line; write such a byte as \\xHH");
    }
    const std::size_t tab = std::min(line.find('\t'), line.size());
    VocabularyEntry entry;
    std::size_t error_at = 0;
    if (!unescape(line.substr(0, tab), entry.symbol, error_at)) {
      fail_at(error_at, "unknown escape; expected \\s \\t \\n \\r \\\\ \\xHH or \\u{H...}");
    }
    if (entry.symbol.empty()) fail_at(0, "the symbol is empty; a space is written \\s");
    const std::size_t space = line.substr(0, tab).find(' ');
    if (space != std::string_view::npos && entry.symbol != " ") {
      fail_at(space,
              "a space; a tab stands before the count, and a space in a symbol is written \\s");
    }
    if (tab < line.size()) {
      const char* const end = line.data() + line.size();
      const auto result = std::from_chars(line.data() + tab + 1, end, entry.count);
      if (result.ec != std::errc{} || result.ptr != end || entry.count < 0) {
        fail_at(tab + 1,
                "expected a count after the tab, given \"" + escape(line.substr(tab + 1)) + "\"");
      }
    }
    if (seen.insert(entry.symbol) != static_cast<std::int32_t>(entries.size())) {
      fail_at(0, "the symbol \"" + escape(entry.symbol) + "\" is there already, in line " +
                     std::to_string(seen.find(entry.symbol) + 1));
    }
    entries.push_back(std::move(entry));
  }
  for (const std::string_view special : {kUnknownSymbol, kEndSymbol}) {
    if (seen.find(special) < 0) {
      throw FormatError(at(reader.name(), end_line, end_column,
                           "the file ends without the special symbol " + std::string(special)));
    }
  }
  return Vocabulary(entries);
}

std::string Vocabulary::to_text() const {
  std::string text;
  for (std::int32_t id = 0; id < size(); ++id) {
    append_escaped(symbol(id), text);
    text += '\t';
    text += std::to_string(count(id));
    text += '\n';
  }
  return text;
}

void Vocabulary::save(const std::string& path) const { write_file(path, to_text()); }

void VocabularyOptions::exchange(Fields& fields) {
  fields("minimum_count", minimum_count);
  fields("maximum_size", maximum_size);
}

VocabularyBuilder::VocabularyBuilder() : counts_(2) {
  table_.insert(kUnknownSymbol);
  table_.insert(kEndSymbol);
}

void VocabularyBuilder::add(std::string_view symbol, std::int64_t count) {
  const auto number = static_cast<std::size_t>(table_.insert(symbol));
  if (number == counts_.size()) counts_.push_back(0);
  counts_[number] += count;
}

void VocabularyBuilder::add(const VocabularyBuilder& other) {
  for (std::int32_t i = 0; i < other.table_.size(); ++i) {
    add(other.table_[i], other.counts_[static_cast<std::size_t>(i)]);
  }
}

std::int64_t VocabularyBuilder::count(std::string_view symbol) const {
  const std::int32_t number = table_.find(symbol);
  return number < 0 ? 0 : counts_[static_cast<std::size_t>(number)];
}

std::int64_t VocabularyBuilder::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

Vocabulary VocabularyBuilder::build(const VocabularyOptions& options) const {
  if (options.minimum_count < 0) {
    throw ConfigError("option `minimum_count`: expected 0 or more, given " +
                      std::to_string(options.minimum_count));
  }
  if (options.maximum_size < 0 || options.maximum_size == 1 || options.maximum_size == 2) {
    throw ConfigError(
        "option `maximum_size`: expected 0 (no limit) or at least 3, because <unk> and </s> are "
        "among the symbols; given " +
        std::to_string(options.maximum_size));
  }
  const auto count_of = [&](std::int32_t i) { return counts_[static_cast<std::size_t>(i)]; };
  std::vector<std::int32_t> order;
  std::int64_t most = 0;
  for (std::int32_t i = 2; i < table_.size(); ++i) {
    if (count_of(i) >= options.minimum_count) order.push_back(i);
    most = std::max(most, count_of(i));
  }
  if (order.empty() && table_.size() > 2) {
    throw ConfigError("option `minimum_count`: " + std::to_string(options.minimum_count) +
                      " leaves no symbol; the most frequent was seen " + std::to_string(most) +
                      " times");
  }
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return count_of(a) != count_of(b) ? count_of(a) > count_of(b) : table_[a] < table_[b];
  });
  if (options.maximum_size > 0 &&
      static_cast<std::int64_t>(order.size()) > options.maximum_size - 2) {
    order.resize(static_cast<std::size_t>(options.maximum_size - 2));
  }
  std::vector<VocabularyEntry> entries;
  entries.push_back({std::string(kUnknownSymbol), 0});
  entries.push_back({std::string(kEndSymbol), count_of(1)});
  std::int64_t kept = count_of(1);
  for (const std::int32_t i : order) {
    entries.push_back({std::string(table_[i]), count_of(i)});
    kept += count_of(i);
  }
  entries[0].count = total() - kept;
  return Vocabulary(entries);
}

}  // namespace rnn
