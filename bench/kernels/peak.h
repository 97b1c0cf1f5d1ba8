// What this machine can do: the yardstick beside which kernels are reported.
#pragma once

namespace rnn::bench {

/// Wall clock, or with `count_cpu_time` the time this thread was given: on a machine that others
/// use too, one thread can still be compared with the peak of one thread.
double seconds_now();
extern bool count_cpu_time;

/// fp32 multiply-adds from registers, with as many accumulators as a product has, on `threads`
/// threads at once for about `seconds`; in GFLOP/s.
double fma_peak(int threads, double seconds);

/// Reading an array of `bytes` per thread again and again, on `threads` threads at once; in GB/s of
/// all together.
double read_bandwidth(int threads, long bytes, double seconds);

}  // namespace rnn::bench
