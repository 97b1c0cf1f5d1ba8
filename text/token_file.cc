#include "rnn/text/token_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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

/// A file that has lost its name already.
class NamelessFile {
 public:
  explicit NamelessFile(std::string directory) : directory_(std::move(directory)) {
    std::string path = directory_ + "/rnn-tokens." + std::string(6, 'X');
    descriptor_ = mkostemp(path.data(), O_CLOEXEC);
    if (descriptor_ < 0) fail();
    unlink(path.c_str());
  }
  NamelessFile(const NamelessFile&) = delete;
  NamelessFile& operator=(const NamelessFile&) = delete;
  ~NamelessFile() { close(descriptor_); }

  void append(const std::vector<std::int32_t>& ids) {
    const char* from = reinterpret_cast<const char*>(ids.data());
    for (std::size_t left = ids.size() * sizeof ids[0]; left > 0;) {
      const ssize_t count = write(descriptor_, from, left);
      if (count < 0 && errno != EINTR) fail();
      if (count <= 0) continue;
      from += count;
      left -= static_cast<std::size_t>(count);
      size_ += static_cast<std::size_t>(count);
    }
  }

  std::span<const std::int32_t> map() const {
    void* const memory = mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor_, 0);
    if (memory == MAP_FAILED) fail();
    return {static_cast<const std::int32_t*>(memory), size_ / sizeof(std::int32_t)};
  }

 private:
  [[noreturn]] void fail() const {
    throw IoError(
        "cannot keep the corpus as numbers in " + directory_ + ": " + std::strerror(errno) +
        " after " + std::to_string(size_) +
        " bytes (4 bytes a token); name a directory with more room, for instance with the "
        "environment variable TMPDIR");
  }

  std::string directory_;
  int descriptor_ = -1;
  std::size_t size_ = 0;
};

struct Part {
  std::vector<std::int32_t> ids{};
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
      part.unknown += tokenizer.encode(line, vocabulary, part.ids);
      part.ids.push_back(vocabulary.end_id());
      ++part.lines;
      part.characters += static_cast<std::int64_t>(count_code_points(line)) + 1;
      part.bytes += static_cast<std::int64_t>(line.size()) + 1;
    }
  };
  TokenFile result;
  std::int64_t tokens = 0;
  NamelessFile file(directory_for(options.directory));
  const auto append = [&](const Part& part) {
    file.append(part.ids);
    tokens += static_cast<std::int64_t>(part.ids.size());
    result.lines_ += part.lines;
    result.unknown_ += part.unknown;
    result.characters_ += part.characters;
    result.bytes_ += part.bytes;
  };
  scan_corpus<Part>(paths, options, policy, encode, append, [](Part&) {});
  if (tokens == result.lines_) throw_empty_corpus(paths, result.lines_);
  result.ids_ = file.map();
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
