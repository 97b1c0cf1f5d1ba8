#include "rnn/text/tokenizer.h"

#include <array>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/text/segmenter.h"
#include "rnn/text/sentencepiece.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace rnn {

void TokenizerOptions::exchange(Fields& fields) {
  fields("unit", unit);
  fields("locale", locale);
  fields("pattern", pattern);
}

std::int64_t Tokenizer::encode(std::string_view line, const Vocabulary& vocabulary,
                               std::vector<std::int32_t>& ids) const {
  std::vector<Token> tokens;
  tokenize(line, tokens);
  std::int64_t unknown = 0;
  for (const Token& token : tokens) {
    ids.push_back(vocabulary.text_id(token.text));
    unknown += ids.back() == vocabulary.unknown_id() && token.text != kUnknownSymbol;
  }
  return unknown;
}

namespace {

void count_token(std::string_view token, VocabularyBuilder& builder) {
  builder.add(token == kEndSymbol ? kUnknownSymbol : token);
}

}  // namespace

void Tokenizer::count(std::string_view line, VocabularyBuilder& builder) const {
  std::vector<Token> tokens;
  tokenize(line, tokens);
  for (const Token& token : tokens) count_token(token.text, builder);
}

namespace {

/// Tokens that are slices of the line. `Derived` has a template `each(line, function)` that calls
/// function(begin, end) for each; encoding and splitting are both made of it, so they cannot
/// differ.
template <class Derived>
class SlicingTokenizer : public Tokenizer {
 public:
  explicit SlicingTokenizer(const TokenizerOptions& options) : Tokenizer(options) {}

  void tokenize(std::string_view line, std::vector<Token>& tokens) const override {
    tokens.clear();
    derived().each(line, [&](std::size_t begin, std::size_t end) {
      tokens.push_back({line.substr(begin, end - begin), begin, end});
    });
  }

  std::int64_t encode(std::string_view line, const Vocabulary& vocabulary,
                      std::vector<std::int32_t>& ids) const override {
    std::int64_t unknown = 0;
    derived().each(line, [&](std::size_t begin, std::size_t end) {
      const std::string_view token = line.substr(begin, end - begin);
      const std::int32_t id = vocabulary.text_id(token);
      ids.push_back(id);
      if (id == vocabulary.unknown_id() && token != kUnknownSymbol) ++unknown;
    });
    return unknown;
  }

  void count(std::string_view line, VocabularyBuilder& builder) const override {
    derived().each(line, [&](std::size_t begin, std::size_t end) {
      count_token(line.substr(begin, end - begin), builder);
    });
  }

  std::string detokenize(std::span<const std::string_view> tokens) const override {
    std::string text;
    for (const std::string_view token : tokens) {
      if (Derived::kJoinWithSpaces && !text.empty()) text += ' ';
      text += token;
    }
    return text;
  }

  bool lossless() const override { return !Derived::kJoinWithSpaces; }

 private:
  const Derived& derived() const { return static_cast<const Derived&>(*this); }
};

class WordTokenizer final : public SlicingTokenizer<WordTokenizer> {
 public:
  static constexpr bool kJoinWithSpaces = true;
  using SlicingTokenizer::SlicingTokenizer;

  template <class Function>
  void each(std::string_view line, Function function) const {
    for (std::size_t at = 0;;) {
      while (at < line.size() && is_space(line[at])) ++at;
      if (at == line.size()) return;
      const std::size_t begin = at;
      while (at < line.size() && !is_space(line[at])) ++at;
      function(begin, at);
    }
  }

 private:
  static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
};

class IcuWordTokenizer final : public SlicingTokenizer<IcuWordTokenizer> {
 public:
  static constexpr bool kJoinWithSpaces = true;
  explicit IcuWordTokenizer(const TokenizerOptions& options)
      : SlicingTokenizer(options), segmenter_(Boundary::kWord, options.locale) {}

  template <class Function>
  void each(std::string_view line, Function function) const {
    std::vector<Segment> segments;
    segmenter_.segment(line, segments);
    for (const auto& [begin, end, is_word] : segments) {
      if (is_word || !all_white_space(line.substr(begin, end - begin))) function(begin, end);
    }
  }

