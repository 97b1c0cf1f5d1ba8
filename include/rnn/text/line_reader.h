// LineReader: lines of a text file, checked, with their numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "rnn/export.h"

namespace rnn {

/// What to do with bytes that are not UTF-8, with the marks that are not text, and with gzip.
struct TextPolicy {
  /// Each maximal ill-formed part becomes U+FFFD, as the Unicode standard recommends (section 3.9);
  /// otherwise it is a TextError.
  bool replace_invalid = false;
  /// Nothing is checked: for the unit `byte`, to which every byte is text.
  bool any_bytes = false;
  /// Keeps what is otherwise left out because it is no text: a UTF-8 byte-order mark at the start
  /// of a file and the carriage return of a CR LF line end.
  bool keep_marks = false;
  /// A file packed with gzip is a FormatError: for files of which each byte must cost about as much
  /// as it says, such as those of a model.
  bool never_packed = false;
};

/// Reads a file, or standard input for "-", line by line through a buffer of its own.
///
/// A line ends at a line feed, which is not part of it; nor is a carriage return directly before
/// (see TextPolicy::keep_marks). A last line without a line feed is a line; a file that ends with
/// a line feed has no empty line after it. No other character ends a line. A file that is
/// compressed with gzip is recognised by its first bytes and unpacked (see
/// TextPolicy::never_packed).
///
/// Errors: IoError when the file cannot be opened or read, "file:line: ..." where packed data are
/// damaged; TextError "file:line:column: invalid UTF-8 at byte N of the line ...", the column in
/// characters and both counted from 1.
class RNN_API LineReader {
 public:
  explicit LineReader(std::string path, const TextPolicy& policy = {});
  ~LineReader();
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;

  /// Goes to the next line; false at the end of the file.
  bool next();
  /// The line; valid until the next call of next().
  std::string_view line() const;
  /// What ends it and was left out of it: a line feed, perhaps with the carriage return before it,
  /// or nothing where the last line has none.
  std::string_view line_end() const;
  /// What was left out before it: the byte-order mark of the file, or nothing.
  std::string_view line_start() const;
  /// Whether the next line is at hand: next() reads nothing and so waits for nobody.
  bool buffered() const;
  /// Its number, from 1.
  std::int64_t line_number() const;
  /// The path as given, "<stdin>" for "-": for messages.
  const std::string& name() const;
  /// Bytes of the file consumed so far (of the packed file when it is packed).
  std::int64_t bytes_read() const;
  /// Size of the file, or -1 when it is not known (a pipe).
  std::int64_t bytes_total() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rnn
