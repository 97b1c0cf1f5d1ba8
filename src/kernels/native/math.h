// The vectorised functions of math-inl.h over arrays, for the tests of their accuracy.
#pragma once

#include "rnn/view.h"

namespace rnn::native {

/// y[i] = f(x[i]); `target` as in kernel_table.h.
struct MathTable {
  void (*exp)(const float* x, float* y, Index size);
  void (*log)(const float* x, float* y, Index size);
  void (*tanh)(const float* x, float* y, Index size);
  void (*sigmoid)(const float* x, float* y, Index size);
};
MathTable math_table(int target);

}  // namespace rnn::native
