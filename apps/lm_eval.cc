#include <cmath>
#include <iostream>

#include "apps/adaptation_option.h"
#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/mixture_option.h"
#include "base/json.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/tasks/language_model.h"

namespace rnn {

void lm_eval(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line("lm eval --model DIR --text F... [options]",
                   "Perplexity of a text. Every token is predicted once, the end of each line\n"
                   "among them; unknown words count with the probability of <unk>. Characters are\n"
                   "counted as the normalizer leaves them, one line end a line.");
  add_model_option(line);
  add_mixture_option(line);
  line.add("Files")("text", po::value<Arguments>()->multitoken()->value_name("F..."),
                    "text files; - is standard input");
  line.add("Run")("state", po::value<std::string>()->default_value("carry")->value_name("NAME"),
                  "carry: one stream; reset: every sentence from the beginning of a text")(
      "replace-invalid", po::bool_switch(), "replace invalid UTF-8 by U+FFFD")(
      "json", po::bool_switch(), "print one JSON object");
  add_adaptation_options(line);
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");
  line.require("text");

  const StatePolicy policy = state_policy(line);
  const Adaptation adaptation = adaptation_of(line, "mix");
  const auto text_policy_of = [&](const LanguageModel& model) {
    TextPolicy text_policy = model.text_policy();
    text_policy.replace_invalid |= line.get<bool>("replace-invalid");
    return text_policy;
  };
  const auto paths = line.get<Arguments>("text");
  LanguageModelEvaluation result;
  if (const auto mixture = load_mixture(line)) {
    result = mixture->evaluate(paths, policy, text_policy_of(mixture->first()));
  } else {
    const LanguageModel model =
        LanguageModel::load(line.get<std::string>("model"), backend_options(line));
    if (auto reader = adaptive_reader(line, adaptation, model)) {
      result = reader->evaluate(paths, text_policy_of(model));
    } else {
      result = model.evaluate(paths, policy, text_policy_of(model));
    }
  }
  if (!std::isfinite(result.nats)) {
    throw DivergenceError(
        "eval: the text has no finite probability: the training of the model, or its adaptation to "
        "the text, must have diverged");
  }
  if (line.get<bool>("json")) {
    std::cout << Json{{"tokens", result.tokens},
                      {"sentences", result.sentences},
                      {"oov", result.unknown},
                      {"characters", result.characters},
                      {"nats", result.nats},
                      {"nats_per_token", result.nats_per_token()},
                      {"ppl", result.perplexity()},
                      {"bits_per_char", result.bits_per_character()},
                      {"state", line.get<std::string>("state")}}
                     .dump()
              << "\n";
    return;
  }
  std::cout << "tokens          " << result.tokens << "  (" << result.sentences
            << " ends of sentence among them, " << result.unknown << " unknown)\n"
            << "nats per token  " << to_fixed(result.nats_per_token(), 6) << "\n"
            << "perplexity      " << to_fixed(result.perplexity(), 4) << "\n"
            << "bits per char   " << to_fixed(result.bits_per_character(), 6) << "  ("
            << result.characters << " characters)\n";
}

}  // namespace rnn
