// The two products everything in the reference is made of: a row times a matrix, and a row times
// its transpose. Each output element is one accumulator that takes its terms in the order of k,
// whatever the batch: Eigen's blocked products do not promise that, its element-wise work does.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <complex>

#include "rnn/view.h"

namespace rnn::reference {

template <class T>
using Row = Eigen::Map<Eigen::Array<T, 1, Eigen::Dynamic>>;
template <class T>
using ConstRow = Eigen::Map<const Eigen::Array<T, 1, Eigen::Dynamic>>;

template <class T>
Row<T> row(T* data, Index n) {
  return {data, n};
}
template <class T>
ConstRow<T> row(const T* data, Index n) {
  return {data, n};
}

/// out[0..n) += x[0..k) W, where row i of W starts at w + i * stride.
template <class T>
void add_product(const T* x, Index k, const T* w, Index stride, T* out, Index n) {
  for (Index i = 0; i < k; ++i) row(out, n) += x[i] * row(w + i * stride, n);
}

/// Rows [i, i + kRows) of the product below.
template <int kRows, class T>
void add_dot_products(const T* d, Index n, const T* w, Index stride, T* out) {
  T sum[kRows];
  for (int r = 0; r < kRows; ++r) sum[r] = out[r];
  for (Index j = 0; j < n; ++j) {
    for (int r = 0; r < kRows; ++r) sum[r] += d[j] * w[r * stride + j];
  }
  for (int r = 0; r < kRows; ++r) out[r] = sum[r];
}

/// out[0..k) += d[0..n) W^T. Several rows at once: each is a chain of additions that must stay in
/// the order of j, so only other rows can fill the waiting time (8 rows: 3 times as fast as 1).
template <class T>
void add_product_transposed(const T* d, Index n, const T* w, Index stride, T* out, Index k) {
  constexpr int kRows = 8;
  Index i = 0;
  for (; i + kRows <= k; i += kRows) add_dot_products<kRows>(d, n, w + i * stride, stride, out + i);
  for (; i < k; ++i) add_dot_products<1>(d, n, w + i * stride, stride, out + i);
}

/// dW[0..k)[0..n) += x^T d.
template <class T>
void add_outer(const T* x, Index k, const T* d, Index n, T* dw, Index stride) {
  for (Index i = 0; i < k; ++i) row(dw + i * stride, n) += x[i] * row(d, n);
}

/// The real part decides comparisons, so that complex-step differentiation takes the same branch.
inline double real_part(double x) { return x; }
inline double real_part(const std::complex<double>& x) { return x.real(); }

// Scalar functions are called one element at a time: a vectorised one with a scalar tail would give
// other bits for other alignments.
template <class T>
T sigmoid(T x) {
  using std::exp;
  return T(1) / (T(1) + exp(-x));
}

}  // namespace rnn::reference
