// rnn_bench_kernels: GFLOP/s of the recurrent kernels and their share of the FMA peak measured in
// the same run. See bench/README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <string>

#include "bench/kernels/peak.h"
#include "bench/kernels/precision.h"
#include "bench/kernels/work.h"

namespace rnn::bench {
namespace {

struct Options {
  int threads = 2;
  int rounds = 7;
  std::string only{};  // part of a case's name
  std::string backend = "native";
  Precision precision = Precision::kFp32;
};

/// Medians over rounds of a window's passes. Other tenants of a machine change what it can do from
/// second to second, so the FMA peak is measured before and after each round, whose times are
/// compared with it alone. The backward pass takes what both take together less the forward pass.
struct Passes {
  double forward = 0, backward = 0;              // seconds
  double forward_share = 0, backward_share = 0;  // of the peak
};

Passes time_passes(RecurrentWork& work, const Options& options) {
  const auto forward = [&] { work.forward(); };
  const auto both = [&] {
    work.forward();
    work.backward();
  };
  both();
  std::vector<double> forwards, backwards, forward_shares, backward_shares;
  double before = fma_peak(options.threads, 0.01);
  for (int round = 0; round < options.rounds; ++round) {
    forwards.push_back(seconds_a_call(forward));
    backwards.push_back(seconds_a_call(both, 0.06) - forwards.back());
    const double after = fma_peak(options.threads, 0.01);
    const double least = 1e-9 * work.operations() / (0.5 * (before + after));
    forward_shares.push_back(least / forwards.back());
    backward_shares.push_back(2 * least / backwards.back());
    before = after;
  }
  return {median(forwards), median(backwards), median(forward_shares), median(backward_shares)};
}

void run(const Options& options) {
  const auto backend =
      make_backend({.name = options.backend, .threads = {.threads = options.threads}});
  const double peak = fma_peak(options.threads, 0.3);
  const double bandwidth_l2 = read_bandwidth(options.threads, 400 << 10, 0.2);
  const double bandwidth_l3 = read_bandwidth(options.threads, 4 << 20, 0.2);
  std::printf("%d threads, FMA peak %.0f GFLOP/s, read %.0f GB/s (400 KB each), %.0f (4 MB each)\n",
              options.threads, peak, bandwidth_l2, bandwidth_l3);
  std::printf("%-34s %10s %8s %6s %10s %8s %6s\n", "window", "forward ms", "GFLOP/s", "peak",
              "backward", "GFLOP/s", "peak");
  struct Case {
    Cell cell;
    Index T, B, H;
  };
  std::vector<Case> cases;
  for (Cell cell : {Cell::kLstm, Cell::kGru}) {
    for (Index H : {200, 256, 512, 650, 1024}) {
      for (Index B : {20, 32, 64}) cases.push_back({cell, 35, B, H});
    }
  }
  cases.push_back({Cell::kGruResetBefore, 35, 20, 512});
  cases.push_back({Cell::kGruResetBefore, 35, 64, 512});
  cases.push_back({Cell::kRnnTanh, 35, 32, 512});
  for (const Case& c : cases) {
    const std::string name = std::string(name_of(c.cell)) + " T" + std::to_string(c.T) + " B" +
                             std::to_string(c.B) + " I=H=" + std::to_string(c.H);
    if (name.find(options.only) == std::string::npos) continue;
    RecurrentWork work(*backend, c.cell, c.T, c.B, c.H, c.H);
    const double operations = work.operations();
    const Passes passes = time_passes(work, options);
    std::printf("%-34s %10.3f %8.1f %5.1f%% %10.3f %8.1f %5.1f%%\n", name.c_str(),
                1e3 * passes.forward, 1e-9 * operations / passes.forward,
                100 * passes.forward_share, 1e3 * passes.backward,
                2e-9 * operations / passes.backward, 100 * passes.backward_share);
    std::fflush(stdout);
  }
  std::printf("\n%-34s %10s %10s %10s\n", "inference, batch 1", "ms", "roof ms", "share");
  for (Cell cell : {Cell::kLstm, Cell::kGru}) {
    for (Index H : {256, 512, 1024}) {
      for (Index steps : {1, 100}) {
        const std::string name = std::string(name_of(cell)) + " T" + std::to_string(steps) +
                                 " B1 I=H=" + std::to_string(H) + " inference";
        if (name.find(options.only) == std::string::npos) continue;
        RecurrentWork work(*backend, cell, steps, 1, H, H);
        // The roof: each step reads the recurrent weights, as fast as threads read arrays of that
        // size again and again; the input's are one product, at the FMA peak, or where there is
        // one step only, read like the others.
        const double bytes = work.weight_bytes() / 2 * (steps == 1 ? 2 : 1);
        const double input = steps == 1 ? 0 : work.operations() / 2;
        const auto roof_now = [&] {
          return 1e-9 * (static_cast<double>(steps) * bytes /
                             read_bandwidth(options.threads,
                                            static_cast<long>(bytes) / options.threads, 0.02) +
                         input / fma_peak(options.threads, 0.01));
        };
        std::vector<double> times, roofs, shares;
        for (int round = 0; round < options.rounds; ++round) {
          roofs.push_back(roof_now());
          times.push_back(seconds_a_call([&] { work.infer(steps); }));
          shares.push_back(0.5 * (roofs.back() + roof_now()) / times.back());
        }
        std::printf("%-34s %10.4f %10.4f %9.1f%%\n", name.c_str(), 1e3 * median(times),
                    1e3 * median(roofs), 100 * median(shares));
        std::fflush(stdout);
      }
    }
  }
  std::printf("FMA peak at the end %.0f GFLOP/s\n", fma_peak(options.threads, 0.3));
}

/// One case for bench/peers/compare.py: "train,lstm,35,20,512" prints the seconds of the forward
/// and of the backward pass, "infer,..." those of one call with carried state.
void run_case(const Options& options, const std::string& text) {
  std::vector<std::string> words;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ',');) words.push_back(word);
  if (words.size() != 5) throw std::invalid_argument("--case: expected kind,cell,T,B,H");
  const Cell cell = words[1] == "lstm"               ? Cell::kLstm
                    : words[1] == "gru"              ? Cell::kGru
                    : words[1] == "gru-reset-before" ? Cell::kGruResetBefore
                                                     : Cell::kRnnTanh;
  const Index T = std::stol(words[2]), B = std::stol(words[3]), H = std::stol(words[4]);
  const auto backend = make_backend({.name = options.backend,
                                     .threads = {.threads = options.threads},
                                     .precision = options.precision});
  RecurrentWork work(*backend, cell, T, B, H, H);
  if (words[0] == "infer") {
    const auto call = [&] { work.infer(T); };
    seconds_a_call(call);
    std::printf("%.9g\n", seconds_a_call(call, 0.1));
    return;
  }
  const auto forward = [&] { work.forward(); };
  const auto both = [&] {
    work.forward();
    work.backward();
  };
  seconds_a_call(both);
  const double seconds = seconds_a_call(forward, 0.1);
  std::printf("%.9g %.9g\n", seconds, seconds_a_call(both, 0.1) - seconds);
}

}  // namespace
}  // namespace rnn::bench

int main(int argc, char** argv) {
  rnn::bench::Options options;
  std::string one;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--threads")) options.threads = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--rounds")) options.rounds = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--only")) options.only = argv[i + 1];
    if (!std::strcmp(argv[i], "--backend")) options.backend = argv[i + 1];
    if (!std::strcmp(argv[i], "--precision")) {
      options.precision = rnn::parse_precision(argv[i + 1]);
    }
    if (!std::strcmp(argv[i], "--case")) one = argv[i + 1];
    if (!std::strcmp(argv[i], "--clock")) rnn::bench::count_cpu_time = argv[i + 1][0] == 'c';
  }
  if (!one.empty()) {
    rnn::bench::run_case(options, one);
  } else if (options.precision != rnn::Precision::kFp32) {
    rnn::bench::compare_precisions(options.precision, options.threads, options.rounds,
                                   options.only);
  } else {
    rnn::bench::run(options);
  }
}
