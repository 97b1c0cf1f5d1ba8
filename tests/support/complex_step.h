// Derivatives by complex step: f'(x) = Im f(x + ih) / h without any cancellation, so with h = 1e-50
// it is as exact as f itself (Squire and Trapp 1998). f must be analytic: no conjugate, no absolute
// value; comparisons look at the real part.
#pragma once

#include <complex>

#include "rnn/tensor.h"

namespace rnn::test {

using Complex = std::complex<double>;

/// The gradient of `f()`, which reads `input`, with respect to every element of `input`.
template <class Function>
BasicTensor<double> complex_step(BasicTensor<Complex>& input, Function&& f) {
  constexpr double kStep = 1e-50;
  BasicTensor<double> gradient(input.shape());
  for (Index i = 0; i < input.size(); ++i) {
    const Complex value = input[i];
    input[i] = value + Complex(0, kStep);
    gradient[i] = f().imag() / kStep;
    input[i] = value;
  }
  return gradient;
}

}  // namespace rnn::test
