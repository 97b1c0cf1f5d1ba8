// A memory resource that counts, for proving that nothing is allocated, or how much is held.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory_resource>

namespace rnn::test {

/// Passes requests on and counts them.
class CountingMemory : public std::pmr::memory_resource {
 public:
  int allocations() const { return allocations_; }
  /// Bytes held now, and the most ever held.
  std::size_t bytes() const { return bytes_; }
  std::size_t most_bytes() const { return most_bytes_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    ++allocations_;
    bytes_ += bytes;
    most_bytes_ = std::max(most_bytes_, bytes_);
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    bytes_ -= bytes;
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  int allocations_ = 0;
  std::size_t bytes_ = 0, most_bytes_ = 0;
};

}  // namespace rnn::test
