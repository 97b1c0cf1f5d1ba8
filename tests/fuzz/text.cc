// Any bytes as text: lines, normalization with places, every tokenizer, round trips.
#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/text/line_reader.h"
#include "rnn/text/normalizer.h"
#include "rnn/text/segmenter.h"
#include "rnn/text/tokenizer.h"
#include "text/escape.h"

namespace {

void check_line(std::string_view line) {
  static const auto tokenizers = [] {
    std::vector<std::shared_ptr<const rnn::Tokenizer>> all;
    for (const char* unit : {"word", "icu-word", "char", "byte"}) {
      all.push_back(rnn::make_tokenizer({.unit = unit}));
    }
    return all;
  }();
  std::vector<rnn::Token> tokens;
  for (const auto& tokenizer : tokenizers) {
    tokenizer->tokenize(line, tokens);
    std::vector<std::string_view> views;
    std::size_t last = 0;
    for (const rnn::Token& token : tokens) {
      rnn::require(last <= token.begin && token.begin < token.end && token.end <= line.size());
      last = token.end;
      views.push_back(token.text);
      std::string back;
      std::size_t error_at = 0;
      rnn::require(rnn::unescape(rnn::escape(token.text), back, error_at) && back == token.text);
    }
    if (tokenizer->lossless()) rnn::require(tokenizer->detokenize(views) == line);
  }
  static const rnn::Normalizer normalizer({.form = "nfkc",
                                           .lowercase = true,
                                           .strip_accents = true,
                                           .controls = "drop",
                                           .digits = "ascii",
                                           .white_space = "collapse"});
  const rnn::NormalizedText text = normalizer.align(line);
  rnn::require(text.text() == normalizer.normalize(line));
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.text().size(); ++i) {
    const auto range = text.source(i, i + 1);
    rnn::require(begin <= range.begin && range.begin < range.end && range.end <= line.size());
    begin = range.begin;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rnn::MemoryFile file(data, size);
  for (const rnn::TextPolicy& policy :
       {rnn::TextPolicy{}, rnn::TextPolicy{.any_bytes = true, .keep_marks = true}}) {
    try {
      rnn::LineReader reader(file.path(), policy);
      while (reader.next()) check_line(reader.line());
    } catch (const rnn::Error&) {
    }
  }
  return 0;
}
