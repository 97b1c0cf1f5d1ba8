#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/json.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"

namespace rnn {

void lm_generate(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line("lm generate --model DIR [options]",
                   "Writes text that goes on from the prompt. The same seed gives the same text.");
  line.add("Files")("model", po::value<std::string>()->value_name("DIR"), "model directory");
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
