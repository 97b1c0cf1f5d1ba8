// CsvReader: comma- or tab-separated values as RFC 4180 has them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rnn/export.h"
#include "rnn/text/line_reader.h"

namespace rnn {

struct CsvOptions {
  char separator = ',';
  /// Fields may stand in double quotes, then hold separators and line ends, and a quote doubled.
  /// Without: a quote is a character like any other, as in most tab-separated files.
  bool quotes = true;
  TextPolicy policy{};
};

/// Reads a file, or standard input for "-", record by record. gzip is unpacked.
///
/// A record ends at LF or CR LF outside quotes; a line end inside quotes is kept as it is. A
/// byte-order mark at the start is skipped, and so is an empty line. All records have as many
/// fields as the first. A quote in the middle of a field without quotes is text.
///
/// Errors: as LineReader's; TextError "file:line:column: ..." (the column counts characters from 1)
/// for a quote that is never closed, text after a closing quote, or another number of fields.
class RNN_API CsvReader {
 public:
  explicit CsvReader(std::string path, const CsvOptions& options = {});
  ~CsvReader();
  CsvReader(CsvReader&&) noexcept;
  CsvReader& operator=(CsvReader&&) noexcept;

  /// Goes to the next record; false at the end of the file.
  bool next();
  /// Valid until the next call of next().
  const std::vector<std::string>& fields() const;
  /// Where field `i` (from 0) of the record starts, or the record ends for their number.
  struct Place {
    std::int64_t line = 0, column = 0;  ///< from 1; the column in characters
  };
  Place place(std::size_t i) const;
  /// The line in which the record starts, from 1.
  std::int64_t line_number() const;
  const std::string& name() const;
  std::int64_t bytes_read() const;
  std::int64_t bytes_total() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
