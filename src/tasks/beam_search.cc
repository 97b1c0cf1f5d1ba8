#include "tasks/beam_search.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "tasks/state_rows.h"
#include "tasks/unit_sampler.h"

namespace rnn {
namespace {

struct Hypothesis {
  double log_prob = 0;
  std::vector<std::int32_t> units{};
  std::vector<char> seen{};
  TextWriter text;  // empty where nothing stops it
};

struct Extension {
  double log_prob = 0;
  std::size_t from = 0;
  std::int32_t id = 0;
};

bool likelier(const Extension& a, const Extension& b) {
  if (a.log_prob != b.log_prob) return a.log_prob > b.log_prob;
  return a.from != b.from ? a.from < b.from : a.id < b.id;
}

}  // namespace

std::vector<std::int32_t> beam_search(Inference& inference, const State& state, std::int32_t last,
                                      const std::vector<char>& seen, const Vocabulary& vocabulary,
                                      const TextWriter& written, std::int32_t banned,
                                      const GenerateOptions& options) {
  const auto width = static_cast<std::size_t>(options.beam);
  const Index classes = vocabulary.size();
  std::vector<Hypothesis> beam;
  beam.push_back({.seen = seen, .text = written});
  std::optional<Hypothesis> finished;  // the likeliest
  std::vector<Extension> extensions;
  std::vector<std::size_t> rows;
  State states = state, read = state;
  Batch batch{.time = 1, .batch = 1, .ids = {last}};
  for (std::int64_t i = 0; i < options.length && !beam.empty(); ++i) {
    const View<const float> probabilities = inference.predict(batch, read);
    extensions.clear();
    for (std::size_t from = 0; from < beam.size(); ++from) {
      const View<const float> row(&probabilities(0, static_cast<Index>(from), 0), {classes});
      require_probabilities(row);
      for (std::int32_t id = 0; id < classes; ++id) {
        if (id == banned) continue;
        double log_prob = std::log(static_cast<double>(row[id]));
        if (beam[from].seen[static_cast<std::size_t>(id)] != 0) {
          log_prob *= options.repetition_penalty;
        }
        extensions.push_back({beam[from].log_prob + log_prob, from, id});
      }
    }
    const std::size_t kept = std::min(width, extensions.size());
    std::partial_sort(extensions.begin(), extensions.begin() + static_cast<std::ptrdiff_t>(kept),
                      extensions.end(), likelier);
    extensions.resize(kept);
    if (!finished && !std::isfinite(extensions.front().log_prob)) refuse_no_unit(banned >= 0);
    std::vector<Hypothesis> next;
    rows.clear();
    batch.ids.clear();
    for (const Extension& extension : extensions) {
      // No unit makes a text likelier, and those that follow here are less likely still.
      if (finished && extension.log_prob <= finished->log_prob) break;
      if (!std::isfinite(extension.log_prob)) break;
      Hypothesis hypothesis = beam[extension.from];
      hypothesis.log_prob = extension.log_prob;
      hypothesis.units.push_back(extension.id);
      hypothesis.seen[static_cast<std::size_t>(extension.id)] = 1;
      if (!options.stop.empty()) {
        write(hypothesis.text, extension.id, vocabulary.symbol(extension.id), vocabulary);
      }
      if (hypothesis.text.stopped()) {
        finished.emplace(std::move(hypothesis));
        continue;
      }
      next.push_back(std::move(hypothesis));
      rows.push_back(extension.from);
      batch.ids.push_back(extension.id);
    }
    beam.swap(next);
    gather_rows(read, rows, states);
    std::swap(read, states);
    batch.batch = static_cast<Index>(beam.size());
  }
  return beam.empty() ? finished->units : beam.front().units;
}

}  // namespace rnn
