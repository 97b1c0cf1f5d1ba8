// rnn_bench_options: what each option of a recurrent layer costs, forward and backward together,
// over the plain layer of the same width. See bench/README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/kernels/work.h"
#include "rnn/recurrent.h"

namespace rnn::bench {
namespace {

constexpr Index kTime = 35, kBatch = 32, kUnits = 512;

/// A layer with everything a training step of it needs.
class LayerWork {
 public:
  LayerWork(const Backend& backend, std::shared_ptr<const Layer> layer)
      : backend_(backend), layer_(std::move(layer)), x_(Shape{kTime, kBatch, kUnits}) {
    const Signal input = Signal::vectors(kUnits);
    const Random random(1);
    for (const ParameterSpec& spec : layer_->parameters(input)) {
      parameters_.emplace_back(spec.shape);
      spec.initializer.fill(parameters_.back(), spec.blocks, random.fold(parameters_.size()));
      gradients_.emplace_back(spec.shape);
    }
    Initializer::uniform(1).fill(x_.view().reshaped({kTime * kBatch, kUnits}), 1, random);
    dy_ = Tensor(Shape{kTime, kBatch, layer_->output(input).size});
    dy_.fill(0.01f);
    parameter_views_.assign(parameters_.begin(), parameters_.end());
    gradient_views_.assign(gradients_.begin(), gradients_.end());
  }

  void run() {
    Call call{.backend = &backend_,
              .memory = &memory_,
              .training = true,
              .random = Random(2).fold(step_++),
              .parameters = parameter_views_,
              .gradients = gradient_views_};
    const Sequence x{.values = x_};
    layer_->forward(x, call);
    layer_->backward(x, dy_, call);
  }

  /// Seconds of one run, over `repeats`.
  double seconds(int repeats) {
    const double start = seconds_now();
    for (int i = 0; i < repeats; ++i) run();
    return (seconds_now() - start) / repeats;
  }

 private:
  const Backend& backend_;
  std::shared_ptr<const Layer> layer_;
  CallMemory memory_;
  Tensor x_, dy_;
  std::vector<Tensor> parameters_, gradients_;
  std::vector<View<const float>> parameter_views_;
  std::vector<View<float>> gradient_views_;
  std::uint64_t step_ = 0;
};

struct Option {
  std::string name;
  std::shared_ptr<const Layer> plain, layer;
};

std::shared_ptr<const Layer> lstm(LSTMOptions options) {
  options.units = kUnits;
  return std::make_shared<LSTM>(options);
}
std::shared_ptr<const Layer> gru(GRUOptions options) {
  options.units = kUnits;
  return std::make_shared<GRU>(options);
}

std::vector<Option> options() {
  const auto plain_lstm = lstm({}), plain_gru = gru({});
  return {{"lstm dropout 0.5", plain_lstm, lstm({.dropout = 0.5f})},
          {"lstm recurrent_dropout 0.3", plain_lstm, lstm({.recurrent_dropout = 0.3f})},
          {"lstm weight_drop 0.5", plain_lstm, lstm({.weight_drop = 0.5f})},
          {"lstm zoneout h 0.1", plain_lstm, lstm({.zoneout_h = 0.1f})},
          {"lstm zoneout h 0.1, c 0.3", plain_lstm, lstm({.zoneout_h = 0.1f, .zoneout_c = 0.3f})},
          {"lstm learn_initial_state", plain_lstm, lstm({.learn_initial_state = true})},
          {"lstm peepholes", plain_lstm, lstm({.peepholes = true})},
          {"lstm coupled_gates", plain_lstm, lstm({.coupled_gates = true})},
          {"lstm layer_normalization", plain_lstm, lstm({.layer_normalization = true})},
          {"lstm projection 256", plain_lstm, lstm({.projection = 256})},
          {"lstm projection 512", plain_lstm, lstm({.projection = 512})},
          {"gru recurrent_dropout 0.3", plain_gru, gru({.recurrent_dropout = 0.3f})},
          {"gru zoneout h 0.1", plain_gru, gru({.zoneout_h = 0.1f})},
          {"lstm norm, zoneout h c, weight_drop", plain_lstm,
           lstm({.weight_drop = 0.5f,
                 .zoneout_h = 0.1f,
                 .zoneout_c = 0.3f,
                 .layer_normalization = true})},
          {"gru layer_normalization", plain_gru, gru({.layer_normalization = true})}};
}

void run(int threads, int rounds, const std::string& only) {
  const auto backend = make_backend({.name = "native", .threads = {.threads = threads}});
  std::printf("T%d B%d I=H=%d, %d threads, forward and backward, FMA peak %.0f GFLOP/s\n",
              static_cast<int>(kTime), static_cast<int>(kBatch), static_cast<int>(kUnits), threads,
              fma_peak(threads, 0.3));
  std::printf("%-36s %10s %10s %8s\n", "option", "ms", "plain ms", "ratio");
  for (const Option& option : options()) {
    if (option.name.find(only) == std::string::npos) continue;
    LayerWork plain(*backend, option.plain), work(*backend, option.layer);
    plain.run();
    work.run();
    std::vector<double> times, plain_times, ratios;
    for (int round = 0; round < rounds; ++round) {
      constexpr int kRepeats = 2;
      plain_times.push_back(plain.seconds(kRepeats));
      times.push_back(work.seconds(kRepeats));
      ratios.push_back(2 * times.back() / (plain_times.back() + plain.seconds(kRepeats)));
    }
    std::printf("%-36s %10.2f %10.2f %8.3f\n", option.name.c_str(), 1e3 * median(times),
                1e3 * median(plain_times), median(ratios));
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace rnn::bench

int main(int argc, char** argv) {
  int threads = 2, rounds = 7;
  std::string only;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--threads")) threads = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--rounds")) rounds = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--only")) only = argv[i + 1];
    if (!std::strcmp(argv[i], "--clock")) rnn::bench::count_cpu_time = argv[i + 1][0] == 'c';
  }
  rnn::bench::run(threads, rounds, only);
}
