// Comparison of tensors with messages that name the element: bit by bit, and within a tolerance.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <iomanip>
#include <sstream>
#include <string>
#include <type_traits>

#include "rnn/tensor.h"

namespace rnn::test {

/// "[1,0,2]": where element i of a row-major array stands.
inline std::string position_of(const Shape& shape, Index i) {
  std::ostringstream text;
  Index below = shape.size();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    below /= shape[axis];
    text << (axis > 0 ? ',' : '[') << i / below;
    i %= below;
  }
  text << ']';
  return text.str();
}

/// What went wrong with element i.
template <class T, class U>
::testing::AssertionResult differs(const Shape& shape, Index i, const T& actual,
                                   const U& expected) {
  std::ostringstream text;
  text << "element " << position_of(shape, i) << " of " << shape.to_string() << " is "
       << std::setprecision(17) << actual << " (" << std::hexfloat << actual << "), expected "
       << std::defaultfloat << expected << " (" << std::hexfloat << expected << ")";
  return ::testing::AssertionFailure() << text.str();
}

/// The same shape and the same bits: tells -0 from 0, and a NaN equals itself.
template <class T>
::testing::AssertionResult bits_equal(View<const T> actual,
                                      std::type_identity_t<View<const T>> expected) {
  if (actual.shape() != expected.shape()) {
    return ::testing::AssertionFailure() << "shape " << actual.shape().to_string() << ", expected "
                                         << expected.shape().to_string();
  }
  for (Index i = 0; i < actual.size(); ++i) {
    if (std::memcmp(static_cast<const void*>(&actual[i]), static_cast<const void*>(&expected[i]),
                    sizeof(T)) != 0) {
      return differs(actual.shape(), i, actual[i], expected[i]);
    }
  }
  return ::testing::AssertionSuccess();
}
template <class T>
::testing::AssertionResult bits_equal(const BasicTensor<T>& actual,
                                      const BasicTensor<T>& expected) {
  return bits_equal(actual.view(), expected.view());
}

/// |actual - expected| <= relative * |expected| + absolute.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

/// Every element within the tolerance; a NaN on either side is a failure.
template <class T, class U>
::testing::AssertionResult close_to(const BasicTensor<T>& actual, const BasicTensor<U>& expected,
                                    const Tolerance& tolerance) {
  if (actual.shape() != expected.shape()) {
    return ::testing::AssertionFailure() << "shape " << actual.shape().to_string() << ", expected "
                                         << expected.shape().to_string();
  }
  for (Index i = 0; i < actual.size(); ++i) {
    const double got = actual[i], want = expected[i];
    const double bound = tolerance.relative * std::abs(want) + tolerance.absolute;
    if (!(std::abs(got - want) <= bound)) return differs(actual.shape(), i, got, want);
  }
  return ::testing::AssertionSuccess();
}

}  // namespace rnn::test
