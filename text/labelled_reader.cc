#include "rnn/text/labelled_reader.h"

#include <algorithm>
#include <exception>

#include "base/json.h"
#include "rnn/error.h"
#include "rnn/text/csv_reader.h"
#include "text/places.h"
#include "text/unicode.h"

namespace rnn {

class LabelledReader::Format {
 public:
  virtual ~Format() = default;
  virtual bool next(LabelledText& example) = 0;
  virtual const std::string& name() const = 0;
};

namespace {

/// A format of one example a line.
class LineFormat : public LabelledReader::Format {
 public:
  LineFormat(const std::string& path, const LabelledOptions& options)
      : options_(options), lines_(path, options.policy) {}

  bool next(LabelledText& example) final {
    do {
      if (!lines_.next()) return false;
    } while (all_white_space(lines_.line()));
    example.labels.clear();
    example.text.clear();
    example.line = lines_.line_number();
    read(lines_.line(), example);
    return true;
  }

  const std::string& name() const final { return lines_.name(); }

 protected:
  virtual void read(std::string_view line, LabelledText& example) = 0;

  [[noreturn]] void fail(std::size_t byte, const std::string& what) const {
    throw_text_error(lines_.name(), lines_.line_number(), column_of(lines_.line(), byte), what);
  }
  LabelledOptions options_;

 private:
  LineReader lines_;
};

class TabFormat final : public LineFormat {
 public:
  using LineFormat::LineFormat;

 private:
  void read(std::string_view line, LabelledText& example) override {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) {
      fail(line.size(), "expected a label, a tab and the text; found no tab");
    }
    if (all_white_space(line.substr(0, tab))) fail(0, "the label is empty");
    example.labels.emplace_back(line.substr(0, tab));
    example.text = line.substr(tab + 1);
  }
};

class FastTextFormat final : public LineFormat {
 public:
  using LineFormat::LineFormat;

 private:
  void read(std::string_view line, LabelledText& example) override {
    const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    const std::string& prefix = options_.label_prefix;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t gap = at;
      while (at < line.size() && is_space(line[at])) ++at;
      const std::size_t begin = at;
      while (at < line.size() && !is_space(line[at])) ++at;
      const std::string_view word = line.substr(begin, at - begin);
      if (!word.empty() && word.substr(0, prefix.size()) == prefix) {
        if (word.size() == prefix.size())
          fail(begin, "the label is empty after \"" + prefix + "\"");
        example.labels.emplace_back(word.substr(prefix.size()));
      } else {
        if (!example.text.empty()) example.text += line.substr(gap, begin - gap);
        example.text += word;
      }
    }
    if (example.labels.empty()) fail(0, "expected a word that starts with \"" + prefix + "\"");
  }
};

class JsonLinesFormat final : public LineFormat {
 public:
  using LineFormat::LineFormat;

 private:
  void read(std::string_view line, LabelledText& example) override {
    const Json object = parsed(line);
    if (!object.is_object()) fail(0, "expected a JSON object");
    const auto text = object.find(options_.text_field);
    if (text == object.end() || !text->is_string()) {
      fail(0, "expected a string \"" + options_.text_field + "\" in the object");
    }
    example.text = text->get<std::string>();
    const auto label = object.find(options_.label_field);
    if (label == object.end()) fail(0, "expected a member \"" + options_.label_field + "\"");
    if (label->is_array()) {
      for (const Json& one : *label) example.labels.push_back(label_text(one));
    } else {
      example.labels.push_back(label_text(*label));
    }
  }

  Json parsed(std::string_view line) const {
    try {
      return parse_json(line, "the record");
    } catch (const FormatError& error) {
      try {
        std::rethrow_if_nested(error);
      } catch (const Json::parse_error& cause) {
        fail(cause.byte > 0 ? cause.byte - 1 : 0, "this is not JSON");
      } catch (const Json::exception&) {  // a number that no double holds
      }
      fail(0, error.what());
    }
  }

  std::string label_text(const Json& value) const {
    if (value.is_string() && !value.get<std::string>().empty()) return value.get<std::string>();
    if (value.is_number() || value.is_boolean()) return value.dump();
    fail(0,
         "expected \"" + options_.label_field +
             "\" to be a string that is not empty, a number, a truth value or an array of these");
  }
};

