// Speed of the text pipelines, in million bytes of source text a second.
//
//   rnn_bench_text FILE...     plain text; PTB-like English for the figures in RESULTS.md
//
// Every figure is the median of some runs; the runs of all figures take turns, so that a change of
// the machine's speed meets all of them. The file is read from the page cache.
#include <sentencepiece_processor.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "rnn/error.h"
#include "rnn/text/line_reader.h"
#include "rnn/text/normalizer.h"
#include "rnn/text/sentencepiece.h"
#include "rnn/text/token_file.h"

namespace rnn {
namespace {

constexpr int kRuns = 7;

struct Task {
  std::string name{};
  std::function<void()> work{};
  std::vector<double> seconds{};
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::vector<std::string> read_lines(const std::vector<std::string>& paths) {
  std::vector<std::string> lines;
  for (const std::string& path : paths) {
    LineReader reader(path);
    while (reader.next()) lines.emplace_back(reader.line());
  }
  return lines;
}

void measure(const std::vector<std::string>& paths) {
  const std::vector<std::string> lines = read_lines(paths);
  std::size_t bytes = 0;
  for (const std::string& line : lines) bytes += line.size() + 1;

  std::vector<Task> tasks;
  std::size_t sink = 0;
  std::optional<TokenFile> made;  // taken away outside the time that is measured
  std::vector<std::int32_t> ids;
  const auto encode_all = [&](const std::shared_ptr<const Tokenizer>& tokenizer,
                              const std::shared_ptr<const Vocabulary>& vocabulary) {
    return [&, tokenizer, vocabulary] {
      for (const std::string& line : lines) {
        ids.clear();
        tokenizer->encode(line, *vocabulary, ids);
        sink += ids.size();
      }
    };
  };
  for (const char* unit : {"word", "char", "byte", "icu-word"}) {
    const auto tokenizer = make_tokenizer({.unit = unit});
    const auto vocabulary =
        std::make_shared<const Vocabulary>(count_symbols(paths, *tokenizer).build());
    const std::string name(unit);
    tasks.push_back({name + ": units and look-up, in memory", encode_all(tokenizer, vocabulary)});
    if (name == "icu-word") continue;
    for (const int threads : {1, 2}) {
      tasks.push_back(
          {name + ": file to token file, threads " + std::to_string(threads), [=, &made, &sink] {
             made = TokenFile::build(paths, *tokenizer, *vocabulary, {.threads = threads});
             sink += made->ids().size();
           }});
    }
  }
  const auto pieces = std::make_shared<const SentencePieceTokenizer>(
      train_sentencepiece(paths, {.vocabulary_size = 4000, .maximum_lines = 20000}));
  sentencepiece::SentencePieceProcessor direct;
  if (!direct.LoadFromSerializedProto(std::string(pieces->model())).ok()) {
    throw FormatError("the model just made cannot be read");
  }
  tasks.push_back({"sentencepiece: pieces and look-up", encode_all(pieces, pieces->vocabulary())});
  tasks.push_back({"sentencepiece: the library called directly", [&] {
                     std::vector<int> direct_ids;
                     for (const std::string& line : lines) {
                       direct.Encode(line, &direct_ids).IgnoreError();
                       sink += direct_ids.size();
                     }
                   }});
  const Normalizer normalizer({.form = "nfkc", .lowercase = true});
  tasks.push_back({"normalize: NFKC and lower case", [&] {
                     for (const std::string& line : lines) {
                       sink += normalizer.normalize(line).size();
                     }
                   }});
  for (int run = 0; run < kRuns; ++run) {
    for (Task& task : tasks) {
      made.reset();
      const auto start = std::chrono::steady_clock::now();
      task.work();
      task.seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  }
  std::printf("%zu bytes in %zu lines, median of %d runs\n", bytes, lines.size(), kRuns);
  for (const Task& task : tasks) {
    std::printf("%-46s %9.1f MB/s\n", task.name.c_str(),
                static_cast<double>(bytes) / 1e6 / median(task.seconds));
  }
  std::printf("(%zu units)\n", sink);
}

}  // namespace
}  // namespace rnn

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: rnn_bench_text FILE...\n");
    return 2;
  }
  try {
    rnn::measure(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const rnn::Error& error) {
    std::fprintf(stderr, "rnn_bench_text: %s\n", error.what());
    return 1;
  }
}
