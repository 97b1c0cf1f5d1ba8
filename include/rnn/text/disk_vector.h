// DiskVector: values one after another on disk, however many they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "rnn/export.h"

namespace rnn {

/// Where values are kept that may be many.
struct Storage {
  /// On disk in this directory, which is as CorpusOptions::directory.
  Storage(std::string on_disk_in = {}) : directory(std::move(on_disk_in)) {}
  /// For values made of what is in memory already: nothing is written to disk, however many they
  /// are.
  static Storage memory_alone() {
    Storage storage;
    storage.in_memory = true;
    return storage;
  }

  std::string directory;
  bool in_memory = false;
};

/// Bytes that are written to a file without a name and mapped into memory. Pages are read when they
/// are touched and can be dropped by the system. Movable.
class RNN_API GrowingFile {
 public:
  /// The file is made with its first bytes. `directory` is as CorpusOptions::directory.
  explicit GrowingFile(std::string directory);
  GrowingFile(GrowingFile&&) noexcept;
  GrowingFile& operator=(GrowingFile&&) noexcept;
  ~GrowingFile();

  /// Adds bytes at the end; those that were there may move. Throws IoError when the disk is full or
  /// the directory cannot be written to; the file is then as it was.
  void append(std::span<const std::byte> bytes);
  const std::byte* data() const { return data_; }
  /// In bytes.
  std::int64_t size() const { return size_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  const std::byte* data_ = nullptr;
  std::int64_t size_ = 0;
};

/// Grows at its end alone. The last values, up to a megabyte, are in memory, the others in a
/// GrowingFile, so that a short one never touches the disk and a long one needs no more memory;
/// with Storage::memory_alone() all are in memory. Safe to read from many threads. Movable; one
/// that was moved from may only be assigned to or destroyed.
template <class Value>
class RNN_API DiskVector {
  static_assert(std::is_trivially_copyable_v<Value>);

 public:
  explicit DiskVector(const Storage& storage = {})
      : file_(storage.directory), in_memory_(storage.in_memory) {}
  DiskVector(DiskVector&& other) noexcept
      : file_(std::move(other.file_)),
        in_memory_(other.in_memory_),
        on_disk_(std::exchange(other.on_disk_, 0)),
        last_(std::move(other.last_)) {}
  DiskVector& operator=(DiskVector&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(in_memory_, other.in_memory_);
    std::swap(on_disk_, other.on_disk_);
    std::swap(last_, other.last_);
    return *this;
  }

  std::int64_t size() const { return on_disk_ + static_cast<std::int64_t>(last_.size()); }
  Value operator[](std::int64_t i) const { return *at(i); }
  /// Values that were appended together stand side by side: those from `i` on.
  const Value* at(std::int64_t i) const {
    return i < on_disk_ ? reinterpret_cast<const Value*>(file_.data()) + i
                        : last_.data() + (i - on_disk_);
  }

  /// IoError as GrowingFile::append's; the values that were there stay good.
  void append(std::span<const Value> values) {
    if (!in_memory_ && last_.size() + values.size() > kInMemory) {
      store(last_);
      last_.clear();
    }
    if (!in_memory_ && values.size() > kInMemory) {
      store(values);
    } else {
      last_.insert(last_.end(), values.begin(), values.end());
    }
  }
  void append(Value value) { append(std::span<const Value>(&value, 1)); }

 private:
  static constexpr std::size_t kInMemory = (std::size_t{1} << 20) / sizeof(Value);

  void store(std::span<const Value> values) {
    if (values.empty()) return;
    file_.append(std::as_bytes(values));
    on_disk_ += static_cast<std::int64_t>(values.size());
  }

  GrowingFile file_;
  bool in_memory_ = false;
  std::int64_t on_disk_ = 0;
  std::vector<Value> last_{};
};

/// Lists of values, one after another, in two DiskVectors.
template <class Value>
class RNN_API DiskLists {
 public:
  explicit DiskLists(const Storage& storage = {}) : values_(storage), ends_(storage) {}

  std::int64_t size() const { return ends_.size(); }
  /// Where list `i` begins among the values of all.
  std::int64_t begin(std::int64_t i) const { return i > 0 ? ends_[i - 1] : 0; }
  std::int64_t length(std::int64_t i) const { return ends_[i] - begin(i); }
  /// Good until the next `append`.
  std::span<const Value> operator[](std::int64_t i) const {
    const std::int64_t first = begin(i);
    return {values_.at(first), static_cast<std::size_t>(ends_[i] - first)};
  }
  Value at(std::int64_t i, std::int64_t k) const { return values_[begin(i) + k]; }

  /// IoError as GrowingFile::append's: part of the list may be there, and the lists are unusable
  /// afterwards.
  void append(std::span<const Value> list) {
    values_.append(list);
    ends_.append(values_.size());
  }

 private:
  DiskVector<Value> values_;
  DiskVector<std::int64_t> ends_;
};

}  // namespace rnn
