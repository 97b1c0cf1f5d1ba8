#include "rnn/text/disk_vector.h"

#include <sys/mman.h>

#include <optional>
#include <utility>

#include "text/nameless_file.h"

namespace rnn {
namespace {

constexpr const char* kWhat = "the texts";

}  // namespace

struct GrowingFile::Impl {
  std::string directory;
  std::optional<NamelessFile> file{};
  void* memory = nullptr;
  std::size_t mapped = 0;

  ~Impl() {
    if (mapped > 0) munmap(memory, mapped);
  }
};

GrowingFile::GrowingFile(std::string directory) : impl_(new Impl{std::move(directory)}) {}
GrowingFile::GrowingFile(GrowingFile&& other) noexcept
    : impl_(std::move(other.impl_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}
GrowingFile& GrowingFile::operator=(GrowingFile&& other) noexcept {
  std::swap(impl_, other.impl_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}
GrowingFile::~GrowingFile() = default;

void GrowingFile::append(std::span<const std::byte> bytes) {
  Impl& m = *impl_;
  if (!m.file) {
    m.directory = temporary_directory(m.directory);
    m.file.emplace(m.directory, kWhat);
  }
  const std::size_t written = m.file->write_at(size_, bytes);
  if (written < bytes.size()) {
    throw_no_room(kWhat, m.directory, size_ + static_cast<std::int64_t>(written));
  }
  const std::size_t size = static_cast<std::size_t>(size_) + bytes.size();
  if (size > m.mapped) {
    // Twice as far as the file goes: a mapping may reach beyond the end, where nothing reads.
    const std::size_t reach = 2 * size;
    void* const memory = mmap(nullptr, reach, PROT_READ, MAP_SHARED, m.file->descriptor(), 0);
    if (memory == MAP_FAILED) throw_no_room(kWhat, m.directory, size_);
    if (m.mapped > 0) munmap(m.memory, m.mapped);
    m.memory = memory;
    m.mapped = reach;
    data_ = static_cast<const std::byte*>(memory);
  }
  size_ = static_cast<std::int64_t>(size);
}

}  // namespace rnn
