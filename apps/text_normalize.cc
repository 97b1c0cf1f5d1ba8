#include "apps/text_filter.h"
#include "rnn/text/normalizer.h"

namespace rnn {

void text_normalize(const Arguments& arguments) {
  CommandLine line(
      "text normalize [F...] [options]",
      "Rewrites text line by line. Nothing in a line is changed unless asked for; the steps\n"
      "are taken in the order of this list, but controls first. Each line ends with a line\n"
      "feed, the last one too.");
  add_inputs(line);
  line.add_fields("Steps", NormalizerOptions{},
                  {{"form", {"nfc, nfd, nfkc or nfkc-casefold"}},
                   {"lowercase", {"lower case"}},
                   {"locale", {"whose rules lower case follows, such as tr"}},
                   {"strip-accents", {"take accents off Latin and Greek letters"}},
                   {"controls", {"control characters: keep, drop or space"}},
                   {"digits", {"keep; ascii: any decimal digit becomes 0 to 9; zero: becomes 0"}},
                   {"white-space", {"keep; collapse: one space, none at the ends of a line"}}});
  if (!line.parse(arguments)) return;
  NormalizerOptions options;
  line.read_fields(options);
  const Normalizer normalizer(options);
  filter_lines(inputs(line), text_policy(line), [&](const LineReader& reader, std::string& output) {
    output += normalizer.normalize(reader.line());
    output += '\n';
  });
}

}  // namespace rnn
