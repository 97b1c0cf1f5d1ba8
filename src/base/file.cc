#include "base/file.h"

#include <fcntl.h>
#include <sha2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "rnn/error.h"

namespace rnn {
namespace {

/// An open file descriptor, closed at the end of its scope.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : value_(open(path.c_str(), flags | O_CLOEXEC)) {
    if (value_ < 0) throw_io_error(path, "cannot open");
  }
  ~Descriptor() { close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

constexpr std::size_t kChunk = std::size_t{1} << 16;

[[noreturn]] void throw_too_large(const std::string& path, std::size_t limit) {
  throw FormatError(path + ": larger than " + std::to_string(limit) + " bytes");
}

}  // namespace

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

void throw_io_error(const std::string& path, std::string_view what) {
  throw IoError(path + ": " + std::string(what) + ": " + std::generic_category().message(errno));
}

void throw_beyond_memory(const std::string& path, std::uint64_t bytes) {
  throw IoError(path + ": its " + std::to_string(bytes) + " bytes do not fit into memory");
}

std::string target_of(std::string path) {
  constexpr int kMostLinks = 40;  // as the kernel follows
  std::error_code error;
  for (int i = 0; i < kMostLinks && std::filesystem::is_symlink(path, error); ++i) {
    const auto target = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = (std::filesystem::path(path).parent_path() / target).string();
  }
  return path;
}

namespace {

/// The file is to be replaced and not a link to it; and no device.
std::string file_to_replace(const std::string& link) {
  std::error_code error;
  std::string path = target_of(link);
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw IoError(path + ": is there and is no file; choose another name");
  }
  return path;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path)
    : path_(file_to_replace(path)), temporary_(path_ + kTemporary + std::to_string(getpid())) {
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw_io_error(path_, "cannot create");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_io_error(path_, "cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void AtomicFile::commit(const std::string& keep_old_as) {
  if (fsync(descriptor_) != 0) throw_io_error(path_, "cannot flush");
  if (!keep_old_as.empty() && rename(path_.c_str(), keep_old_as.c_str()) != 0 && errno != ENOENT) {
    throw_io_error(path_, "cannot rename to " + keep_old_as);
  }
  replace_file(temporary_, path_);
  close(descriptor_);
  descriptor_ = -1;
}

void replace_file(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) throw_io_error(to, "cannot rename to");
  flush_folder(folder_of(to));
}

void flush_folder(const std::string& path) {
  const Descriptor folder(path, O_RDONLY | O_DIRECTORY);
  if (fsync(folder.get()) != 0) throw_io_error(path, "cannot flush");
}

std::string without_end_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

void create_folders(const std::string& path) {
  const auto is_folder = [](const std::string& name) {
    struct stat status {};
    return stat(name.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  };
  const std::string name = without_end_slashes(path), above = folder_of(name);
  if (is_folder(name)) return;
  if (above != name) create_folders(above);
  if (mkdir(name.c_str(), 0777) != 0) {
    const int error = errno;
    if (error != EEXIST || !is_folder(name)) {  // which another process has made meanwhile
      errno = error;
      throw_io_error(name, "cannot create the directory");
    }
  }
  flush_folder(above);
}

FolderLock::FolderLock(const std::string& path)
    : descriptor_(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) throw_io_error(path, "cannot open");
  try {
    while (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) {
        throw IoError(path + ": another process is writing there; wait until it has ended");
      }
      throw_io_error(path, "cannot lock; give a directory on a file system that has locks");
    }
    // Who held it before may have taken the folder away.
    struct stat locked {
    }, there{};
    if (fstat(descriptor_, &locked) != 0 || stat(path.c_str(), &there) != 0 ||
        locked.st_dev != there.st_dev || locked.st_ino != there.st_ino) {
      throw IoError(path + ": another process removed it meanwhile; try again");
    }
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

FolderLock::~FolderLock() { close(descriptor_); }

void write_file(const std::string& path, std::string_view contents) {
  AtomicFile file(path);
  file.write(contents);
  file.commit();
}

// Without O_NONBLOCK, to open a pipe is to wait for somebody who writes to it.
RegularFile::RegularFile(std::string path)
    : path_(std::move(path)),
      descriptor_(open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {
  if (descriptor_ < 0) throw_io_error(path_, "cannot open");
  struct stat status {};
  const bool known = fstat(descriptor_, &status) == 0;
  if (known && S_ISREG(status.st_mode)) {
    size_ = static_cast<std::uint64_t>(status.st_size);
    return;
  }
  const int error = errno;
  close(descriptor_);
  errno = error;
  if (!known) throw_io_error(path_, "cannot read");
  throw IoError(path_ + ": is no regular file but a folder, a pipe or a device; put a file there");
}

RegularFile::~RegularFile() { close(descriptor_); }

void RegularFile::read(std::uint64_t offset, std::span<char> to) const {
  while (!to.empty()) {
    const ssize_t count = pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_io_error(path_, "cannot read");
    if (count == 0) throw FormatError(path_ + ": truncated, or cut off while it was read");
    offset += static_cast<std::uint64_t>(count);
    to = to.subspan(static_cast<std::size_t>(count));
  }
}

std::string read_file(const std::string& path, std::size_t limit) {
  const RegularFile file(path);
  if (file.size() > limit) throw_too_large(path, limit);
  std::string contents;
  try {
    contents.resize(file.size());
  } catch (const std::exception&) {  // no memory, or longer than any string
    throw_beyond_memory(path, file.size());
  }
  file.read(0, contents);
  return contents;
}

std::string read_stream(const std::string& path, std::size_t limit) {
  const Descriptor stream(path, O_RDONLY);
  std::string contents, buffer(kChunk, '\0');
  for (;;) {
    const ssize_t count = read(stream.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_io_error(path, "cannot read");
    if (count == 0) return contents;
    const auto length = static_cast<std::size_t>(count);
    if (length > limit - contents.size()) throw_too_large(path, limit);
    contents.append(buffer, 0, length);
  }
}

bool is_there(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

struct Sha256::Context {
  SHA2_CTX state;
};

Sha256::Sha256() : context_(new Context) { SHA256Init(&context_->state); }
Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) {
  SHA256Update(&context_->state, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::string Sha256::text() {
  std::array<char, SHA256_DIGEST_STRING_LENGTH> text{};
  SHA256End(&context_->state, text.data());
  return text.data();
}

std::string sha256_of_file(const std::string& path) {
  const RegularFile file(path);
  Sha256 sum;
  std::string buffer(kChunk, '\0');
  for (std::uint64_t done = 0; done < file.size();) {
    const std::size_t count = std::min<std::uint64_t>(kChunk, file.size() - done);
    file.read(done, {buffer.data(), count});
    sum.add({buffer.data(), count});
    done += count;
  }
  return sum.text();
}

}  // namespace rnn
