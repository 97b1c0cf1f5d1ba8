#include "apps/standard_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "base/file.h"

namespace rnn {
namespace {

/// Copies all of standard input.
void copy_to(int file, const std::string& path) {
  std::vector<char> buffer(std::size_t{1} << 20);
  for (;;) {
    const ssize_t count = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_io_error("<stdin>", "cannot read");
    if (count == 0) return;
    for (ssize_t done = 0; done < count;) {
      const ssize_t written =
          write(file, buffer.data() + done, static_cast<std::size_t>(count - done));
      if (written < 0 && errno != EINTR) throw_io_error(path, "cannot keep standard input");
      if (written > 0) done += written;
    }
  }
}

}  // namespace

std::string reopenable_standard_input() {
  struct stat info {};
  if (fstat(STDIN_FILENO, &info) != 0) throw_io_error("<stdin>", "cannot read");
  if (!S_ISREG(info.st_mode)) {
    std::string path =
        (std::filesystem::temp_directory_path() / "rnn-stdin.").string() + std::string(6, 'X');
    const int file = mkostemp(path.data(), O_CLOEXEC);
    if (file < 0) throw_io_error(path, "cannot create");
    unlink(path.c_str());
    copy_to(file, path);
    if (dup2(file, STDIN_FILENO) < 0) throw_io_error(path, "cannot take the place of <stdin>");
    close(file);
  }
  return "/dev/stdin";  // opens the file itself anew, not the place where it was read to
}

}  // namespace rnn
