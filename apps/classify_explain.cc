#include <algorithm>
#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/explained_pieces.h"
#include "base/json.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/tasks/text_classifier.h"
#include "rnn/text/line_reader.h"
#include "text/escape.h"

namespace rnn {
namespace {

namespace po = boost::program_options;

void print(const TextClassifier& model, const std::string& text, const Explanation& why,
           bool json) {
  const std::string& label = model.labels()[static_cast<std::size_t>(why.label)];
  if (json) {
    Json units = Json::array();
    for (const ExplainedPiece& piece : explained_pieces(text, why.units)) {
      units.push_back({{"unit", text.substr(piece.begin, piece.end - piece.begin)},
                       {"begin", piece.begin},
                       {"end", piece.end},
                       {"unknown", piece.unknown},
                       {"contribution", piece.contribution}});
    }
    const Json object = {{"text", text},
                         {"label", label},
                         {"logit", why.logit},
                         {"baseline", why.baseline},
                         {"remainder", why.remainder},
                         {"cut", why.cut},
                         {"units", units}};
    std::cout << object.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return;
  }
  std::cout << escape(label) << "\tlogit " << to_fixed(why.logit, 4) << "\tbaseline "
            << to_fixed(why.baseline, 4) << "\tremainder " << to_fixed(why.remainder, 4)
            << (why.cut ? "\tthe middle was not read\n" : "\n");
  for (const UnitContribution& unit : why.units) {
    std::cout << to_fixed(unit.contribution, 4) << "\t"
              << escape(text.substr(unit.begin, unit.end - unit.begin))
              << (unit.unknown ? "\tOOV\n" : "\n");
  }
  std::cout << "\n";
}

}  // namespace

void classify_explain(const Arguments& arguments) {
  CommandLine line(
      "classify explain --model DIR [--text F|-] [options]",
      "For each line of text the label and its logit, then a line for each unit: its\n"
      "contribution to the logit, a tab, the unit (with the escapes of vocabulary.txt),\n"
      "OOV if unknown. An empty line ends each text.");
  add_model_option(line);
  line.add("Files")("text", po::value<std::string>()->default_value("-")->value_name("F"),
                    "texts, one a line; - is standard input");
  line.add("Run")("label", po::value<std::string>()->value_name("LABEL"),
                  "the label to be explained; the likeliest without it")(
      "method", po::value<std::string>()->default_value("integrated-gradients")->value_name("NAME"),
      "integrated-gradients: adds up to logit - baseline - remainder; occlusion: what "
      "is lost when a unit's vectors are zeros")("replace-invalid", po::bool_switch(),
                                                 "replace invalid UTF-8 by U+FFFD")(
      "json", po::bool_switch(),
      "one JSON object a line; units that are parts of a character are one");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");

  ExplainOptions options{.method = explain_method(line.get<std::string>("method"))};
  const TextClassifier model =
      TextClassifier::load(line.get<std::string>("model"), backend_options(line));
  if (line.has("label")) {
    const auto label = line.get<std::string>("label");
    const auto found = std::find(model.labels().begin(), model.labels().end(), label);
    if (found == model.labels().end()) {
      throw ConfigError("--label: the model has no label '" + label + "'");
    }
    options.label = static_cast<std::int32_t>(found - model.labels().begin());
  }
  TextPolicy policy = model.text_policy();
  policy.replace_invalid |= line.get<bool>("replace-invalid");
  LineReader reader(line.get<std::string>("text"), policy);
  while (reader.next()) {
    const std::string text(reader.line());
    print(model, text, model.explain(text, options), line.get<bool>("json"));
    std::cout.flush();
  }
}

}  // namespace rnn
