// What this machine can do: the yardstick beside which kernels are reported.
#pragma once

namespace rnn::bench {

/// fp32 multiply-adds from registers, with as many accumulators as a product has, on `threads`
/// threads at once for about `seconds`; in GFLOP/s.
double fma_peak(int threads, double seconds);

/// Reading an array of `bytes` per thread again and again, on `threads` threads at once; in GB/s of
/// all together.
double read_bandwidth(int threads, long bytes, double seconds);

}  // namespace rnn::bench
