#include <algorithm>
#include <cmath>
#include <iostream>
#include <numbers>
#include <optional>

#include "apps/adaptation_option.h"
#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/hypothesis_reader.h"
#include "apps/mixture_option.h"
#include "apps/score_printer.h"
#include "base/json.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"
#include "rnn/tasks/sentence_reader.h"

namespace rnn {
namespace {

struct NBestOptions {
  std::string path{};
  TextPolicy policy{};
  double weight = 0;
  bool json = false;
};

Json json_of(const Hypothesis& hypothesis, double log10) {
  return {{"id", hypothesis.id}, {"text", hypothesis.text}, {"log10_prob", log10}};
}

/// Hypotheses of a recogniser or translator: each line comes back as it was, with one more field.
/// That is the base-10 logarithm of its hypothesis; or, with a weight, the score so far with so
/// many times the logarithm added, and then the hypotheses of one ID come best first.
void score_nbest(SentenceReader& reader, const NBestOptions& options) {
  constexpr std::size_t kTogether = 256;
  const bool ranked = options.weight != 0;
  HypothesisReader hypotheses(options.path, options.policy, ranked);
  struct Row {
    double log10 = 0, score = 0;
    const Hypothesis* hypothesis = nullptr;
  };
  std::vector<Hypothesis> group;
  const auto flush = [&] {
    std::vector<std::string> texts;
    texts.reserve(group.size());
    for (const Hypothesis& hypothesis : group) texts.push_back(hypothesis.text);
    const std::vector<SentenceScore> scores = reader.score(texts);
    std::vector<Row> rows;
    for (std::size_t i = 0; i < group.size(); ++i) {
      const double log10 = scores[i].log_prob / std::numbers::ln10;
      rows.push_back({log10, group[i].before + options.weight * log10, &group[i]});
    }
    if (ranked) {
      std::stable_sort(rows.begin(), rows.end(),
                       [](const Row& a, const Row& b) { return a.score > b.score; });
    }
    for (const auto& [log10, score, hypothesis] : rows) {
      if (options.json) {
        Json object = json_of(*hypothesis, log10);
        if (ranked) object["score"] = score;
        std::cout << object.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
      } else {
        std::cout << hypothesis->line << kHypothesisGap << to_fixed(ranked ? score : log10, 6)
                  << '\n';
      }
    }
    group.clear();
  };
  for (Hypothesis hypothesis; hypotheses.next(hypothesis);) {
    const bool full =
        !group.empty() && (ranked ? hypothesis.id != group.back().id : group.size() == kTogether);
    if (full) flush();
    group.push_back(hypothesis);
  }
  flush();
}

/// What --nbest would have to pass over.
void check_nbest(const CommandLine& line) {
  const auto refuse = [](const std::string& what) {
    throw ConfigError(what + " does not go together with --nbest; leave out one of the two");
  };
  if (line.given("text")) refuse("--text");
  if (line.get<bool>("per-word")) refuse("--per-word");
  if (state_policy(line) == StatePolicy::kCarry) refuse("--state carry");
  const auto format = line.get<std::string>("format");
  if (format != "text" && format != "json") refuse("--format " + format);
}

}  // namespace

void lm_score(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line("lm score --model DIR [--text F|-] [options]",
                   "One line for each sentence: natural and base-10 logarithm of its probability\n"
                   "with its end, a tab between, then the sentence. A total line ends the output.");
  add_model_option(line);
  add_mixture_option(line);
  line.add("Files")("text", po::value<std::string>()->default_value("-")->value_name("F"),
                    "sentences, one a line; - is standard input, answered line by line");
  line.add("Files")("nbest", po::value<std::string>()->value_name("F"),
                    "instead of --text: lines `ID ||| hypothesis [||| ...]`, which come back with "
                    "`||| log10` of the hypothesis at the end; with --json one object for each");
  line.add("Files")("weight", po::value<double>()->default_value(0, "0")->value_name("X"),
                    "of --nbest: add X times that logarithm to the last field, a score, and give "
                    "the hypotheses of each ID best first");
  line.add("Run")("per-word", po::bool_switch(),
                  "before each sentence one line for each word: word (with the escapes of "
                  "vocabulary.txt), natural and base-10 logarithm, OOV if unknown")(
      "state", po::value<std::string>()->default_value("reset")->value_name("NAME"),
      "reset: every sentence from the beginning of a text; carry: one after another")(
      "replace-invalid", po::bool_switch(), "replace invalid UTF-8 by U+FFFD")(
      "format", po::value<std::string>()->default_value("text")->value_name("NAME"),
      "text; json; srilm: as `ngram -ppl -debug 2` prints it, unknown words left out of its "
      "totals; kenlm: as `query` prints it. text and json count characters as the normalizer "
      "leaves them")("json", po::bool_switch(), "the same as --format json");
  add_adaptation_options(line);
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");

  const StatePolicy policy = state_policy(line);
  const bool nbest = line.has("nbest");
  const Adaptation adaptation = adaptation_of(line, nbest ? "nbest" : "mix");
  const auto weight = line.get<double>("weight");
  if (!std::isfinite(weight)) {
    throw ConfigError("--weight: expected a finite number, got " + to_text(weight));
  }
  if (nbest) check_nbest(line);
  if (line.given("weight") && !nbest) throw ConfigError("--weight belongs to --nbest");
  if (line.has("mix") && policy == StatePolicy::kCarry) {
    throw ConfigError(
        "--mix: sentences of a mixture each begin anew; leave out --state carry, or give the text "
        "to `rnn lm eval`");
  }
  const bool json = line.get<bool>("json") || line.get<std::string>("format") == "json";
  const auto mixture = load_mixture(line);
  std::optional<LanguageModel> alone;
  if (!mixture) {
    alone.emplace(LanguageModel::load(line.get<std::string>("model"), backend_options(line)));
  }
  const LanguageModel& model = mixture ? mixture->first() : *alone;
  SentenceReader sentence_reader = mixture ? SentenceReader(*mixture) : SentenceReader(model);
  const std::string path = line.get<std::string>("text");
  TextPolicy text_policy = model.text_policy();
  text_policy.replace_invalid |= line.get<bool>("replace-invalid");
  if (nbest) {
    return score_nbest(sentence_reader, {.path = line.get<std::string>("nbest"),
                                         .policy = text_policy,
                                         .weight = weight,
                                         .json = json});
  }
  auto adaptive = adaptive_reader(line, adaptation, model);
  LineReader reader(path, text_policy);
  const auto printer =
      make_score_printer({.format = json ? "json" : line.get<std::string>("format"),
                          .per_word = line.get<bool>("per-word"),
                          .name = path},
                         model.vocabulary());
  State state = model.initial_state();
  // Whoever writes to a pipe may wait for the answer to a line before the next.
  const std::size_t together = path == "-" ? 1 : 256;
  std::vector<std::string> sentences;
  const auto flush = [&] {
    const std::vector<SentenceScore> scores = sentence_reader.score(sentences);
    for (std::size_t i = 0; i < scores.size(); ++i) printer->print(sentences[i], scores[i]);
    sentences.clear();
  };
  while (reader.next()) {
    if (policy == StatePolicy::kCarry) {
      const std::string sentence(reader.line());
      printer->print(sentence,
                     adaptive ? adaptive->score(sentence) : sentence_reader.score(sentence, state));
    } else {
      sentences.emplace_back(reader.line());
      if (sentences.size() == together) flush();
    }
    if (path == "-") std::cout.flush();
  }
  flush();
  printer->finish();
}

}  // namespace rnn
