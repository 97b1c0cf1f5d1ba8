#include "kernels/native/huge_pages.h"

#include <sys/mman.h>

#include <cstddef>

namespace rnn::native {
namespace {

constexpr std::size_t kPage = std::size_t{2} << 20;

class HugePages : public std::pmr::memory_resource {
  static std::size_t aligned_to(std::size_t bytes, std::size_t alignment) {
    return bytes < kPage || alignment > kPage ? alignment : kPage;
  }

  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* memory = std::pmr::new_delete_resource()->allocate(bytes, aligned_to(bytes, alignment));
#if defined(MADV_HUGEPAGE)
    // A wish: without it all is as it was.
    if (bytes >= kPage) (void)madvise(memory, bytes / kPage * kPage, MADV_HUGEPAGE);
#endif
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(memory, bytes, aligned_to(bytes, alignment));
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

}  // namespace

std::pmr::memory_resource* huge_pages() {
  static HugePages& resource = *new HugePages;
  return &resource;
}

}  // namespace rnn::native
