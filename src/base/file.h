// Reading and writing files so that nothing is ever half there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
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
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  /// The file that is there is first renamed to `keep_old_as`, in the folder of `target_of` the
  /// path, unless that is empty.
  void commit(const std::string& keep_old_as = "");

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

/// Renames a file, which may replace another, and flushes the folder.
void replace_file(const std::string& from, const std::string& to);

/// Where a symbolic link leads, through others too and whether or not something is there; any other
/// path as it is.
std::string target_of(std::string path);
/// "." for a name without a folder.
std::string folder_of(const std::string& path);
/// What was created, renamed or removed in a folder is so after a loss of power.
void flush_folder(const std::string& path);
/// "runs/m" for "runs/m/": what a folder is in is found from its name.
std::string without_end_slashes(std::string path);
/// Makes a folder, and those that it is in, where they are not there; all are so after a loss of
/// power. Throws IoError.
void create_folders(const std::string& path);

/// Keeps other processes that ask for it out of a folder, until destroyed or until this process
/// ends. Throws IoError when one of them is there, when the file system has no locks, and when the
/// folder was removed before it was locked.
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

/// A file that is open for reading and has an end: no pipe and no device, at which a reader may
/// wait or read for ever.
class RegularFile {
 public:
  /// Throws IoError when it cannot be opened, or is something else.
  explicit RegularFile(std::string path);
  ~RegularFile();
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  const std::string& path() const { return path_; }
  /// In bytes, when it was opened. What is added later is not read.
  std::uint64_t size() const { return size_; }
  /// Fills `to` with the bytes from `offset` on. Throws IoError, or FormatError when there are not
  /// so many.
  void read(std::uint64_t offset, std::span<char> to) const;

 private:
  std::string path_;
  int descriptor_;
  std::uint64_t size_ = 0;
};

/// The bytes of a regular file, in as much memory as the file has bytes. Throws IoError when it
/// cannot be read or is none, FormatError when it is larger than `limit`.
std::string read_file(const std::string& path,
                      std::size_t limit = std::numeric_limits<std::size_t>::max());
/// The bytes of whatever stands under that name, a pipe too. Throws as read_file does.
std::string read_stream(const std::string& path, std::size_t limit);

/// Whether something has this name; what it is, opening it says. False for a link that leads
/// nowhere, true for one that leads round in a circle.
bool is_there(const std::string& path);

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

/// Of a regular file.
std::string sha256_of_file(const std::string& path);

/// IoError that says so.
[[noreturn]] void throw_beyond_memory(const std::string& path, std::uint64_t bytes);

/// IoError "path: what: <reason of the operating system>".
[[noreturn]] void throw_io_error(const std::string& path, std::string_view what);

}  // namespace rnn
