#include <iostream>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/json.h"
#include "base/number.h"
#include "rnn/tasks/tagger.h"

namespace rnn {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

void add(Json& json, const SpanCounts& counts) {
  json["precision"] = counts.precision();
  json["recall"] = counts.recall();
  json["f1"] = counts.f1();
  json["gold"] = counts.gold;
  json["found"] = counts.found;
  json["correct"] = counts.correct;
}

Json to_json(const TaggerEvaluation& result) {
  const TagScores& scores = result.scores;
  Json json = {{"tokens", scores.tokens()},
               {"sentences", scores.sentences()},
               {"accuracy", scores.accuracy()},
               {"nats_per_token", result.loss.mean()},
               {"oov", result.unknown},
               {"oov_accuracy", share(result.unknown_correct, result.unknown)}};
  if (!result.entities) {
    json["f1"] = scores.accuracy();  // micro-averaged over tags it is the accuracy
    return json;
  }
  add(json, scores.all());
  if (scores.types().empty()) return json;
  // Types are there once: no need to look for each among those before it.
  auto& types = (json["types"] = Json::object()).get_ref<Json::object_t&>();
  for (const auto& [type, counts] : scores.types()) {
    add(types.emplace_back(type, Json::object()).second, counts);
  }
  return json;
}

}  // namespace

void tag_eval(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line(
      "tag eval --model DIR --text F... [options]",
      "Tags files that have tags and counts what is right: words, and entities as the\n"
      "program conlleval counts them, with its report.");
  add_model_option(line);
  line.add("Files")("text", po::value<Arguments>()->multitoken()->value_name("F..."),
                    "tagged files of the kind that the model was trained on; - is standard input");
  line.add("Run")("json", po::bool_switch(), "print one JSON object");
  add_backend_options(line);
  if (!line.parse(arguments)) return;
  line.require("model");
  line.require("text");

  const Tagger tagger = Tagger::load(line.get<std::string>("model"), backend_options(line));
  const TaggerEvaluation result = tagger.evaluate(line.get<Arguments>("text"));
  if (line.get<bool>("json")) {
    std::cout << to_json(result).dump() << "\n";
    return;
  }
  if (result.entities) std::cout << result.scores.conlleval();
  std::cout << "words           " << result.scores.tokens() << "  (" << result.scores.sentences()
            << " sentences)\n"
            << "accuracy        " << to_fixed(100 * result.scores.accuracy(), 2) << " %\n"
            << "unknown words   " << result.unknown << "  (accuracy "
            << to_fixed(100 * share(result.unknown_correct, result.unknown), 2) << " %)\n"
            << "nats per word   "
            << (result.loss.targets > 0 ? to_fixed(result.loss.mean(), 6)
                                        : "none: no sentence has tags that the model knows")
            << "\n";
}

}  // namespace rnn
