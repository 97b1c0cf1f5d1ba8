#include "rnn/text/token_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "rnn/error.h"
#include "text/corpus_scan.h"
#include "text/utf8.h"

namespace rnn {
namespace {

/// Numbers on disk in files that have lost their names already. Segments go to the files in turn,
/// so that several threads write at the same time: a file takes one writer only. Together they are
/// mapped side by side.
class NamelessFiles {
 public:
  /// `bytes` are expected; -1: unknown.
  NamelessFiles(std::string directory, std::int64_t bytes) : directory_(std::move(directory)) {
    // The system allows some 65,000 mappings.
    while (bytes / segment_ > (1 << 14)) segment_ *= 2;
    for (int& descriptor : descriptors_) {
      std::string path = directory_ + "/rnn-tokens." + std::string(6, 'X');
      descriptor = mkostemp(path.data(), O_CLOEXEC);
      if (descriptor < 0) fail(0);
      unlink(path.c_str());
    }
  }
  NamelessFiles(const NamelessFiles&) = delete;
  NamelessFiles& operator=(const NamelessFiles&) = delete;
  ~NamelessFiles() {
    for (const int descriptor : descriptors_) {
      if (descriptor >= 0) close(descriptor);
    }
  }

  /// From any thread.
  void write_at(std::int64_t offset, const std::vector<std::int32_t>& ids) const {
    const char* from = reinterpret_cast<const char*>(ids.data());
    for (auto left = static_cast<std::int64_t>(ids.size() * sizeof ids[0]); left > 0;) {
      const auto [descriptor, place, room] = where(offset);
      const ssize_t count =
          pwrite(descriptor, from, static_cast<std::size_t>(std::min(left, room)), place);
      if (count < 0 && errno != EINTR) fail(offset);
      if (count <= 0) continue;
      from += count;
      left -= count;
      offset += count;
    }
  }

  std::span<const std::int32_t> map(std::int64_t size) const {
    const auto bytes = static_cast<std::size_t>(size);
    void* const memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail(size);
    for (std::int64_t offset = 0; offset < size; offset += segment_) {
      const auto [descriptor, place, room] = where(offset);
      if (mmap(static_cast<char*>(memory) + offset,
               static_cast<std::size_t>(std::min(room, size - offset)), PROT_READ,
               MAP_SHARED | MAP_FIXED, descriptor, place) == MAP_FAILED) {
        const int error = errno;
        munmap(memory, bytes);
        errno = error;
        fail(size);
      }
    }
    return {static_cast<const std::int32_t*>(memory), bytes / sizeof(std::int32_t)};
  }

 private:
  struct Place {
    int descriptor;
    std::int64_t offset, room;
  };
  Place where(std::int64_t offset) const {
    const std::int64_t segment = offset / segment_, inside = offset % segment_;
    const auto files = static_cast<std::int64_t>(descriptors_.size());
    return {descriptors_[static_cast<std::size_t>(segment % files)],
            segment / files * segment_ + inside, segment_ - inside};
  }
  [[noreturn]] void fail(std::int64_t offset) const {
    throw IoError(
        "cannot keep the corpus as numbers in " + directory_ + ": " + std::strerror(errno) +
        " after " + std::to_string(offset) +
        " bytes (4 bytes a token); name a directory with more room, for instance with the "
        "environment variable TMPDIR");
  }

  std::string directory_;
  std::array<int, 4> descriptors_{-1, -1, -1, -1};
  std::int64_t segment_ = std::int64_t{1} << 21;
};

struct Part {
  std::vector<std::int32_t> ids{};
  std::int64_t offset = 0;  // of its first byte
  std::int64_t lines = 0, unknown = 0, characters = 0, bytes = 0;
};

std::string directory_for(const std::string& asked) {
  if (!asked.empty()) return asked;
  std::error_code error;
  const std::filesystem::path path = std::filesystem::temp_directory_path(error);
  return error ? std::string("/tmp") : path.string();
}

}  // namespace

TokenFile TokenFile::build(std::span<const std::string> paths, const Tokenizer& tokenizer,
                           const Vocabulary& vocabulary, const CorpusOptions& options) {
  TextPolicy policy = options.policy;
  policy.any_bytes = policy.any_bytes || tokenizer.any_bytes();
  const auto encode = [&](LineCursor& lines, Part& part) {
    part.ids.clear();
    part.lines = part.unknown = part.characters = part.bytes = 0;
    std::string memory;
    while (lines.next()) {
      const std::string_view line = prepared(lines.line(), options, memory);
      at_line(lines, [&] { part.unknown += tokenizer.encode(line, vocabulary, part.ids); });
      part.ids.push_back(vocabulary.end_id());
      ++part.lines;
      part.characters += static_cast<std::int64_t>(count_code_points(line)) + 1;
      part.bytes += static_cast<std::int64_t>(line.size()) + 1;
    }
  };
  TokenFile result;
  std::int64_t tokens = 0;
  const std::int64_t source = total_size(paths);
  const NamelessFiles files(directory_for(options.directory), 4 * source);
  const auto place = [&](Part& part) {
    part.offset = tokens * static_cast<std::int64_t>(sizeof(std::int32_t));
    tokens += static_cast<std::int64_t>(part.ids.size());
    result.lines_ += part.lines;
    result.unknown_ += part.unknown;
    result.characters_ += part.characters;
    result.bytes_ += part.bytes;
  };
  const auto store = [&](const Part& part) { files.write_at(part.offset, part.ids); };
  scan_corpus<Part>(paths, options, policy, encode, place, store, [](Part&) {});
  if (tokens == result.lines_) throw_empty_corpus(paths, result.lines_);
  result.ids_ = files.map(tokens * static_cast<std::int64_t>(sizeof(std::int32_t)));
  return result;
}

TokenFile::TokenFile(TokenFile&& other) noexcept { *this = std::move(other); }

TokenFile& TokenFile::operator=(TokenFile&& other) noexcept {
  std::swap(ids_, other.ids_);
  std::swap(lines_, other.lines_);
  std::swap(unknown_, other.unknown_);
  std::swap(characters_, other.characters_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

TokenFile::~TokenFile() {
  if (!ids_.empty()) munmap(const_cast<std::int32_t*>(ids_.data()), ids_.size_bytes());
}

}  // namespace rnn
