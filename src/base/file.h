// Reading and writing files so that nothing is ever half there.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace rnn {

inline constexpr const char* kTemporary = ".tmp-";  ///< in the names of files being written

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
  /// The file that is there is first renamed to `keep_old_as`, unless that is empty.
  void commit(const std::string& keep_old_as = "");

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

/// Renames a file, which may replace another, and flushes the folder.
void replace_file(const std::string& from, const std::string& to);

/// "." for a name without a folder.
std::string folder_of(const std::string& path);
/// What was created, renamed or removed in a folder is so after a loss of power.
void flush_folder(const std::string& path);

/// Keeps other processes that ask for it out of a folder, until destroyed or until this process
/// ends. Throws IoError when one of them is there.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

/// AtomicFile for contents that are at hand.
void write_file(const std::string& path, std::string_view contents);

/// Throws IoError when the file cannot be read, FormatError when it is larger than `limit`.
std::string read_file(const std::string& path, std::size_t limit = std::size_t{1} << 32);

/// SHA-256 (FIPS 180-4) of what is added, in lower-case hexadecimal, as sha256sum prints it.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::string_view bytes);
  std::string text();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// Of a file.
std::string sha256_of_file(const std::string& path);

/// IoError "path: what: <reason of the operating system>".
[[noreturn]] void throw_io_error(const std::string& path, std::string_view what);

}  // namespace rnn
