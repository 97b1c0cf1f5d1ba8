#include "apps/mixture_option.h"

#include <charconv>

#include "apps/commands.h"
#include "base/number.h"
#include "rnn/error.h"

namespace rnn {

void add_mixture_option(CommandLine& line) {
  line.add("Files")("mix",
                    boost::program_options::value<Arguments>()->composing()->value_name("DIR=X"),
                    "another model whose probabilities count so much, --model's the rest to 1; may "
                    "be given several times");
}

std::optional<LanguageModelMixture> load_mixture(const CommandLine& line) {
  if (!line.has("mix")) return std::nullopt;
  std::vector<LanguageModelMixture::Component> components;
  double rest = 1;
  const BackendOptions backend = backend_options(line);
  components.push_back({LanguageModel::load(line.get<std::string>("model"), backend), 0});
  for (const std::string& text : line.get<Arguments>("mix")) {
    const std::size_t equals = text.rfind('=');
    double weight = 0;
    const char* const end = text.data() + text.size();
    if (equals == text.npos || std::from_chars(text.data() + equals + 1, end, weight).ptr != end ||
        !(weight > 0)) {
      throw ConfigError("--mix: expected DIR=X with a weight X above 0, got '" + text + "'");
    }
    components.push_back({LanguageModel::load(text.substr(0, equals), backend), weight});
    rest -= weight;
  }
  if (!(rest > 0)) {
    throw ConfigError("--mix: the weights of the other models must add up to less than 1, got " +
                      to_text(1 - rest));
  }
  components.front().weight = rest;
  return LanguageModelMixture(std::move(components));
}

}  // namespace rnn
