#include "apps/score_printer.h"

#include <cmath>
#include <iostream>
#include <limits>
#include <numbers>

#include "base/json.h"
#include "base/number.h"
#include "rnn/error.h"
#include "text/escape.h"

namespace rnn {
namespace {

double perplexity_of(double log_prob, std::int64_t tokens) {
  return tokens > 0 ? std::exp(-log_prob / static_cast<double>(tokens))
                    : std::numeric_limits<double>::quiet_NaN();
}

class TextPrinter final : public ScorePrinter {
 public:
  explicit TextPrinter(bool per_word) : per_word_(per_word) {}

  void print(const std::string& sentence, const SentenceScore& score) override {
    for (std::size_t i = 0; per_word_ && i < score.units.size(); ++i) {
      const UnitScore& unit = score.units[i];
      std::cout << escape(unit.unit) << '\t' << to_fixed(unit.log_prob, 6) << '\t'
                << log10_text(unit.log_prob) << (unit.unknown ? "\tOOV\n" : "\n");
    }
    std::cout << to_fixed(score.log_prob, 6) << '\t' << log10_text(score.log_prob) << '\t'
              << sentence << '\n';
    totals_.add(score);
  }

  void finish() override {
    std::cout << "total\tsentences " << totals_.sentences << "\ttokens " << totals_.tokens
              << "\toov " << totals_.unknown << "\tlog_prob " << to_fixed(totals_.log_prob, 6)
              << "\tlog10_prob " << log10_text(totals_.log_prob) << "\tppl "
              << to_fixed(totals_.perplexity(), 4) << "\tppl_without_oov "
              << to_fixed(totals_.known_perplexity(), 4) << "\tcharacters " << totals_.characters
              << "\tbits_per_char " << to_fixed(totals_.bits_per_character(), 6) << '\n';
  }

 private:
  bool per_word_;
  ScoreTotals totals_;
};

class JsonPrinter final : public ScorePrinter {
 public:
  explicit JsonPrinter(bool per_word) : per_word_(per_word) { std::cout << "{\"sentences\":["; }

  void print(const std::string& sentence, const SentenceScore& score) override {
    Json object = {{"text", sentence},
                   {"log_prob", score.log_prob},
                   {"log10_prob", score.log_prob / std::numbers::ln10},
                   {"tokens", score.units.size()},
                   {"oov", score.unknown},
                   {"characters", score.characters}};
    if (per_word_) {
      object["words"] = Json::array();
      for (const UnitScore& unit : score.units) {
        object["words"].push_back(
            {{"word", unit.unit}, {"log_prob", unit.log_prob}, {"oov", unit.unknown}});
      }
    }
    std::cout << (totals_.sentences > 0 ? ",\n" : "\n")
              << object.dump(-1, ' ', false, Json::error_handler_t::replace);
    totals_.add(score);
  }

  void finish() override {
    std::cout << "\n],\"total\":"
              << Json{{"sentences", totals_.sentences},
                      {"tokens", totals_.tokens},
                      {"oov", totals_.unknown},
                      {"log_prob", totals_.log_prob},
                      {"log10_prob", totals_.log_prob / std::numbers::ln10},
                      {"ppl", totals_.perplexity()},
                      {"ppl_without_oov", totals_.known_perplexity()},
                      {"characters", totals_.characters},
                      {"bits_per_char", totals_.bits_per_character()}}
                     .dump()
              << "}\n";
  }

 private:
  bool per_word_;
  ScoreTotals totals_;
};

/// Its scripts take the tenth field of a line that begins with "p(" for the logarithm.
class SrilmPrinter final : public ScorePrinter {
 public:
  explicit SrilmPrinter(std::string name) : name_(std::move(name)) {}

  void print(const std::string& sentence, const SentenceScore& score) override {
    std::cout << sentence << '\n';
    std::string before = "<s>";
    for (std::size_t i = 0; i < score.units.size(); ++i) {
      const UnitScore& unit = score.units[i];
      const std::string word = unit.unknown ? std::string(kUnknownSymbol) : escape(unit.unit);
      std::cout << "\tp( " << word << " | " << before << (i == 0 ? " ) \t= " : " ...) \t= ");
      if (unit.unknown) {
        std::cout << "[OOV] 0 [ -inf ]\n";
      } else {
        std::cout << "[rnn] " << digits(std::exp(unit.log_prob)) << " [ "
                  << digits(unit.log_prob / std::numbers::ln10) << " ]\n";
      }
      before = word;
    }
    ScoreTotals alone;
    alone.add(score);
    totals_.add(score);
    print_totals(alone);
    std::cout << '\n';
  }