const LabelledOptions& checked(const LabelledOptions& options) {
  if (options.label_column < 1) {
    throw ConfigError("option `label_column`: expected 1 or more, given " +
                      std::to_string(options.label_column));
  }
  const std::vector<std::int64_t>& texts = options.text_columns;
  if (std::find(texts.begin(), texts.end(), options.label_column) != texts.end()) {
    throw ConfigError("option `text_columns`: column " + std::to_string(options.label_column) +
                      " has the label, which would stand in the text; leave it out");
  }
  return options;
}

class RecordFormat final : public LabelledReader::Format {
 public:
  RecordFormat(const std::string& path, const LabelledOptions& options)
      : options_(checked(options)),
        records_(path, {.separator = options.format == "csv" ? ',' : '\t',
                        .quotes = options.format != "tsv-plain",
                        .policy = options.policy}) {}

  bool next(LabelledText& example) override {
    if (options_.header && !past_header_) {
      past_header_ = true;
      if (!records_.next()) return false;
    }
    if (!records_.next()) return false;
    const std::vector<std::string>& fields = records_.fields();
    example.labels.assign(1, field(options_.label_column, "label_column"));
    if (all_white_space(example.labels[0])) {
      fail(static_cast<std::size_t>(options_.label_column - 1), "the label is empty");
    }
    example.text.clear();
    example.line = records_.line_number();
    const auto add = [&](std::int64_t column) {
      if (!example.text.empty()) example.text += ' ';
      example.text += field(column, "text_columns");
    };
    if (fields.size() == 1 && options_.text_columns.empty()) {
      fail(fields.size(), "expected a label and a text, found one column");
    }
    for (const std::int64_t column : options_.text_columns) add(column);
    for (std::size_t i = 1; options_.text_columns.empty() && i <= fields.size(); ++i) {
      if (static_cast<std::int64_t>(i) != options_.label_column) add(static_cast<std::int64_t>(i));
    }
    return true;
  }
  const std::string& name() const override { return records_.name(); }

 private:
  /// At the start of a field, or at the end of the record for their number.
  [[noreturn]] void fail(std::size_t field, const std::string& what) const {
    const CsvReader::Place place = records_.place(field);
    throw_text_error(records_.name(), place.line, place.column, what);
  }

  const std::string& field(std::int64_t column, const char* option) const {
    const std::vector<std::string>& fields = records_.fields();
    if (column < 1 || column > static_cast<std::int64_t>(fields.size())) {
      fail(fields.size(), std::string("option `") + option + "` asks for column " +
                              std::to_string(column) + ", but the record has " +
                              std::to_string(fields.size()));
    }
    return fields[static_cast<std::size_t>(column - 1)];
  }

  LabelledOptions options_;
  CsvReader records_;
  bool past_header_ = false;
};

std::unique_ptr<LabelledReader::Format> make_format(const std::string& path,
                                                    const LabelledOptions& options) {
  if (options.format == "tab") return std::make_unique<TabFormat>(path, options);
  if (options.format == "fasttext") return std::make_unique<FastTextFormat>(path, options);
  if (options.format == "jsonl") return std::make_unique<JsonLinesFormat>(path, options);
  if (options.format == "csv" || options.format == "tsv" || options.format == "tsv-plain") {
    return std::make_unique<RecordFormat>(path, options);
  }
  throw ConfigError(
      "option `format`: expected one of tab, csv, tsv, tsv-plain, jsonl, fasttext; given \"" +
      options.format + "\"");
}

}  // namespace

LabelledReader::LabelledReader(const std::string& path, const LabelledOptions& options)
    : format_(make_format(path, options)) {}
LabelledReader::~LabelledReader() = default;
LabelledReader::LabelledReader(LabelledReader&&) noexcept = default;
LabelledReader& LabelledReader::operator=(LabelledReader&&) noexcept = default;

bool LabelledReader::next(LabelledText& example) { return format_->next(example); }
const std::string& LabelledReader::name() const { return format_->name(); }

}  // namespace rnn
