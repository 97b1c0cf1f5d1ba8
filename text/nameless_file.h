// NamelessFile: a temporary file without a name, which goes with whoever has it open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace rnn {

/// A file that never has a name, or loses it as soon as it is made where the file system knows no
/// such file. Movable.
class NamelessFile {
 public:
  /// In `directory`; throws as throw_no_room does.
  NamelessFile(const std::string& directory, const char* what);
  NamelessFile(NamelessFile&& other) noexcept;
  NamelessFile& operator=(NamelessFile&& other) noexcept;
  ~NamelessFile();

  int descriptor() const { return descriptor_; }
  /// Returns how many bytes were written; when fewer than all, errno says why. From any thread.
  std::size_t write_at(std::int64_t offset, std::span<const std::byte> bytes) const;

 private:
  int descriptor_ = -1;
};

/// `asked`, or the directory that TMPDIR names, or /tmp. It need not be there.
std::string temporary_directory(const std::string& asked);

/// IoError that `what` cannot be kept in the directory for the reason that errno has, after so many
/// bytes (`unit` says of what), with a remedy.
[[noreturn]] void throw_no_room(const char* what, const std::string& directory, std::int64_t bytes,
                                const char* unit = "");

}  // namespace rnn
