// A corpus larger than what memory should be needed for: tokenized whole, then 500 training steps
// at its start, middle and end, with the anonymous resident memory after each.
//
//   rnn_bench_large FILE... [--unit word]
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/model.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/softmax.h"
#include "rnn/text/lane_dataset.h"
#include "rnn/text/token_file.h"

namespace rnn {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Of /proc/self/status, in MB: memory that is not a file's.
double resident(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.compare(0, std::strlen(field), field) == 0) {
      return std::stod(line.substr(std::strlen(field))) * 1024 / 1e6;
    }
  }
  return -1;
}

void report(const char* stage, double seconds) {
  std::printf("%-34s %8.1f s   RssAnon %7.1f MB   RssFile %8.1f MB\n", stage, seconds,
              resident("RssAnon:"), resident("RssFile:"));
  std::fflush(stdout);
}

/// Some batches of a source as an epoch of their own.
class Excerpt final : public BatchSource {
 public:
  Excerpt(BatchSource& source, std::int64_t from, std::int64_t batches)
      : source_(source), from_(from), batches_(batches) {}
  bool next(Batch& batch) override { return position().batch < batches_ && source_.next(batch); }
  void seek(const Position& position) override {
    epoch_ = position.epoch;
    source_.seek({.epoch = 0, .batch = from_ + position.batch});
  }
  Position position() const override { return {epoch_, source_.position().batch - from_}; }
  std::optional<std::int64_t> batches_per_epoch() const override { return batches_; }

 private:
  BatchSource& source_;
  std::int64_t from_, batches_;
  std::int64_t epoch_ = 0;
};

void run(const std::vector<std::string>& paths, const std::string& unit) {
  constexpr std::int64_t kSteps = 500;
  const auto tokenizer = make_tokenizer({.unit = unit});
  double start = seconds_now();
  const CorpusOptions options{.threads = 2};
  const Vocabulary vocabulary =
      count_symbols(paths, *tokenizer, options).build({.maximum_size = 10000});
  report("vocabulary", seconds_now() - start);
  start = seconds_now();
  const TokenFile file = TokenFile::build(paths, *tokenizer, vocabulary, options);
  report("token file", seconds_now() - start);
  std::printf("%lld bytes, %zu tokens, %d symbols\n", static_cast<long long>(file.bytes()),
              file.ids().size(), vocabulary.size());
  LaneDataset lanes(file.ids(), vocabulary.end_id(), {.batch = 20, .bptt = 20});
  Model model(Sequential({Embedding({.input_dim = vocabulary.size(), .output_dim = 64}),
                          LSTM({.units = 64}), Softmax({.units = vocabulary.size()})}));
  model.compile({.optimizer = SGD{.learning_rate = 0.5f},
                 .clip_norm = 1,
                 .backend = {.threads = {.threads = 2}}});
  std::int64_t epoch = 0;
  const std::int64_t windows = *lanes.batches_per_epoch();
  const std::pair<const char*, std::int64_t> places[] = {
      {"500 steps at the start", 0},
      {"500 steps in the middle", windows / 2},
      {"500 steps at the end", windows - kSteps}};
  for (const auto& [name, place] : places) {
    start = seconds_now();
    Excerpt excerpt(lanes, place, kSteps);
    model.fit(excerpt, {.epochs = ++epoch, .state = StatePolicy::kCarry});
    report(name, seconds_now() - start);
  }
}

}  // namespace
}  // namespace rnn

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  std::string unit = "word";
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--unit") == 0 && i + 1 < argc) {
      unit = argv[++i];
    } else {
      paths.emplace_back(argv[i]);
    }
  }
  try {
    rnn::run(paths, unit);
  } catch (const rnn::Error& error) {
    std::fprintf(stderr, "rnn_bench_large: %s\n", error.what());
    return 1;
  }
}
