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

/// out[0..k) += d[0..n) W^T.
template <class T>
void add_product_transposed(const T* d, Index n, const T* w, Index stride, T* out, Index k) {
  for (Index i = 0; i < k; ++i) {
    T sum = out[i];
    for (Index j = 0; j < n; ++j) sum += d[j] * w[i * stride + j];
    out[i] = sum;
  }
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
