// Views as Eigen maps, for programs that use Eigen. The library itself never includes this: Eigen's
// types depend on compiler flags, and an interface must not.
#pragma once

#include <Eigen/Core>

#include "rnn/view.h"

namespace rnn {

/// The same numbers as a row-major array; unaligned, so that any view will do. A view of rank above
/// 2 becomes a matrix whose columns are its last axis. Borrows, as the view does.
template <class T>
auto as_eigen(View<T> view) {
  using Scalar = std::remove_const_t<T>;
  using Array = Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Map = Eigen::Map<std::conditional_t<std::is_const_v<T>, const Array, Array>>;
  const int rank = view.shape().rank();
  const Index columns = rank > 0 ? view.extent(rank - 1) : 1;
  return Map(view.data(), columns > 0 ? view.size() / columns : 0, columns);
}

}  // namespace rnn
