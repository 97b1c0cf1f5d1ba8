// Reading and writing files so that nothing is ever half there.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace rnn {

/// A file that appears under its name complete or not at all: it is written beside it under a
/// temporary name, flushed to the disk, and renamed by `commit`. Destroyed before that, it leaves
/// nothing behind. Every failure, a full disk too, is an IoError that names the file.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void commit();

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

/// AtomicFile for contents that are at hand.
void write_file(const std::string& path, std::string_view contents);

/// Throws IoError when the file cannot be read, FormatError when it is larger than `limit`.
std::string read_file(const std::string& path, std::size_t limit = std::size_t{1} << 32);

/// SHA-256 of a file (FIPS 180-4) in lower-case hexadecimal, as sha256sum prints it.
std::string sha256_of_file(const std::string& path);

/// IoError "path: what: <reason of the operating system>".
[[noreturn]] void throw_io_error(const std::string& path, std::string_view what);

}  // namespace rnn
