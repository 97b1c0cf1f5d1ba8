#include <algorithm>
#include <iostream>
#include <numbers>

#include "apps/adaptation_option.h"
#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/hypothesis_reader.h"
#include "apps/score_printer.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"

namespace rnn {
namespace {

/// Hypotheses of a recogniser or translator: each line comes back as it was, with one more field.
/// That is the base-10 logarithm of its hypothesis; or, with a weight, the score so far with so
/// many times the logarithm added, and then the hypotheses of one ID come best first.
void score_nbest(const LanguageModel& model, const std::string& path, const TextPolicy& policy,
                 double weight) {
  constexpr std::size_t kTogether = 256;
  HypothesisReader reader(path, policy, weight != 0);
  std::vector<Hypothesis> group;
  const auto flush = [&] {
    std::vector<std::string> texts;
    texts.reserve(group.size());
    for (const Hypothesis& hypothesis : group) texts.push_back(hypothesis.text);
    const std::vector<SentenceScore> scores = model.score(texts);
    std::vector<std::pair<double, const Hypothesis*>> rows;
    for (std::size_t i = 0; i < group.size(); ++i) {
      const double log10 = scores[i].log_prob / std::numbers::ln10;
      rows.emplace_back(weight != 0 ? group[i].before + weight * log10 : log10, &group[i]);
    }
    if (weight != 0) {
      std::stable_sort(rows.begin(), rows.end(),
                       [](const auto& a, const auto& b) { return a.first > b.first; });
    }
    for (const auto& [score, hypothesis] : rows) {
      std::cout << hypothesis->line << kHypothesisGap << to_fixed(score, 6) << '\n';
    }
    group.clear();
  };
  std::string id, last;
  for (Hypothesis hypothesis; reader.next(id, hypothesis);) {
    const bool full = weight != 0 ? id != last : group.size() == kTogether;
    if (full && !group.empty()) flush();
    last = id;
    group.push_back(hypothesis);
  }
  flush();
}

}  // namespace

void lm_score(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line("lm score --model DIR [--text F|-] [options]",
                   "One line for each sentence: natural and base-10 logarithm of its probability\n"
                   "with its end, a tab between, then the sentence. A total line ends the output.");
  add_model_option(line);
  line.add("Files")("text", po::value<std::string>()->default_value("-")->value_name("F"),
                    "sentences, one a line; - is standard input, answered line by line");
  line.add("Files")("nbest", po::value<std::string>()->value_name("F"),
                    "instead of --text: lines `ID ||| hypothesis [||| ...]`, which come back with "
                    "`||| log10` of the hypothesis at the end");
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
      "totals; kenlm: as `query` prints it")("json", po::bool_switch(),
                                             "the same as --format json");
  add_adaptation_options(line);
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");

  const StatePolicy policy = state_policy(line);
  const Adaptation adaptation = adaptation_of(line, "nbest");
  const LanguageModel model =
      LanguageModel::load(line.get<std::string>("model"), backend_options(line));
  const std::string path = line.get<std::string>("text");
  TextPolicy text_policy = model.text_policy();
  text_policy.replace_invalid |= line.get<bool>("replace-invalid");
  const double weight = line.get<double>("weight");
  if (line.has("nbest")) {
    return score_nbest(model, line.get<std::string>("nbest"), text_policy, weight);
  }
  if (weight != 0) throw ConfigError("--weight belongs to --nbest");
  auto adaptive = adaptive_reader(line, adaptation, model);
  LineReader reader(path, text_policy);
  const auto printer = make_score_printer(
      {.format = line.get<bool>("json") ? "json" : line.get<std::string>("format"),
       .per_word = line.get<bool>("per-word"),
       .name = path},
      model.vocabulary());
  State state = model.initial_state();
  // Whoever writes to a pipe may wait for the answer to a line before the next.
  const std::size_t together = path == "-" ? 1 : 256;
  std::vector<std::string> sentences;
  const auto flush = [&] {
    const std::vector<SentenceScore> scores = model.score(sentences);
    for (std::size_t i = 0; i < scores.size(); ++i) printer->print(sentences[i], scores[i]);
    sentences.clear();
  };
  while (reader.next()) {
    if (policy == StatePolicy::kCarry) {
      const std::string sentence(reader.line());
      printer->print(sentence, adaptive ? adaptive->score(sentence) : model.score(sentence, state));
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
