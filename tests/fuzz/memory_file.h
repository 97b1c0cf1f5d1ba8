// A file that lives in memory, for readers that want a path.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace rnn {

class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size) : descriptor_(memfd_create("fuzz", 0)) {
    if (descriptor_ < 0 || write(descriptor_, data, size) != static_cast<ssize_t>(size)) abort();
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(descriptor_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// A path for a file that needs a name: a folder in memory, where a flush costs nothing.
inline std::string in_memory(const std::string& name) {
  return "/dev/shm/rnn-fuzz-" + name + "-" + std::to_string(getpid());
}

/// Stops the fuzzer: `holds` must always hold.
inline void require(bool holds) {
  if (!holds) abort();
}

}  // namespace rnn