  void finish() override {
    std::cout << "file " << name_ << ": ";
    print_totals(totals_);
  }

 private:
  static std::string digits(double value) { return to_significant(value, 7); }

  /// "ppl1" does not count the ends of sentences as words; their logarithms are in logprob all the
  /// same.
  static void print_totals(const ScoreTotals& totals) {
    const std::int64_t words = totals.tokens - totals.sentences;
    const double log_prob = totals.log_prob - totals.unknown_log_prob;
    const auto ppl = [&](std::int64_t of) {
      return of > 0 ? digits(perplexity_of(log_prob, of)) : std::string("undefined");
    };
    std::cout << totals.sentences << " sentences, " << words << " words, " << totals.unknown
              << " OOVs\n0 zeroprobs, logprob= " << digits(log_prob / std::numbers::ln10)
              << " ppl= " << ppl(totals.tokens - totals.unknown)
              << " ppl1= " << ppl(words - totals.unknown) << '\n';
  }

  std::string name_;
  ScoreTotals totals_;
};

class KenlmPrinter final : public ScorePrinter {
 public:
  KenlmPrinter(bool per_word, const Vocabulary& vocabulary)
      : per_word_(per_word), vocabulary_(vocabulary) {}

  void print(const std::string&, const SentenceScore& score) override {
    for (std::size_t i = 0; per_word_ && i < score.units.size(); ++i) {
      const UnitScore& unit = score.units[i];
      // The number before the logarithm: how many words the prediction looked at, here all.
      std::cout << escape(unit.unit) << '=' << vocabulary_.id(unit.unit) << ' ' << i + 1 << ' '
                << log10_text(unit.log_prob) << '\t';
    }
    std::cout << "Total: " << log10_text(score.log_prob) << " OOV: " << score.unknown << '\n';
    totals_.add(score);
  }

  void finish() override {
    std::cout << "Perplexity including OOVs:\t" << to_significant(totals_.perplexity(), 10)
              << "\nPerplexity excluding OOVs:\t" << to_significant(totals_.known_perplexity(), 10)
              << "\nOOVs:\t" << totals_.unknown << "\nTokens:\t" << totals_.tokens << '\n';
  }

 private:
  bool per_word_;
  const Vocabulary& vocabulary_;
  ScoreTotals totals_;
};

}  // namespace

void ScoreTotals::add(const SentenceScore& score) {
  ++sentences;
  tokens += static_cast<std::int64_t>(score.units.size());
  unknown += score.unknown;
  characters += score.characters;
  log_prob += score.log_prob;
  unknown_log_prob += score.unknown_log_prob;
}

double ScoreTotals::perplexity() const { return perplexity_of(log_prob, tokens); }

double ScoreTotals::known_perplexity() const {
  return perplexity_of(log_prob - unknown_log_prob, tokens - unknown);
}

double ScoreTotals::bits_per_character() const {
  return characters > 0 ? -log_prob / std::numbers::ln2 / static_cast<double>(characters)
                        : std::numeric_limits<double>::quiet_NaN();
}

std::unique_ptr<ScorePrinter> make_score_printer(const ScorePrinterOptions& options,
                                                 const Vocabulary& vocabulary) {
  if (options.format == "text") return std::make_unique<TextPrinter>(options.per_word);
  if (options.format == "json") return std::make_unique<JsonPrinter>(options.per_word);
  if (options.format == "srilm") return std::make_unique<SrilmPrinter>(options.name);
  if (options.format == "kenlm") {
    return std::make_unique<KenlmPrinter>(options.per_word, vocabulary);
  }
  throw ConfigError("--format: expected text, json, srilm or kenlm, got '" + options.format + "'");
}

std::string log10_text(double nats) { return to_fixed(nats / std::numbers::ln10, 6); }

}  // namespace rnn
