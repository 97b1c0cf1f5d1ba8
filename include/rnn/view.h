// Shape and View: how the library points at numbers it does not own.
//
// Everything is row-major and contiguous; sequences are time-major, [T,B,F]. A View is two words
// and a shape: pass it by value. It borrows: whoever made the memory keeps it alive. Indexing is
// not checked, since kernels live on it; shapes are checked where data enters (see ShapeError).
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

namespace rnn {

using Index = std::int64_t;

/// Up to four extents. A default-made shape has rank 0 and one element, as a scalar.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<Index> extents) {
    assert(extents.size() <= kMaxRank);
    for (Index extent : extents) extents_[static_cast<std::size_t>(rank_++)] = extent;
  }

  constexpr int rank() const { return rank_; }
  constexpr Index operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  constexpr Index size() const {
    Index product = 1;
    for (int axis = 0; axis < rank_; ++axis) product *= (*this)[axis];
    return product;
  }
  /// The shape without its first axis: what one step along that axis holds.
  constexpr Shape tail() const {
    Shape shape;
    for (int axis = 1; axis < rank_; ++axis) {
      shape.extents_[static_cast<std::size_t>(shape.rank_++)] = (*this)[axis];
    }
    return shape;
  }
  friend constexpr bool operator==(const Shape&, const Shape&) = default;

  /// "[35,20,200]"
  std::string to_string() const {
    std::string text = "[";
    for (int axis = 0; axis < rank_; ++axis) {
      if (axis > 0) text += ',';
      text += std::to_string((*this)[axis]);
    }
    return text + "]";
  }

 private:
  std::array<Index, kMaxRank> extents_{};
  int rank_ = 0;
};

/// A borrowed, contiguous, row-major array. A default-made view is null: `if (view)` asks.
template <class T>
class View {
 public:
  constexpr View() = default;
  constexpr View(T* data, const Shape& shape) : data_(data), shape_(shape) {}
  /// A mutable view can be read.
  template <class U>
  requires(std::is_same_v<const U, T> && !std::is_const_v<U>) constexpr View(const View<U>& other)
      : data_(other.data()), shape_(other.shape()) {}

  constexpr explicit operator bool() const { return data_ != nullptr; }
  constexpr T* data() const { return data_; }
  constexpr const Shape& shape() const { return shape_; }
  constexpr Index extent(int axis) const { return shape_[axis]; }
  constexpr Index size() const { return data_ ? shape_.size() : 0; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size(); }

  constexpr T& operator[](Index i) const { return data_[i]; }
  constexpr T& operator()(Index i, Index j) const { return data_[i * shape_[1] + j]; }
  constexpr T& operator()(Index i, Index j, Index k) const {
    return data_[(i * shape_[1] + j) * shape_[2] + k];
  }
  /// What stands at position i of the first axis: a step of a sequence, a row of a matrix.
  constexpr View slice(Index i) const {
    const Shape tail = shape_.tail();
    return data_ ? View(data_ + i * tail.size(), tail) : View();
  }
  /// The same numbers in another shape of the same size.
  constexpr View reshaped(const Shape& shape) const {
    assert(shape.size() == shape_.size());
    return View(data_, shape);
  }

 private:
  T* data_ = nullptr;
  Shape shape_{0};
};

}  // namespace rnn
