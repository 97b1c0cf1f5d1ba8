// Tensor: owns the numbers that Views borrow.
#pragma once

#include <algorithm>
#include <memory_resource>
#include <utility>

#include "rnn/view.h"

namespace rnn {

/// A contiguous, row-major array with value semantics: copying copies the numbers.
///
/// Memory is aligned to 64 bytes and comes from a std::pmr resource, a backend's where a tensor is
/// made for one. `resize` keeps what it has while it suffices, so a training step allocates nothing
/// once the largest shape has been seen. Not thread-safe for writing, like any value.
template <class T>
class BasicTensor {
 public:
  static constexpr std::size_t kAlignment = 64;

  explicit BasicTensor(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : memory_(memory) {}
  /// A tensor of zeros.
  explicit BasicTensor(const Shape& shape,
                       std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : memory_(memory) {
    resize(shape);
    fill(T{});
  }
  BasicTensor(const BasicTensor& other) : memory_(other.memory_) { *this = other; }
  BasicTensor(BasicTensor&& other) noexcept : memory_(other.memory_) { swap(other); }
  BasicTensor& operator=(const BasicTensor& other) {
    if (this != &other) {
      resize(other.shape_);
      std::copy_n(other.data_, other.size(), data_);
    }
    return *this;
  }
  BasicTensor& operator=(BasicTensor&& other) noexcept {
    swap(other);
    return *this;
  }
  ~BasicTensor() { release(); }

  const Shape& shape() const { return shape_; }
  Index extent(int axis) const { return shape_[axis]; }
  Index size() const { return shape_.size(); }
  bool empty() const { return size() == 0; }
  /// Elements that there is memory for.
  Index capacity() const { return capacity_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](Index i) { return data_[i]; }
  const T& operator[](Index i) const { return data_[i]; }

  View<T> view() { return {data_, shape_}; }
  View<const T> view() const { return {data_, shape_}; }
  operator View<T>() { return view(); }
  operator View<const T>() const { return view(); }

  void fill(T value) { std::fill_n(data_, size(), value); }

  /// Gives the tensor another shape. What it held is unspecified afterwards.
  void resize(const Shape& shape) {
    const Index needed = shape.size();
    if (needed > capacity_) {
      release();  // first: the two are never there together
      shape_ = Shape{0};
      data_ = static_cast<T*>(
          memory_->allocate(static_cast<std::size_t>(needed) * sizeof(T), kAlignment));
      capacity_ = needed;
      std::fill_n(data_, needed, T{});
    }
    shape_ = shape;
  }

  void swap(BasicTensor& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(shape_, other.shape_);
  }

 private:
  void release() {
    if (data_) {
      memory_->deallocate(data_, static_cast<std::size_t>(capacity_) * sizeof(T), kAlignment);
    }
    data_ = nullptr;
    capacity_ = 0;
  }

  std::pmr::memory_resource* memory_;
  T* data_ = nullptr;
  Index capacity_ = 0;
  Shape shape_{0};
};

using Tensor = BasicTensor<float>;

}  // namespace rnn
