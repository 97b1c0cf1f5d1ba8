// The work that kernels are measured on, shared by our own benchmark and the comparison with
// others.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "bench/kernels/peak.h"
#include "rnn/backend.h"
#include "rnn/tensor.h"

namespace rnn::bench {

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/// Seconds of a call, from as many as last `least` seconds together.
template <class Work>
double seconds_a_call(const Work& work, double least = 0.03) {
  const double start = seconds_now();
  int calls = 0;
  do {
    work();
    ++calls;
  } while (seconds_now() - start < least);
  return (seconds_now() - start) / calls;
}

/// A window of a recurrent layer, forward and backward.
class RecurrentWork {
 public:
  RecurrentWork(const Backend& backend, Cell cell, Index T, Index B, Index I, Index H,
                std::vector<std::int32_t> lengths = {});
  /// With the gates kept, as in training.
  void forward();
  void backward();
  /// Without; `steps` of the window, from carried state.
  void infer(Index steps);
  /// Floating-point operations of the forward pass, valid steps only; backward takes twice that.
  double operations() const { return operations_; }
  double weight_bytes() const {
    return 4.0 * static_cast<double>(kernel_.size() + recurrent_kernel_.size());
  }

 private:
  RecurrentForward<float> forward_args();
  const Backend& backend_;
  Cell cell_;
  std::vector<std::int32_t> lengths_;
  Tensor x_, kernel_, recurrent_kernel_, bias_, h_, c_, y_, gates_, extra_, dy_, dx_;
  Tensor dkernel_, drecurrent_kernel_, dbias_;
  BasicTensor<std::byte> scratch_, inference_scratch_;
  double operations_ = 0;
};

}  // namespace rnn::bench
