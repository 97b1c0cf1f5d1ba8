#include "rnn/text/vectors_reader.h"

#include <charconv>
#include <cmath>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/line_reader.h"
#include "text/places.h"

namespace rnn {
namespace {

constexpr Index kLargestWidth = 65536;

bool separates(char c) { return c == ' ' || c == '\t'; }

/// Takes the last field off a line; empty when nothing is left.
std::string_view take_last(std::string_view& line) {
  while (!line.empty() && separates(line.back())) line.remove_suffix(1);
  std::size_t start = line.size();
  while (start > 0 && !separates(line[start - 1])) --start;
  const std::string_view field = line.substr(start);
  line = line.substr(0, start);
  return field;
}

template <class Number>
bool parse(std::string_view field, Number& number) {
  const char* end = field.data() + field.size();
  if (!field.empty() && field.front() == '+') field.remove_prefix(1);
  const auto parsed = std::from_chars(field.data(), end, number);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

/// The lines of a file of vectors, its first line understood.
class Lines {
 public:
  explicit Lines(const std::string& path) : reader_(path) {
    if (!reader_.next()) throw TextError(reader_.name() + ": empty; expected word vectors");
    std::string_view rest = reader_.line();
    std::int64_t count = 0, width = 0;
    const std::string_view last = take_last(rest), first = take_last(rest);
    if (take_last(rest).empty() && parse(first, count) && parse(last, width)) {
      if (width < 1 || width > kLargestWidth || count < 0) {
        wrong(0, "a header of " + std::string(first) + " vectors, " + std::string(last) +
                     " numbers wide");
      }
      width_ = width;
      claimed_ = count;
      more_ = reader_.next();
      return;
    }
    // No header: all but the word are numbers. A word with a space in it must not come first.
    rest = reader_.line();
    Index fields = 0;
    while (!take_last(rest).empty()) ++fields;
    width_ = fields - 1;
    if (width_ < 1 || width_ > kLargestWidth) {
      wrong(0, "a line of " + std::to_string(fields) + " fields");
    }
  }

  Index width() const { return width_; }

  /// The word of the next line, its numbers in `values`; false at the end.
  bool next(std::string_view& word, std::vector<float>& values) {
    if (!more_) {
      if (claimed_ >= 0 && claimed_ != read_) {
        throw TextError(reader_.name() + ": damaged: its header claims " +
                        std::to_string(claimed_) + " vectors, it has " + std::to_string(read_));
      }
      return false;
    }
    std::string_view rest = reader_.line();
    for (Index i = width_; i-- > 0;) {
      const std::string_view field = take_last(rest);
      if (field.empty())
        wrong(reader_.line().size(), "fewer than " + std::to_string(width_) + " numbers");
      float& value = values[static_cast<std::size_t>(i)];
      if (!parse(field, value) || !std::isfinite(value)) {
        wrong(static_cast<std::size_t>(field.data() - reader_.line().data()),
              "'" + std::string(field.substr(0, 40)) + "' where a number should be");
      }
    }
    // One separator stands between word and numbers; more would be part of the word.
    if (!rest.empty()) rest.remove_suffix(1);
    if (rest.empty()) wrong(0, "no word before the numbers");
    word_ = rest;
    word = word_;
    ++read_;
    more_ = reader_.next();
    return true;
  }

 private:
  [[noreturn]] void wrong(std::size_t byte, const std::string& what) const {
    throw_text_error(reader_.name(), reader_.line_number(), column_of(reader_.line(), byte),
                     what +
                         "; expected a word and its numbers, as word2vec and GloVe write "
                         "them as text");
  }

  LineReader reader_;
  Index width_ = 0;
  std::int64_t claimed_ = -1, read_ = 0;  // claimed: below 0 without a header
  bool more_ = true;
  std::string word_;
};

}  // namespace

Index vectors_width(const std::string& path) { return Lines(path).width(); }

VectorsReport load_vectors(const std::string& path, const Vocabulary& vocabulary,
                           View<float> table) {
  Lines lines(path);
  if (table.shape().rank() != 2 || table.extent(0) != vocabulary.size()) {
    throw ConfigError(path + ": expected a table with a row for each of " +
                      std::to_string(vocabulary.size()) + " symbols, got " +
                      table.shape().to_string());
  }
  if (lines.width() != table.extent(1)) {
    throw ConfigError(path + ": its vectors are " + std::to_string(lines.width()) +
                      " numbers wide, the embedding " + std::to_string(table.extent(1)) +
                      "; give the embedding the width of the vectors");
  }
  VectorsReport report;
  std::vector<bool> has(static_cast<std::size_t>(vocabulary.size()));
  std::vector<float> values(static_cast<std::size_t>(lines.width()));
  std::string_view word;
  while (lines.next(word, values)) {
    ++report.vectors;
    const std::int32_t id = vocabulary.find(word);
    if (id < 0) continue;
    const auto place = static_cast<std::size_t>(id);
    if (has[place]) {
      ++report.repeated;
      continue;
    }
    has[place] = true;
    ++report.used;
    std::copy(values.begin(), values.end(), &table(id, 0));
  }
  report.missing = vocabulary.size() - report.used;
  return report;
}

}  // namespace rnn
