#include "bench/kernels/precision.h"

#include <cstdio>

#include "bench/kernels/work.h"

namespace rnn::bench {
namespace {

struct Times {
  double forward, both;
};
Times training_times(RecurrentWork& work) {
  return {seconds_a_call([&] { work.forward(); }), seconds_a_call([&] {
            work.forward();
            work.backward();
          })};
}

}  // namespace

void compare_precisions(Precision precision, int threads, int rounds, const std::string& only) {
  const auto make = [&](Precision p) {
    return make_backend({.name = "native", .threads = {.threads = threads}, .precision = p});
  };
  const auto fp32 = make(Precision::kFp32), other = make(precision);
  const std::string name(name_of(precision));
  std::printf("%d threads, %s against %s; milliseconds, ratio above 1: %s is faster\n", threads,
              other->supports({}).path.c_str(), fp32->supports({}).path.c_str(), name.c_str());
  std::printf("FMA peak in fp32 %.0f GFLOP/s\n", fma_peak(threads, 0.3));
  const auto print = [&](const std::string& what, const std::vector<double>& before,
                         const std::vector<double>& now) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < now.size(); ++i) ratios.push_back(before[i] / now[i]);
    std::printf("%-44s %9.4f %9.4f %6.2f\n", what.c_str(), 1e3 * median(before), 1e3 * median(now),
                median(ratios));
    std::fflush(stdout);
  };
  for (const Cell cell : {Cell::kLstm, Cell::kGru, Cell::kGruResetBefore}) {
    for (const Index H : {200, 512, 650, 1024}) {
      for (const Index B : {20, 64}) {
        const std::string label =
            std::string(name_of(cell)) + " T35 B" + std::to_string(B) + " I=H=" + std::to_string(H);
        if (precision == Precision::kInt8 || label.find(only) == label.npos) continue;
        RecurrentWork a(*fp32, cell, 35, B, H, H), b(*other, cell, 35, B, H, H);
        std::vector<double> forward[2], backward[2], both[2];
        for (int round = -1; round < rounds; ++round) {
          for (int side = 0; side < 2; ++side) {
            const Times times = training_times(side == 0 ? a : b);
            if (round < 0) continue;
            forward[side].push_back(times.forward);
            backward[side].push_back(times.both - times.forward);
            both[side].push_back(times.both);
          }
        }
        print(label + " forward", forward[0], forward[1]);
        print(label + " backward", backward[0], backward[1]);
        print(label + " both", both[0], both[1]);
      }
    }
  }
  for (const Cell cell : {Cell::kLstm, Cell::kGru}) {
    for (const Index H : {512, 1024}) {
      for (const Index steps : {1, 100}) {
        const std::string label = std::string(name_of(cell)) + " T" + std::to_string(steps) +
                                  " B1 I=H=" + std::to_string(H) + " inference";
        if (label.find(only) == label.npos) continue;
        RecurrentWork a(*fp32, cell, steps, 1, H, H), b(*other, cell, steps, 1, H, H);
        std::vector<double> times[2];
        for (int round = -1; round < rounds; ++round) {
          for (int side = 0; side < 2; ++side) {
            RecurrentWork& work = side == 0 ? a : b;
            const double seconds = seconds_a_call([&] { work.infer(steps); });
            if (round >= 0) times[side].push_back(seconds);
          }
        }
        print(label, times[0], times[1]);
      }
    }
  }
}

}  // namespace rnn::bench
