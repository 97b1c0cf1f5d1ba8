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
  model.tokenizer().tokenize(prompt, tokens);
  std::string unknown;
  for (const Token& token : tokens) {
    if (token.text != kUnknownSymbol &&
        model.vocabulary().text_id(token.text) == model.vocabulary().unknown_id()) {
      unknown += " " + escape(token.text);
    }
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
      "seed", po::value<std::uint64_t>()->default_value(1)->value_name("N"), "of the choices")(
      "unknown", po::bool_switch(), "let <unk> be written")("json", po::bool_switch(),
                                                            "print one JSON object");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");

  const LanguageModel model =
      LanguageModel::load(line.get<std::string>("model"), backend_options(line));
  const GenerateOptions options{.prompt = line.get<std::string>("prompt"),
                                .length = line.get<std::int64_t>("length"),
                                .temperature = line.get<double>("temperature"),
                                .top_k = line.get<std::int64_t>("top-k"),
                                .top_p = line.get<double>("top-p"),
                                .seed = line.get<std::uint64_t>("seed"),
                                .unknown = line.get<bool>("unknown")};
  warn_of_unknown(model, options.prompt);
  if (line.get<bool>("json")) {
    const Json json = {{"text", model.generate(options)}};
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return;
  }
  const std::string text =
      model.generate(options, [](std::string_view piece) { std::cout << piece << std::flush; });
  if (text.empty() || text.back() != '\n') std::cout << '\n';
}

}  // namespace rnn
