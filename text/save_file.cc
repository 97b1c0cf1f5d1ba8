#include "text/save_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "rnn/error.h"

namespace rnn {

void save_file(const std::string& path, std::string_view bytes) {
  std::string temporary = path + ".XXXXXX";
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) throw IoError("cannot write " + path + ": " + std::strerror(errno));
  const auto fail = [&](int descriptor_or_none) {
    const int reason = errno;
    if (descriptor_or_none >= 0) close(descriptor_or_none);
    unlink(temporary.c_str());
    throw IoError("cannot write " + path + ": " + std::strerror(reason));
  };
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(descriptor, 0666 & ~mask) != 0) fail(descriptor);
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) fail(descriptor);
    if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  if (fsync(descriptor) != 0) fail(descriptor);
  if (close(descriptor) != 0) fail(-1);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) fail(-1);
}

}  // namespace rnn
