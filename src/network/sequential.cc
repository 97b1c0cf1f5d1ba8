#include "rnn/sequential.h"

#include "rnn/error.h"
#include "rnn/graph.h"

namespace rnn {
namespace {

Network chain(const std::vector<Part>& parts, Index input_features) {
  if (parts.empty() || !parts.front().layer()) {
    throw ConfigError("Sequential: expected at least one layer before an output head");
  }
  const Signal input = parts.front().layer()->input().value_or(Signal::vectors(input_features));
  if (input.size <= 0) {
    throw ConfigError(
        "Sequential: the first layer takes vectors of any width, so input_features must say how "
        "wide they are");
  }
  Graph graph;
  Graph::Value x = graph.input("input", input);
  bool ended = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].layer()) {
      x = graph.add(parts[i].layer(), x);
    } else if (!parts[i].head()) {
      throw ConfigError("Sequential: part " + std::to_string(i) + " is null");
    } else if (i + 1 != parts.size()) {
      throw ConfigError("Sequential: output head " + std::string(parts[i].head()->type()) +
                        " must stand at the end");
    } else {
      graph.output(parts[i].head(), x);
      ended = true;
    }
  }
  if (!ended) graph.output(x);
  return graph.build();
}

}  // namespace

Sequential::Sequential(std::initializer_list<Part> parts, Index input_features)
    : Sequential(std::vector<Part>(parts), input_features) {}

Sequential::Sequential(const std::vector<Part>& parts, Index input_features)
    : Network(chain(parts, input_features)) {}

}  // namespace rnn
