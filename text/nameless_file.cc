#include "text/nameless_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "rnn/error.h"

namespace rnn {

NamelessFile::NamelessFile(const std::string& directory, const char* what) {
#ifdef O_TMPFILE
  // It never has a name, so a program that is killed here leaves nothing behind.
  descriptor_ = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor_ >= 0) return;
#endif
  // Some file systems cannot do that.
  std::string path = directory + "/rnn-tokens." + std::string(6, 'X');
  descriptor_ = mkostemp(path.data(), O_CLOEXEC);
  if (descriptor_ < 0) throw_no_room(what, directory, 0);
  unlink(path.c_str());
}

NamelessFile::NamelessFile(NamelessFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

NamelessFile& NamelessFile::operator=(NamelessFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

NamelessFile::~NamelessFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::size_t NamelessFile::write_at(std::int64_t offset, std::span<const std::byte> bytes) const {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = pwrite(descriptor_, bytes.data() + written, bytes.size() - written,
                                 offset + static_cast<std::int64_t>(written));
    if (count < 0 && errno != EINTR) break;
    if (count > 0) written += static_cast<std::size_t>(count);
  }
  return written;
}

std::string temporary_directory(const std::string& asked) {
  if (!asked.empty()) return asked;
  // As it is named: where it is mistyped, the error must say so.
  const char* const named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/tmp";
}

void throw_no_room(const char* what, const std::string& directory, std::int64_t bytes,
                   const char* unit) {
  throw IoError(std::string("cannot keep ") + what + " in " + directory + ": " +
                std::strerror(errno) + " after " + std::to_string(bytes) + " bytes" + unit +
                "; name a directory with more room, for instance with the environment variable "
                "TMPDIR");
}

}  // namespace rnn
