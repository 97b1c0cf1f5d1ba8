// rnn_bench_training: tokens a second of whole training steps of language models (forward, softmax,
// backward, clipping, update), and their share of the FMA peak measured in the same run.
// See bench/README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/kernels/peak.h"
#include "bench/kernels/work.h"
#include "rnn/embedding.h"
#include "rnn/model.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/softmax.h"
#include "rnn/text/lane_dataset.h"

namespace rnn::bench {
namespace {

struct Case {
  const char* name;
  Index vocabulary, width, layers, batch, bptt;
};

// The first two are the models of Zaremba et al. 2014; the last is a character model.
constexpr Case kCases[] = {{"ptb-small", 10000, 200, 2, 20, 20},
                           {"ptb-medium", 10000, 650, 2, 20, 35},
                           {"char-512", 66, 512, 1, 32, 100}};

Sequential network_of(const Case& c) {
  std::vector<Part> parts{Embedding({.input_dim = c.vocabulary, .output_dim = c.width})};
  for (Index layer = 0; layer < c.layers; ++layer) parts.emplace_back(LSTM({.units = c.width}));
  parts.emplace_back(Softmax({.units = c.vocabulary}));
  return Sequential(parts);
}

/// Floating-point operations of a training step, per token: forward, and twice that backward.
double operations_per_token(const Case& c) {
  const double recurrent = 2.0 * (c.width + c.width) * 4 * c.width * c.layers;
  return 3 * (recurrent + 2.0 * c.width * c.vocabulary);
}

void run(const Case& c, int rounds, const BackendOptions& backend) {
  const int threads = backend.threads.threads;
  std::vector<std::int32_t> ids(200000);
  const Random random(1);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<std::int32_t>(random.uniform(i) * static_cast<float>(c.vocabulary));
  }
  LaneDataset lanes(ids, 0, {.batch = c.batch, .bptt = c.bptt});
  Model model(network_of(c));
  model.compile({.optimizer = SGD{.learning_rate = 0.1f}, .clip_norm = 0.25f, .backend = backend});
  const MemoryPlan plan = model.plan_training(c.bptt, c.batch);

  // One fit; a callback takes the time between steps.
  std::vector<double> rates, shares;
  std::int64_t tokens = 0;
  double start = 0, before = 0;
  bool warm = false;
  OnStep measure([&](Model& m, const StepRecord& record) {
    tokens += record.loss.targets;
    if (!warm || seconds_now() - start < 1.0) {
      if (!warm && record.steps == 3) {
        warm = true;
        before = fma_peak(threads, 0.02);
        start = seconds_now();
        tokens = 0;
      }
      return;
    }
    rates.push_back(static_cast<double>(tokens) / (seconds_now() - start));
    const double after = fma_peak(threads, 0.02);
    shares.push_back(1e-9 * rates.back() * operations_per_token(c) / (0.5 * (before + after)));
    before = after;
    if (static_cast<int>(rates.size()) == rounds) m.stop("measured");
    start = seconds_now();
    tokens = 0;
  });
  model.fit(lanes, {.epochs = 100000, .state = StatePolicy::kCarry, .callbacks = {&measure}});
  std::printf("%-12s %s %d threads  %8.0f tokens/s  %6.1f GFLOP/s  %5.1f%% of the fp32 peak  %s\n",
              c.name, std::string(name_of(backend.precision)).c_str(), threads, median(rates),
              1e-9 * median(rates) * operations_per_token(c), 100 * median(shares),
              plan.to_string().c_str());
  std::fflush(stdout);
}

}  // namespace
}  // namespace rnn::bench

int main(int argc, char** argv) {
  int rounds = 7;
  std::string only;
  rnn::BackendOptions backend{.name = "native", .threads = {.threads = 2}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--threads")) backend.threads.threads = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--precision")) backend.precision = rnn::parse_precision(argv[i + 1]);
    if (!std::strcmp(argv[i], "--rounds")) rounds = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--only")) only = argv[i + 1];
    if (!std::strcmp(argv[i], "--backend")) backend.name = argv[i + 1];
  }
  for (const auto& c : rnn::bench::kCases) {
    if (std::string(c.name).find(only) != std::string::npos) {
      rnn::bench::run(c, rounds, backend);
    }
  }
}