 private:
  Segmenter segmenter_;
};

class RegexTokenizer final : public SlicingTokenizer<RegexTokenizer> {
 public:
  static constexpr bool kJoinWithSpaces = true;
  explicit RegexTokenizer(const TokenizerOptions& options)
      : SlicingTokenizer(options), expression_(options.pattern) {}

  template <class Function>
  void each(std::string_view line, Function function) const {
    expression_.each_match(line, function);
  }

 private:
  RegularExpression expression_;
};

class CharTokenizer final : public SlicingTokenizer<CharTokenizer> {
 public:
  static constexpr bool kJoinWithSpaces = false;
  using SlicingTokenizer::SlicingTokenizer;

  template <class Function>
  void each(std::string_view line, Function function) const {
    for (std::size_t at = 0; at < line.size();) {
      // Between two ASCII characters there is always a boundary, but inside CR LF. The last one of
      // a run may be the base of what follows.
      const std::size_t run = ascii_run(line, at);
      const std::size_t sure = at + run < line.size() && run > 0 ? at + run - 1 : at + run;
      while (at < sure) {
        const std::size_t begin = at++;
        if (line[begin] == '\r' && at < line.size() && line[at] == '\n') ++at;
        function(begin, at);
      }
      while (at < line.size()) {
        const std::size_t begin = at;
        at = grapheme_end(line, begin);
        function(begin, at);
        if (at < line.size() && static_cast<unsigned char>(line[at]) < 0x80) break;
      }
    }
  }
};

class ByteTokenizer final : public SlicingTokenizer<ByteTokenizer> {
 public:
  static constexpr bool kJoinWithSpaces = false;
  using SlicingTokenizer::SlicingTokenizer;

  bool any_bytes() const override { return true; }

  template <class Function>
  void each(std::string_view line, Function function) const {
    for (std::size_t at = 0; at < line.size(); ++at) function(at, at + 1);
  }

  std::int64_t encode(std::string_view line, const Vocabulary& vocabulary,
                      std::vector<std::int32_t>& ids) const override {
    const std::size_t start = ids.size();
    ids.resize(start + line.size());
    std::int32_t* const to = ids.data() + start;
    std::int64_t unknown = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      to[i] = vocabulary.id(line.substr(i, 1));
      unknown += to[i] == vocabulary.unknown_id();
    }
    return unknown;
  }
};

constexpr std::array<std::string_view, 6> kUnits = {"word", "icu-word",      "char",
                                                    "byte", "sentencepiece", "regex"};

/// An option that another unit has no use for would be lost in silence.
void check_belongs(const char* option, const std::string& value, std::string_view unit,
                   const TokenizerOptions& options) {
  if (value.empty() || options.unit == unit) return;
  throw ConfigError(std::string("option `") + option + "`: it belongs to the unit " +
                    std::string(unit) + ", given \"" + value + "\" with the unit \"" +
                    options.unit + "\"");
}

}  // namespace

std::span<const std::string_view> tokenizer_units() { return kUnits; }

std::shared_ptr<const Tokenizer> make_tokenizer(const TokenizerOptions& options) {
  check_belongs("locale", options.locale, "icu-word", options);
  check_belongs("pattern", options.pattern, "regex", options);
  check_belongs("model", options.model, "sentencepiece", options);
  if (options.unit == "word") return std::make_shared<WordTokenizer>(options);
  if (options.unit == "icu-word") return std::make_shared<IcuWordTokenizer>(options);
  if (options.unit == "char") return std::make_shared<CharTokenizer>(options);
  if (options.unit == "byte") return std::make_shared<ByteTokenizer>(options);
  if (options.unit == "sentencepiece") {
    if (options.model.empty()) {
      throw ConfigError(
          "option `model`: the unit sentencepiece needs a model file; `rnn text "
          "train-sentencepiece` makes one");
    }
    return std::make_shared<SentencePieceTokenizer>(read_file(options.model), options.model);
  }
  if (options.unit == "regex") {
    if (options.pattern.empty()) throw ConfigError("option `pattern`: the unit regex needs one");
    return std::make_shared<RegexTokenizer>(options);
  }
  std::string names;
  for (const std::string_view name : kUnits) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw ConfigError("option `unit`: expected one of " + names + "; given \"" + options.unit + "\"");
}

}  // namespace rnn
