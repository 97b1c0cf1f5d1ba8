#include "rnn/text/token_file.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "text/corpus_scan.h"
#include "text/nameless_file.h"
#include "text/utf8.h"

namespace rnn {
namespace {

constexpr const char* kWhat = "the corpus as numbers";

/// Numbers on disk in nameless files. Segments go to the files in turn, so that several threads
/// write at the same time: a file takes one writer only. Together they are mapped side by side.
class SegmentedFiles {
 public:
  /// `bytes` are expected; -1: unknown.
  SegmentedFiles(std::string directory, std::int64_t bytes) : directory_(std::move(directory)) {
    // The system allows some 65,000 mappings.
    while (bytes / segment_ > (1 << 14)) segment_ *= 2;
    for (int i = 0; i < kFiles; ++i) files_.emplace_back(directory_, kWhat);
  }

  /// From any thread.
  void write_at(std::int64_t offset, std::span<const std::int32_t> ids) const {
    for (std::span<const std::byte> bytes = std::as_bytes(ids); !bytes.empty();) {
      const auto [file, place, room] = where(offset);
      const std::size_t wanted = std::min(bytes.size(), static_cast<std::size_t>(room));
      const std::size_t count = file.write_at(place, bytes.first(wanted));
      offset += static_cast<std::int64_t>(count);
      if (count < wanted) fail(offset);
      bytes = bytes.subspan(count);
    }
  }

  std::span<const std::int32_t> map(std::int64_t size) const {
    const auto bytes = static_cast<std::size_t>(size);
    void* const memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail(size);
    for (std::int64_t offset = 0; offset < size; offset += segment_) {
      const auto [file, place, room] = where(offset);
      if (mmap(static_cast<char*>(memory) + offset,
               static_cast<std::size_t>(std::min(room, size - offset)), PROT_READ,
               MAP_SHARED | MAP_FIXED, file.descriptor(), place) == MAP_FAILED) {
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
    const NamelessFile& file;
    std::int64_t offset, room;
  };
  Place where(std::int64_t offset) const {
    const std::int64_t segment = offset / segment_, inside = offset % segment_;
    return {files_[static_cast<std::size_t>(segment % kFiles)],
            segment / kFiles * segment_ + inside, segment_ - inside};
  }
  [[noreturn]] void fail(std::int64_t offset) const {
    throw_no_room(kWhat, directory_, offset, " (4 bytes a token)");
  }

  static constexpr int kFiles = 4;
  std::string directory_;
  std::vector<NamelessFile> files_;
  std::int64_t segment_ = std::int64_t{1} << 21;
};

struct Part {
  std::vector<std::int32_t> ids{};
  std::int64_t offset = 0;  // of its first byte
  std::int64_t lines = 0, unknown = 0, characters = 0, bytes = 0;
};

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
  const SegmentedFiles files(temporary_directory(options.directory), 4 * source);
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
