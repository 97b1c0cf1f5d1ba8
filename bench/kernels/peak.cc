#include "bench/kernels/peak.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/kernels/peak.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace rnn::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Multiply-adds of one call: rounds * accumulators * lanes.
double multiply_add(long rounds, float* sink) {
  const hn::ScalableTag<float> d;
  constexpr int kAccumulators = 12;
  hn::Vec<decltype(d)> sums[kAccumulators];
  for (int i = 0; i < kAccumulators; ++i) sums[i] = hn::Set(d, static_cast<float>(i));
  const auto factor = hn::Set(d, 0.999f), term = hn::Set(d, 0.5f);
  for (long round = 0; round < rounds; ++round) {
    for (auto& sum : sums) sum = hn::MulAdd(sum, factor, term);
  }
  for (int i = 1; i < kAccumulators; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  hn::StoreU(sums[0], d, sink);
  return static_cast<double>(rounds) * kAccumulators * static_cast<double>(hn::Lanes(d));
}

float read_all(const float* data, long size) {
  const hn::ScalableTag<float> d;
  const long lanes = static_cast<long>(hn::Lanes(d));
  auto a = hn::Zero(d), b = a, c = a, e = a;
  for (long i = 0; i + 4 * lanes <= size; i += 4 * lanes) {
    a = hn::Add(a, hn::Load(d, data + i));
    b = hn::Add(b, hn::Load(d, data + i + lanes));
    c = hn::Add(c, hn::Load(d, data + i + 2 * lanes));
    e = hn::Add(e, hn::Load(d, data + i + 3 * lanes));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rnn::bench {
HWY_EXPORT(multiply_add);
HWY_EXPORT(read_all);

bool count_cpu_time = false;

double seconds_now() {
  timespec now{};
  clock_gettime(count_cpu_time ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

namespace {

/// Runs `work` on all threads until `seconds` have passed; the sum of what it returns, per second.
template <class Work>
double rate(int threads, double seconds, const Work& work) {
  std::atomic<int> ready = 0;
  std::vector<double> rates(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> team;
    team.reserve(static_cast<std::size_t>(threads));
    for (int thread = 0; thread < threads; ++thread) {
      team.emplace_back([&, thread] {
        work(thread);
        ++ready;
        while (ready < threads) {
        }
        const double start = seconds_now();
        double done = 0, elapsed = 0;
        do {
          done += work(thread);
          elapsed = seconds_now() - start;
        } while (elapsed < seconds);
        rates[static_cast<std::size_t>(thread)] = done / elapsed;
      });
    }
  }
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

}  // namespace

double fma_peak(int threads, double seconds) {
  return 2e-9 * rate(threads, seconds, [](int) {
           alignas(64) float sink[64];
           return HWY_DYNAMIC_DISPATCH(multiply_add)(20000, sink);
         });
}

double read_bandwidth(int threads, long bytes, double seconds) {
  const long size = bytes / static_cast<long>(sizeof(float)) / 64 * 64;
  std::vector<hwy::AlignedFreeUniquePtr<float[]>> arrays;
  for (int thread = 0; thread < threads; ++thread) {
    arrays.push_back(hwy::AllocateAligned<float>(static_cast<std::size_t>(size)));
    std::fill_n(arrays.back().get(), size, 1.0f);
  }
  volatile float sink = 0;
  return 1e-9 * rate(threads, seconds, [&](int thread) {
           sink =
               HWY_DYNAMIC_DISPATCH(read_all)(arrays[static_cast<std::size_t>(thread)].get(), size);
           return static_cast<double>(size) * sizeof(float);
         });
}

}  // namespace rnn::bench
#endif
