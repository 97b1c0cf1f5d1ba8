// Whole lines in blocks, and the lines of a block: what LineReader and the pass over a corpus
// share, so that both see the same lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rnn/text/line_reader.h"
#include "text/byte_source.h"

namespace rnn {

/// A line is held whole, so there is an end to what one may take: an endless one would take all.
inline constexpr std::size_t kLongestLine = std::size_t{1} << 30;

/// A line that is longer, for whoever knows how many lines came before.
class LongLineError : public TextError {
 public:
  LongLineError(std::string name, std::size_t longest);
  /// The same, with the line that was reached.
  TextError in_line(std::int64_t line) const;

 private:
  std::string name_, what_;
};

/// Throws the error at hand again: with the line that was reached if it is an UnpackError or a
/// LongLineError.
[[noreturn]] void rethrow_in_line(std::int64_t line);

/// Bytes that end at the end of a line or of the file.
struct Block {
  std::vector<char> memory{};
  std::size_t size = 0;
  bool starts_file = false;
};

class BlockReader {
 public:
  explicit BlockReader(ByteSource source, std::size_t longest_line = kLongestLine)
      : source_(std::move(source)), longest_line_(longest_line) {}

  /// Fills the block with about `wanted` bytes (more when a line is longer); false at the end of
  /// the file. A pipe is not waited for once there is a whole line. Throws UnpackError
  /// or LongLineError in the line that comes after all that it gave.
  bool next(Block& block, std::size_t wanted = std::size_t{1} << 19);

  const ByteSource& source() const { return source_; }

 private:
  ByteSource source_;
  std::size_t longest_line_;
  std::string rest_;  // the start of a line whose end is still to be read
  bool started_ = false;
  bool ended_ = false;
};

/// Goes through the lines of a block; LineReader says what a line is.
class LineCursor {
 public:
  LineCursor() = default;
  /// `name` must live as long as the cursor. `lines_before`: lines of the file before the block.
  LineCursor(const Block& block, const std::string& name, std::int64_t lines_before,
             const TextPolicy& policy);

  bool next();
  std::string_view line() const { return line_; }
  std::string_view line_start() const { return line_start_; }
  std::string_view line_end() const { return line_end_; }
  std::int64_t line_number() const { return number_; }
  /// Whether next() has another one.
  bool at_end() const { return at_ == end_; }
  const std::string& name() const { return *name_; }

 private:
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  const std::string* name_ = nullptr;
  std::int64_t number_ = 0;
  TextPolicy policy_{};
  std::string_view line_{}, line_start_{}, line_end_{};
  std::string_view mark_{};  // left out before the next line
  std::string replaced_{};
};

}  // namespace rnn
