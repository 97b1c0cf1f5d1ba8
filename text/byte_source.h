// ByteSource: the bytes of a file, of standard input, or of either packed with gzip.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "rnn/error.h"

namespace rnn {

/// A file packed with gzip that is damaged, for whoever knows how many lines came before.
class UnpackError : public IoError {
 public:
  UnpackError(std::string name, const std::string& damage)
      : IoError(name + ": cannot unpack: " + damage), name_(std::move(name)), damage_(damage) {}
  /// The same, with the line that was reached.
  IoError in_line(std::int64_t line) const {
    return IoError(at(name_, line, "cannot unpack: " + damage_));
  }

 private:
  std::string name_, damage_;
};

/// Opens "-" as standard input. gzip is recognised by its first two bytes. Errors: IoError, where
/// the damage of packed data is met UnpackError; FormatError for packed data where there may be
/// none.
class ByteSource {
 public:
  explicit ByteSource(std::string path, bool never_packed = false);
  ~ByteSource();
  ByteSource(ByteSource&&) noexcept;
  ByteSource& operator=(ByteSource&&) noexcept;

  /// Reads at least one byte unless the file is at its end; returns how many.
  std::size_t read(std::span<char> to);

  /// For messages: the path, or "<stdin>".
  const std::string& name() const { return name_; }
  /// Bytes of the file taken so far; its size, or -1 when it is no regular file.
  std::int64_t done() const { return done_; }
  std::int64_t total() const { return total_; }

 private:
  struct Inflater;
  void recognise();  // not when opened, since standard input may have nothing to say yet
  std::size_t read_file(std::span<char> to);  // past what was read to recognise gzip
  std::size_t read_raw(std::span<char> to);   // the file from its start, packed or not

  std::string name_;
  int descriptor_ = -1;
  std::int64_t done_ = 0;
  std::int64_t total_ = -1;
  bool never_packed_ = false;
  bool recognised_ = false;
  std::string head_;  // the first bytes, which were read to recognise gzip
  std::size_t head_used_ = 0;
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace rnn
