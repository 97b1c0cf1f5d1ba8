// A memory resource that counts, for proving that nothing is allocated.
#pragma once

#include <cstddef>
#include <memory_resource>

namespace rnn::test {

/// Passes requests on and counts them.
class CountingMemory : public std::pmr::memory_resource {
 public:
  int allocations() const { return allocations_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    ++allocations_;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  int allocations_ = 0;
};

}  // namespace rnn::test
