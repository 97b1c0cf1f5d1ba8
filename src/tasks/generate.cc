// Writing text: one step of the network for each unit, and a choice among what it finds likely.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/number.h"
#include "base/require.h"
#include "tasks/beam_search.h"
#include "tasks/language_model_impl.h"
#include "tasks/state_rows.h"
#include "tasks/text_writer.h"
#include "tasks/unit_sampler.h"
#include "text/utf8.h"

namespace rnn {
namespace {

/// Nothing is left to choose by chance.
void check_beam(const GenerateOptions& options) {
  if (options.beam == 0) return;
  if (options.samples > 1) {
    throw ConfigError("beam: finds the likeliest text, of which there is one; give samples = 1");
  }
  const GenerateOptions standard;
  const auto refuse = [](bool given, const std::string& option) {
    if (!given) return;
    throw ConfigError(
        option +
        ": belongs to choices by chance, of which a beam makes none; leave out one of "
        "the two");
  };
  refuse(options.temperature != standard.temperature, "temperature");
  refuse(options.top_k != standard.top_k, "top-k");
  refuse(options.top_p != standard.top_p, "top-p");
  refuse(options.typical != standard.typical, "typical");
}

void check(const GenerateOptions& options) {
  require(options.length >= 0, "length", "at least 0", options.length);
  require(options.temperature >= 0 && std::isfinite(options.temperature), "temperature",
          "at least 0", options.temperature);
  require(options.top_k >= 0, "top-k", "at least 0", options.top_k);
  require(options.top_p > 0 && options.top_p <= 1, "top-p", "more than 0 and at most 1",
          options.top_p);
  require(options.typical > 0 && options.typical <= 1, "typical", "more than 0 and at most 1",
          options.typical);
  require(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty),
          "repetition-penalty", "more than 0 and finite", options.repetition_penalty);
  require(options.samples >= 1 && options.samples <= 4096, "samples", "1 to 4096", options.samples);
  require(options.beam >= 0 && options.beam <= 4096, "beam", "0 to 4096", options.beam);
  check_beam(options);
  for (const std::string& stop : options.stop) {
    if (stop.empty()) throw ConfigError("stop: a string to stop at must not be empty");
  }
  if (const std::size_t bad = find_invalid_utf8(options.prompt); bad != std::string::npos) {
    throw TextError("prompt: invalid UTF-8 at byte " + to_text(bad + 1) +
                    "; give text encoded in UTF-8");
  }
}

/// A unit of the prompt, as it was given: one that the model does not know is read as <unk>.
struct PromptUnit {
  std::int32_t id = 0;
  std::string text{};
};

/// Line by line: a line feed ends a sentence.
std::vector<PromptUnit> units_of(const std::string& prompt, const TextPipeline& pipeline,
                                 const Vocabulary& vocabulary) {
  std::vector<PromptUnit> units;
  std::vector<Token> tokens;
  for (std::size_t from = 0; from < prompt.size();) {
    const std::size_t line_end = std::min(prompt.find('\n', from), prompt.size());
    const std::string line =
        pipeline.prepare(std::string_view(prompt).substr(from, line_end - from));
    pipeline.tokenizer->tokenize(line, tokens);
    for (const Token& token : tokens) {
      units.push_back({vocabulary.text_id(token.text), std::string(token.text)});
    }
    if (line_end < prompt.size()) units.push_back({vocabulary.end_id()});
    from = line_end + 1;
  }
  return units;
}

}  // namespace

std::vector<std::string> LanguageModel::generate_all(
    const GenerateOptions& options, const std::function<void(std::string_view)>& on_text) const {
  check(options);
  const Impl& m = *impl_;
  const Vocabulary& vocabulary = m.vocabulary;
  const Index classes = m.network.head().classes;
  Inference inference(m.network, m.parameters, m.backend);

  // The prompt, once for all samples.
  State state = initial_state();
  Batch batch{.time = 1, .batch = 1, .ids = {vocabulary.end_id()}};
  std::vector<char> seen(static_cast<std::size_t>(classes));
  const std::vector<PromptUnit> prompt = units_of(options.prompt, m.text, vocabulary);
  for (const PromptUnit& unit : prompt) {
    inference.predict(batch, state);
    batch.ids[0] = unit.id;
    seen[static_cast<std::size_t>(unit.id)] = 1;
  }
  const std::function<void(std::string_view)> silent;
  std::vector<TextWriter> writers;
  for (int i = 0; i < options.samples; ++i) {
    TextWriter& writer = writers.emplace_back(*m.text.tokenizer, i == 0 ? on_text : silent);
    for (const PromptUnit& unit : prompt) write(writer, unit.id, unit.text, vocabulary);
    writer.stop_at(options.stop);
  }
  const std::int32_t banned = options.unknown ? -1 : vocabulary.unknown_id();
  if (options.beam > 0) {
    TextWriter& writer = writers.front();
    TextWriter read(*m.text.tokenizer, silent);
    for (const PromptUnit& unit : prompt) write(read, unit.id, unit.text, vocabulary);
    read.stop_at(options.stop);
    for (const std::int32_t id :
         beam_search(inference, state, batch.ids[0], seen, vocabulary, read, banned, options)) {
      write(writer, id, vocabulary.symbol(id), vocabulary);
      if (writer.stopped()) break;
    }
    return {writer.take()};
  }

  // All samples side by side. What one draws does not depend on how many there are.
  const auto samples = static_cast<std::size_t>(options.samples);
  State states = state;
  gather_rows(state, std::vector<std::size_t>(samples, 0), states);
  batch.batch = options.samples;
  batch.ids.assign(samples, batch.ids[0]);
  std::vector<std::vector<char>> seen_by(samples, seen);
  UnitSampler sampler(options, banned);
  const Random random = Random(options.seed).fold(0x67656e6572617465u);
  for (std::int64_t i = 0; i < options.length; ++i) {
    const View<const float> probabilities = inference.predict(batch, states);
    bool all_stopped = true;
    for (std::size_t s = 0; s < samples; ++s) {
      if (writers[s].stopped()) continue;
      const auto words = (s == 0 ? random : random.fold(s)).block(static_cast<std::uint32_t>(i));
      const std::int32_t id =
          sampler.choose({&probabilities(0, static_cast<Index>(s), 0), {classes}}, seen_by[s],
                         Random::to_uniform(words[0], words[1]));
      seen_by[s][static_cast<std::size_t>(id)] = 1;
      batch.ids[s] = id;
      write(writers[s], id, vocabulary.symbol(id), vocabulary);
      all_stopped = all_stopped && writers[s].stopped();
    }
    if (all_stopped) break;
  }
  std::vector<std::string> texts;
  texts.reserve(writers.size());
  for (TextWriter& writer : writers) texts.push_back(writer.take());
  return texts;
}

std::string LanguageModel::generate(const GenerateOptions& options,
                                    const std::function<void(std::string_view)>& on_text) const {
  return generate_all(options, on_text).front();
}

}  // namespace rnn
