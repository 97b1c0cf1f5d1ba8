#include <cmath>
#include <iostream>
#include <numbers>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/json.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"
#include "text/escape.h"

namespace rnn {

namespace {

std::string log10_text(double nats) { return to_fixed(nats / std::numbers::ln10, 6); }

/// Prints scores as they come, and the total at the end.
class ScorePrinter {
 public:
  ScorePrinter(bool json, bool per_word) : json_(json), per_word_(per_word) {
    if (json_) std::cout << "{\"sentences\":[";
  }

  void print(const std::string& sentence, const SentenceScore& score) {
    if (json_) {
      Json object = {{"text", sentence},
                     {"log_prob", score.log_prob},
                     {"log10_prob", score.log_prob / std::numbers::ln10},
                     {"tokens", score.units.size()},
                     {"oov", score.unknown}};
      if (per_word_) {
        object["words"] = Json::array();
        for (const UnitScore& unit : score.units) {
          object["words"].push_back(
              {{"word", unit.unit}, {"log_prob", unit.log_prob}, {"oov", unit.unknown}});
        }
      }
      std::cout << (sentences_ > 0 ? ",\n" : "\n")
                << object.dump(-1, ' ', false, Json::error_handler_t::replace);
    } else {
      for (std::size_t i = 0; per_word_ && i < score.units.size(); ++i) {
        const UnitScore& unit = score.units[i];
        std::cout << escape(unit.unit) << '\t' << to_fixed(unit.log_prob, 6) << '\t'
                  << log10_text(unit.log_prob) << (unit.unknown ? "\tOOV\n" : "\n");
      }
      std::cout << to_fixed(score.log_prob, 6) << '\t' << log10_text(score.log_prob) << '\t'
                << sentence << '\n';
    }
    ++sentences_;
    tokens_ += static_cast<std::int64_t>(score.units.size());
    unknown_ += score.unknown;
    log_prob_ += score.log_prob;
    unknown_log_prob_ += score.unknown_log_prob;
  }

  void total() const {
    const double all = perplexity(log_prob_, tokens_);
    const double known = perplexity(log_prob_ - unknown_log_prob_, tokens_ - unknown_);
    if (json_) {
      std::cout << "\n],\"total\":"
                << Json{{"sentences", sentences_},
                        {"tokens", tokens_},
                        {"oov", unknown_},
                        {"log_prob", log_prob_},
                        {"log10_prob", log_prob_ / std::numbers::ln10},
                        {"ppl", all},
                        {"ppl_without_oov", known}}
                       .dump()
                << "}\n";
      return;
    }
    std::cout << "total\tsentences " << sentences_ << "\ttokens " << tokens_ << "\toov " << unknown_
              << "\tlog_prob " << to_fixed(log_prob_, 6) << "\tlog10_prob " << log10_text(log_prob_)
              << "\tppl " << to_fixed(all, 4) << "\tppl_without_oov " << to_fixed(known, 4) << '\n';
  }

 private:
  static double perplexity(double log_prob, std::int64_t tokens) {
    return tokens > 0 ? std::exp(-log_prob / static_cast<double>(tokens)) : std::nan("");
  }

  bool json_, per_word_;
  std::int64_t sentences_ = 0, tokens_ = 0, unknown_ = 0;
  double log_prob_ = 0, unknown_log_prob_ = 0;
};

/// Hypotheses of a recogniser or translator: each line comes back as it was, with the base-10
/// logarithm of its hypothesis as one more field.
void score_nbest(const LanguageModel& model, const std::string& path, const TextPolicy& policy) {
  constexpr std::string_view kGap = " ||| ";
  LineReader reader(path, policy);
  std::vector<std::string> lines, hypotheses;
  const auto flush = [&] {
    const std::vector<SentenceScore> scores = model.score(hypotheses);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      std::cout << lines[i] << kGap << log10_text(scores[i].log_prob) << '\n';
    }
    lines.clear();
    hypotheses.clear();
  };
  while (reader.next()) {
    const std::string line(reader.line());
    const auto begin = line.find(kGap);
    if (begin == line.npos) {
      throw TextError(at(reader.name(), reader.line_number(),
                         "expected `ID ||| hypothesis`, further fields after another ` ||| `"));
    }
    const auto from = begin + kGap.size();
    lines.push_back(line);
    hypotheses.push_back(line.substr(from, line.find(kGap, from) - from));
    if (lines.size() == 256) flush();
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
  line.add("Run")("per-word", po::bool_switch(),
                  "before each sentence one line for each word: word (with the escapes of "
                  "vocabulary.txt), natural and base-10 logarithm, OOV if unknown")(
      "state", po::value<std::string>()->default_value("reset")->value_name("NAME"),
      "reset: every sentence from the beginning of a text; carry: one after another")(
      "replace-invalid", po::bool_switch(), "replace invalid UTF-8 by U+FFFD")(
      "json", po::bool_switch(), "print one JSON object");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");

  const StatePolicy policy = state_policy(line);
  const LanguageModel model =
      LanguageModel::load(line.get<std::string>("model"), backend_options(line));
  const std::string path = line.get<std::string>("text");
  TextPolicy text_policy = model.text_policy();
  text_policy.replace_invalid |= line.get<bool>("replace-invalid");
  if (line.has("nbest")) {
    return score_nbest(model, line.get<std::string>("nbest"), text_policy);
  }
  LineReader reader(path, text_policy);
  ScorePrinter printer(line.get<bool>("json"), line.get<bool>("per-word"));
  State state = model.initial_state();
  // Whoever writes to a pipe may wait for the answer to a line before the next.
  const std::size_t together = path == "-" ? 1 : 256;
  std::vector<std::string> sentences;
  const auto flush = [&] {
    const std::vector<SentenceScore> scores = model.score(sentences);
    for (std::size_t i = 0; i < scores.size(); ++i) printer.print(sentences[i], scores[i]);
    sentences.clear();
  };
  while (reader.next()) {
    if (policy == StatePolicy::kCarry) {
      const std::string sentence(reader.line());
      printer.print(sentence, model.score(sentence, state));
    } else {
      sentences.emplace_back(reader.line());
      if (sentences.size() == together) flush();
    }
    if (path == "-") std::cout.flush();
  }
  flush();
  printer.total();
}

}  // namespace rnn
