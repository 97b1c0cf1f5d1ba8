// LabelledReader: texts with their labels, from the formats they come in.
//
//   tab       label TAB text, one a line; further tabs belong to the text
//   csv, tsv  RFC 4180 records (csv_reader.h) with commas or tabs
//   tsv-plain tab-separated columns in which a quote is a character like any other
//   jsonl     one JSON object a line; the label is a string, a number, a truth value or an array
//             of these
//   fasttext  words that start with "__label__" are labels, the rest of the line is the text
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rnn/export.h"
#include "rnn/text/line_reader.h"

namespace rnn {

struct LabelledText {
  std::vector<std::string> labels{};  ///< one, or any number with jsonl and fasttext
  std::string text{};
  std::int64_t line = 0;  ///< where it starts
};

struct LabelledOptions {
  std::string format = "tab";
  bool header = false;            ///< csv, tsv: the first record is passed over, whatever it says
  std::int64_t label_column = 1;  ///< csv, tsv: from 1
  std::vector<std::int64_t> text_columns = {};  ///< csv, tsv: joined with a space; empty: all
                                                ///< but the label's
  std::string label_field = "label";            ///< jsonl
  std::string text_field = "text";              ///< jsonl
  std::string label_prefix = "__label__";       ///< fasttext
  TextPolicy policy{};
};

/// Reads a file, or standard input for "-", gzip unpacked. Lines of nothing but white space are
/// skipped in tab, jsonl and fasttext, empty ones in csv and tsv. Errors: as LineReader's;
/// ConfigError for a wrong option; TextError "file:line:column: ..." for a line without label or
/// text, or that is not of the format.
class RNN_API LabelledReader {
 public:
  explicit LabelledReader(const std::string& path, const LabelledOptions& options = {});
  ~LabelledReader();
  LabelledReader(LabelledReader&&) noexcept;
  LabelledReader& operator=(LabelledReader&&) noexcept;

  /// Replaces `example` by the next one; false at the end.
  bool next(LabelledText& example);
  /// The path as given, "<stdin>" for "-": for messages.
  const std::string& name() const;

  class Format;

 private:
  std::unique_ptr<Format> format_;
};

}  // namespace rnn
