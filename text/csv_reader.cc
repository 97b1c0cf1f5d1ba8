#include "rnn/text/csv_reader.h"

#include "rnn/error.h"
#include "text/places.h"

namespace rnn {
namespace {

/// Line ends inside quotes belong to the text, so the reader must not take them away.
TextPolicy with_marks(TextPolicy policy) {
  policy.keep_marks = true;
  return policy;
}

}  // namespace

struct CsvReader::Impl {
  Impl(std::string path, const CsvOptions& given)
      : options(given), lines(std::move(path), with_marks(given.policy)) {}

  CsvOptions options;
  LineReader lines;
  std::vector<std::string> fields{};
  std::vector<Place> places{};  // of each field, and of the end
  std::size_t place_byte = 0;   // of the last place, in its line
  std::size_t expected = 0;     // fields of the first record
  std::int64_t first_line = 0;
  std::string_view line{};
  std::size_t at = 0;

  [[noreturn]] void fail(std::size_t byte, const std::string& what) const {
    throw_text_error(lines.name(), lines.line_number(), column_of(line, byte), what);
  }

  void add_place() {
    const std::int64_t number = lines.line_number();
    if (places.empty() || places.back().line != number) {
      places.push_back({number, column_of(line, at)});
    } else {
      const std::string_view since = line.substr(place_byte, at - place_byte);
      const auto more = static_cast<std::int64_t>(count_code_points(since));
      places.push_back({number, places.back().column + more});
    }
    place_byte = at;
  }

  bool next_line() {
    if (!lines.next()) return false;
    line = lines.line();
    at = 0;
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    if (lines.line_number() == 1 && line.substr(0, 3) == kMark) line.remove_prefix(3);
    return true;
  }
  bool at_end_of_record() const {
    return at == line.size() || (at + 1 == line.size() && line[at] == '\r');
  }
  bool at_separator() const { return at < line.size() && line[at] == options.separator; }

  void read_quoted(std::string& field) {
    const Place opened = places.back();  // counted on from the field before, not from the first
    ++at;
    while (true) {
      const std::size_t quote = line.find('"', at);
      field += line.substr(at, quote - at);
      if (quote == std::string_view::npos) {
        field += '\n';
        if (!next_line()) {
          throw_text_error(lines.name(), opened.line, opened.column,
                           "the quote that opens here is never closed; a quote inside a field is "
                           "doubled");
        }
        continue;
      }
      at = quote + 1;
      if (at == line.size() || line[at] != '"') return;
      field += '"';
      ++at;
    }
  }

  bool next() {
    do {
      if (!next_line()) return false;
    } while (at_end_of_record());
    first_line = lines.line_number();
    fields.clear();
    places.clear();
    while (true) {
      add_place();
      std::string& field = fields.emplace_back();
      if (options.quotes && at < line.size() && line[at] == '"') {
        read_quoted(field);
        if (!at_end_of_record() && !at_separator()) {
          fail(at,
               "expected the separator or the end of the line after the closing quote; a quote "
               "inside a field is doubled");
        }
      } else {
        const std::size_t begin = at;
        while (!at_end_of_record() && !at_separator()) ++at;
        field = line.substr(begin, at - begin);
      }
      if (!at_separator()) break;
      ++at;
    }
    add_place();
    if (expected == 0) expected = fields.size();
    if (fields.size() != expected) {
      fail(at, "expected " + std::to_string(expected) + " fields as in the first record, found " +
                   std::to_string(fields.size()));
    }
    return true;
  }
};

CsvReader::CsvReader(std::string path, const CsvOptions& options)
    : impl_(std::make_unique<Impl>(std::move(path), options)) {
  if (options.separator == '"' || options.separator == '\n' || options.separator == '\r') {
    throw ConfigError("option `separator`: expected a character that is no quote and no line end");
  }
}
CsvReader::~CsvReader() = default;
CsvReader::CsvReader(CsvReader&&) noexcept = default;
CsvReader& CsvReader::operator=(CsvReader&&) noexcept = default;

bool CsvReader::next() { return impl_->next(); }
const std::vector<std::string>& CsvReader::fields() const { return impl_->fields; }
CsvReader::Place CsvReader::place(std::size_t i) const { return impl_->places[i]; }
std::int64_t CsvReader::line_number() const { return impl_->first_line; }
const std::string& CsvReader::name() const { return impl_->lines.name(); }
std::int64_t CsvReader::bytes_read() const { return impl_->lines.bytes_read(); }
std::int64_t CsvReader::bytes_total() const { return impl_->lines.bytes_total(); }

}  // namespace rnn
