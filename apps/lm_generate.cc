#include <algorithm>
#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/json.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"
#include "text/escape.h"

namespace rnn {
namespace {

/// What the model has never seen it cannot go on from as one might hope.
void warn_of_unknown(const LanguageModel& model, const std::string& prompt) {
  std::vector<Token> tokens;
  std::string unknown;
  // Line by line: the end of a line is known to every model.
  for (std::size_t from = 0; from < prompt.size();) {
    const std::size_t end = std::min(prompt.find('\n', from), prompt.size());
    const std::string line =
        model.normalizer().normalize(std::string_view(prompt).substr(from, end - from));
    model.tokenizer().tokenize(line, tokens);
    for (const Token& token : tokens) {
      if (token.text != kUnknownSymbol &&
          model.vocabulary().text_id(token.text) == model.vocabulary().unknown_id()) {
        unknown += " " + escape(token.text);
      }
    }
    from = end + 1;
  }
  if (!unknown.empty()) std::cerr << "note: the model does not know" << unknown << "\n";
}

}  // namespace

void lm_generate(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line("lm generate --model DIR [options]",
                   "Writes text that goes on from the prompt. The same seed gives the same text.");
  add_model_option(line);
  const GenerateOptions standard;
  line.add("Text")("prompt", po::value<std::string>()->default_value("")->value_name("TEXT"),
                   "how the text begins")(
      "length", po::value<std::int64_t>()->default_value(standard.length)->value_name("N"),
      "units to write")("temperature", po::value<double>()->default_value(1, "1")->value_name("X"),
                        "below 1 likelier units gain, above 1 they lose; 0: always the likeliest")(
      "top-k", po::value<std::int64_t>()->default_value(0)->value_name("N"),
      "choose among the N likeliest; 0: among all")(
      "top-p", po::value<double>()->default_value(1, "1")->value_name("X"),
      "choose among the fewest units that together reach this probability")(
      "typical", po::value<double>()->default_value(1, "1")->value_name("X"),
      "the same, but among those whose surprise is nearest to the expected (Meister et al. 2023)")(
      "repetition-penalty", po::value<double>()->default_value(1, "1")->value_name("X"),
      "above 1: units that the text has already become rarer")(
      "stop", po::value<Arguments>()->composing()->value_name("TEXT"),
      "end before this text; may be given several times")(
      "samples", po::value<int>()->default_value(1)->value_name("N"),
      "so many texts, separated by an empty line")(
      "beam", po::value<int>()->default_value(0)->value_name("N"),
      "the likeliest text that a beam of this width finds, instead of choices: those that reach a "
      "--stop are whole")("seed", po::value<std::uint64_t>()->default_value(1)->value_name("N"),
                          "of the choices")("unknown", po::bool_switch(), "let <unk> be written")(
      "json", po::bool_switch(), "print one JSON object");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");

  const LanguageModel model =
      LanguageModel::load(line.get<std::string>("model"), backend_options(line));
  const GenerateOptions options{
      .prompt = line.get<std::string>("prompt"),
      .length = line.get<std::int64_t>("length"),
      .temperature = line.get<double>("temperature"),
      .top_k = line.get<std::int64_t>("top-k"),
      .top_p = line.get<double>("top-p"),
      .typical = line.get<double>("typical"),
      .repetition_penalty = line.get<double>("repetition-penalty"),
      .stop = line.has("stop") ? line.get<Arguments>("stop") : Arguments{},
      .samples = line.get<int>("samples"),
      .beam = line.get<int>("beam"),
      .seed = line.get<std::uint64_t>("seed"),
      .unknown = line.get<bool>("unknown")};
  warn_of_unknown(model, options.prompt);
  if (line.get<bool>("json")) {
    const std::vector<std::string> texts = model.generate_all(options);
    const Json json = options.samples == 1 ? Json{{"text", texts.front()}} : Json{{"texts", texts}};
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return;
  }
  const std::vector<std::string> texts =
      model.generate_all(options, [](std::string_view piece) { std::cout << piece << std::flush; });
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) std::cout << '\n' << texts[i];
    if (texts[i].empty() || texts[i].back() != '\n') std::cout << '\n';
  }
}

}  // namespace rnn
