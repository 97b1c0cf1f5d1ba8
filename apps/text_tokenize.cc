// `rnn text tokenize` and its inverse.
#include "apps/text_filter.h"
#include "rnn/error.h"
#include "text/escape.h"

namespace rnn {

void text_tokenize(const Arguments& arguments) {
  CommandLine line(
      "text tokenize [F...] [options]",
      "One line for each line: its units, separated by one space; spaces and whatever\n"
      "cannot be seen inside a unit are escaped (\\s, \\t, \\\\, \\xHH, \\u{H}).");
  add_inputs(line);
  add_tokenizer(line);
  if (!line.parse(arguments)) return;
  const auto tokenizer = tokenizer_of(line);
  TextPolicy policy = text_policy(line);
  policy.any_bytes = tokenizer->any_bytes();
  std::vector<Token> tokens;
  filter_lines(inputs(line), policy, [&](const LineReader& reader, std::string& output) {
    try {
      tokenizer->tokenize(reader.line(), tokens);
    } catch (const TextError& error) {
      throw TextError(at(reader.name(), reader.line_number(), error.what()));
    }
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0) output += ' ';
      append_escaped(tokens[i].text, output);
    }
    output += '\n';
  });
}

void text_detokenize(const Arguments& arguments) {
  CommandLine line(
      "text detokenize [F...] [options]",
      "The inverse of `rnn text tokenize` with the same options: the same lines for char,\n"
      "byte and a lossless sentencepiece model, words joined with single spaces otherwise.\n"
      "Each line ends with a line feed, the last one too.");
  add_inputs(line);
  add_tokenizer(line);
  if (!line.parse(arguments)) return;
  const auto tokenizer = tokenizer_of(line);
  std::vector<std::string> units;
  std::vector<std::string_view> views;
  filter_lines(inputs(line), text_policy(line), [&](const LineReader& reader, std::string& output) {
    const std::string_view text = reader.line();
    std::size_t count = 0;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find(' ', begin), text.size());
      if (units.size() == count) units.emplace_back();
      std::size_t error_at = 0;
      if (!unescape(text.substr(begin, end - begin), units[count], error_at)) {
        throw TextError(at(reader.name(), reader.line_number(),
                           "unknown escape at byte " + std::to_string(begin + error_at + 1) +
                               " of the line; expected \\s \\t \\n \\r \\\\ \\xHH or \\u{H...}"));
      }
      ++count;
      begin = end + 1;
    }
    views.assign(units.begin(), units.begin() + static_cast<std::ptrdiff_t>(count));
    output += tokenizer->detokenize(views);
    output += '\n';
  });
}

}  // namespace rnn
