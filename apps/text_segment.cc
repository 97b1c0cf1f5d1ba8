#include "apps/text_filter.h"
#include "rnn/error.h"
#include "rnn/text/segmenter.h"
#include "text/escape.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace rnn {
namespace {

Boundary boundary_of(const std::string& name) {
  if (name == "sentence") return Boundary::kSentence;
  if (name == "word") return Boundary::kWord;
  if (name == "char") return Boundary::kGrapheme;
  throw ConfigError("--by: expected sentence, word or char, got '" + name + "'");
}

/// The segment without white space at its ends; nothing may be left.
Segment trimmed(std::string_view text, Segment segment) {
  while (segment.begin < segment.end) {
    const CodePoint first = decode_utf8(text, segment.begin);
    if (!is_white_space(first.value)) break;
    segment.begin += first.length;
  }
  while (segment.begin < segment.end) {
    std::size_t last = segment.end - 1;
    while (last > segment.begin && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
    if (!is_white_space(decode_utf8(text, last).value)) break;
    segment.end = last;
  }
  return segment;
}

}  // namespace

void text_segment(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line(
      "text segment [F...] [options]",
      "Cuts lines into sentences, words or characters, one a line: sentences without the\n"
      "white space around them; words that are no white space, and all characters, with\n"
      "the escapes of the vocabulary file (a space is \\s).");
  add_inputs(line);
  line.add("Segments")("by", po::value<std::string>()->default_value("sentence"),
                       "sentence, word or char")(
      "locale", po::value<std::string>()->default_value("")->value_name("NAME"), "such as ja")(
      "offsets", po::bool_switch(),
      "before each, with tabs: its line (from 1), and where it begins and ends in the line (bytes "
      "from 0)");
  if (!line.parse(arguments)) return;
  const Boundary boundary = boundary_of(line.get<std::string>("by"));
  const Segmenter segmenter(boundary, line.get<std::string>("locale"));
  const bool offsets = line.get<bool>("offsets");
  std::vector<Segment> segments;
  // What is not UTF-8 is replaced after cutting, so that places are those in the file.
  TextPolicy policy = text_policy(line);
  policy.any_bytes = policy.replace_invalid;
  std::string replaced;
  filter_lines(inputs(line), policy, [&](const LineReader& reader, std::string& output) {
    segmenter.segment(reader.line(), segments);
    for (Segment segment : segments) {
      if (boundary == Boundary::kSentence) segment = trimmed(reader.line(), segment);
      std::string_view text = reader.line().substr(segment.begin, segment.end - segment.begin);
      if (text.empty() || (boundary == Boundary::kWord && all_white_space(text))) continue;
      if (offsets) {
        const std::size_t mark = reader.line_start().size();
        output += std::to_string(reader.line_number()) + '\t' +
                  std::to_string(mark + segment.begin) + '\t' + std::to_string(mark + segment.end) +
                  '\t';
      }
      if (policy.replace_invalid) {
        replaced.clear();
        append_replacing_invalid(text, replaced);
        text = replaced;
      }
      if (boundary == Boundary::kSentence) {
        output += text;
      } else {
        append_escaped(text, output);
      }
      output += '\n';
    }
  });
}

}  // namespace rnn
