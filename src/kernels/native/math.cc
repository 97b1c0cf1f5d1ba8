#include "kernels/native/math.h"

#include "kernels/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/math.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/native/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

void exp_all(const float* x, float* y, Index size) {
  for_vectors(size,
              [&](Index i, Index n) HWY_ATTR { store_n(exp_of(load_n(x + i, n)), y + i, n); });
}
void log_all(const float* x, float* y, Index size) {
  for_vectors(size,
              [&](Index i, Index n) HWY_ATTR { store_n(log_of(load_n(x + i, n)), y + i, n); });
}
void tanh_all(const float* x, float* y, Index size) {
  for_vectors(size,
              [&](Index i, Index n) HWY_ATTR { store_n(tanh_of(load_n(x + i, n)), y + i, n); });
}
void sigmoid_all(const float* x, float* y, Index size) {
  for_vectors(size,
              [&](Index i, Index n) HWY_ATTR { store_n(sigmoid_of(load_n(x + i, n)), y + i, n); });
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::native {
HWY_EXPORT(exp_all);
HWY_EXPORT(log_all);
HWY_EXPORT(tanh_all);
HWY_EXPORT(sigmoid_all);

MathTable math_table(int target) {
  return {.exp = HWY_DISPATCH_TABLE(exp_all)[target],
          .log = HWY_DISPATCH_TABLE(log_all)[target],
          .tanh = HWY_DISPATCH_TABLE(tanh_all)[target],
          .sigmoid = HWY_DISPATCH_TABLE(sigmoid_all)[target]};
}
}  // namespace rnn::native
#endif
