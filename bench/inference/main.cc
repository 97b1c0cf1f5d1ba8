// rnn_bench_inference: tokens a second of language models in use, one step a call with carried
// state (as in generation) and windows of a hundred steps (as in scoring), at batch 1, 8 and 64;
// and what padding costs a ragged batch. See bench/README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/kernels/work.h"
#include "rnn/embedding.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/session.h"
#include "rnn/softmax.h"

namespace rnn::bench {
namespace {

struct Case {
  const char* name;
  Index vocabulary, width, layers;
};
constexpr Case kCases[] = {{"ptb-small", 10000, 200, 2},
                           {"ptb-medium", 10000, 650, 2},
                           {"char-512", 66, 512, 1},
                           {"char-1024", 66, 1024, 1}};

struct Options {
  int threads = 2, rounds = 5;
  std::string only{};
};

Sequential network_of(const Case& c) {
  std::vector<Part> parts{Embedding({.input_dim = c.vocabulary, .output_dim = c.width})};
  for (Index layer = 0; layer < c.layers; ++layer) parts.emplace_back(LSTM({.units = c.width}));
  parts.emplace_back(Softmax({.units = c.vocabulary}));
  return Sequential(parts);
}

/// Symbols drawn evenly, so that those which a backend keeps something for are no more frequent
/// than the rest.
Batch batch_of(Index time, Index batch, Index vocabulary, std::uint64_t seed) {
  Batch made{.time = time, .batch = batch};
  const Random random(seed);
  for (Index i = 0; i < time * batch; ++i) {
    made.ids.push_back(static_cast<std::int32_t>(random.uniform(static_cast<std::uint64_t>(i)) *
                                                 static_cast<float>(vocabulary)));
  }
  made.targets = made.ids;
  return made;
}

/// Calls a second, over at least 50 ms.
template <class Work>
double rate_of(const Work& work) {
  work();
  const double start = seconds_now();
  int calls = 0;
  do {
    work();
    ++calls;
  } while (seconds_now() - start < 0.05);
  return calls / (seconds_now() - start);
}

void run(const Case& c, Precision precision, const Options& options) {
  const auto backend = make_backend(
      {.name = "native", .threads = {.threads = options.threads}, .precision = precision});
  const Sequential network = network_of(c);
  const Parameters parameters = network.initial_parameters(1, *backend);
  std::printf("%-10s %-5s", c.name, std::string(name_of(precision)).c_str());
  for (const Index steps : {1, 100}) {
    for (const Index rows : {1, 8, 64}) {
      Inference inference(network, parameters, backend);
      State state = network.zero_state(rows, *backend);
      std::vector<Batch> batches;
      for (std::uint64_t seed = 0; seed < 100; ++seed) {
        batches.push_back(batch_of(steps, rows, c.vocabulary, seed));
      }
      std::size_t calls = 0;
      std::vector<double> rates;
      rates.reserve(static_cast<std::size_t>(options.rounds));
      for (int round = 0; round < options.rounds; ++round) {
        rates.push_back(static_cast<double>(steps * rows) * rate_of([&] {
                          const Batch& batch = batches[calls++ % batches.size()];
                          if (steps == 1) {
                            inference.predict(batch, state);
                          } else {
                            inference.evaluate(batch, state);
                          }
                        }));
      }
      std::printf(" %9.0f", median(rates));
    }
  }
  std::printf("\n");
  std::fflush(stdout);
}

/// Milliseconds of a window of training whose lengths spread evenly over 1 .. T, against the full
/// one, as valid steps a second.
void run_ragged(const Options& options) {
  const auto backend = make_backend({.name = "native", .threads = {.threads = options.threads}});
  std::printf("\nragged windows: valid steps a second, forward and backward, against full ones\n");
  for (const Cell cell : {Cell::kLstm, Cell::kGru}) {
    for (const Index B : {20, 64}) {
      const Index T = 35, H = 512;
      std::vector<std::int32_t> lengths;
      double valid = 0;
      for (Index b = 0; b < B; ++b) {
        lengths.push_back(static_cast<std::int32_t>(1 + (T - 1) * b / (B - 1)));
        valid += lengths.back();
      }
      RecurrentWork full(*backend, cell, T, B, H, H), ragged(*backend, cell, T, B, H, H, lengths);
      const auto pass = [](RecurrentWork& work) {
        return [&work] {
          work.forward();
          work.backward();
        };
      };
      std::vector<double> a, b, ratios;
      for (int round = 0; round < options.rounds; ++round) {
        a.push_back(static_cast<double>(T * B) * rate_of(pass(full)));
        b.push_back(valid * rate_of(pass(ragged)));
        ratios.push_back(b.back() / a.back());
      }
      std::printf("%-5s T%ld B%-3ld H%ld   full %9.0f   ragged %9.0f   ratio %.2f\n",
                  std::string(name_of(cell)).c_str(), static_cast<long>(T), static_cast<long>(B),
                  static_cast<long>(H), median(a), median(b), median(ratios));
      std::fflush(stdout);
    }
  }
}

}  // namespace
}  // namespace rnn::bench

int main(int argc, char** argv) {
  rnn::bench::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--threads")) options.threads = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--rounds")) options.rounds = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--only")) options.only = argv[i + 1];
  }
  std::printf("tokens a second, %d threads\n%-10s %-5s %9s %9s %9s %9s %9s %9s\n", options.threads,
              "model", "", "T1 B1", "B8", "B64", "T100 B1", "B8", "B64");
  using rnn::Precision;
  for (const auto& c : rnn::bench::kCases) {
    if (std::string(c.name).find(options.only) == std::string::npos) continue;
    for (const Precision p : {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
      rnn::bench::run(c, p, options);
    }
  }
  if (options.only.empty() || options.only == "ragged") rnn::bench::run_ragged(options);
}
