#include "apps/adaptation_option.h"

#include "apps/commands.h"
#include "rnn/error.h"

namespace rnn {

void add_adaptation_options(CommandLine& line) {
  line.add_fields(
      "Adaptation", Adaptation{},
      {{"dynamic-lr",
        {"dynamic evaluation: go on learning from the text with this rate (Krause et al. 2018); 0: "
         "no"}},
       {"dynamic-decay", {"of it: how strongly weights are drawn back to the trained ones"}},
       {"dynamic-epsilon", {"of it: added to what gradients are divided by"}},
       {"dynamic-steps", {"of it: units after which weights are changed"}},
       {"cache-size", {"neural cache: units it remembers (Grave et al. 2017); 0: no cache"}},
       {"cache-theta", {"of it: how much likeness of states counts"}},
       {"cache-weight", {"of it: its share of the probability"}}});
  line.add("Adaptation")(
      "dynamic-statistics",
      boost::program_options::value<Arguments>()->multitoken()->value_name("F..."),
      "of dynamic evaluation: the training text, over which gradients are measured");
}

Adaptation adaptation_of(const CommandLine& line, const char* excluded) {
  Adaptation adaptation;
  line.read_fields(adaptation);
  adaptation.validate();
  if (line.has("dynamic-statistics") && !(adaptation.dynamic.lr > 0)) {
    throw ConfigError("--dynamic-statistics belongs to --dynamic-lr");
  }
  if (!adaptation.any()) return adaptation;
  if (state_policy(line) != StatePolicy::kCarry) {
    throw ConfigError("--dynamic-lr and --cache-size adapt to one stream: give --state carry");
  }
  if (line.has(excluded)) {
    throw ConfigError("--" + std::string(excluded) +
                      ": only one model that reads one text adapts; leave out --dynamic-lr and "
                      "--cache-size");
  }
  return adaptation;
}

std::optional<AdaptiveLanguageModel> adaptive_reader(const CommandLine& line,
                                                     const Adaptation& adaptation,
                                                     const LanguageModel& model) {
  if (!adaptation.any()) return std::nullopt;
  const bool measured = line.has("dynamic-statistics");
  return AdaptiveLanguageModel(model, adaptation,
                               measured ? line.get<Arguments>("dynamic-statistics") : Arguments{});
}

}  // namespace rnn
