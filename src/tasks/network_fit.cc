#include "tasks/network_fit.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "rnn/crf.h"
#include "rnn/error.h"

namespace rnn {
namespace {

/// Nothing where nobody knows.
using MaybeSteps = std::optional<Steps>;

/// Steps after a layer that was described so.
MaybeSteps steps_after(const std::string& type, const Json& options, MaybeSteps before) {
  if (type == "PoolOverTime") return Steps::kOne;
  if (type == "Residual") return before;  // or an error, when it runs
  if (type == "Bidirectional") {
    const Json inner = options.value("layer", Json::object());
    return steps_after(inner.value("type", ""), inner, before);
  }
  if (type == "Conv1D") {
    const bool whole =
        options.value("padding", "") != "valid" || options.value("kernel_size", 0) == 1;
    if (before == Steps::kOne || (whole && options.value("strides", 0) == 1)) return before;
    return Steps::kOther;
  }
  if (options.contains("return_sequences")) {
    return options.value("return_sequences", true) ? before : Steps::kOne;
  }
  return std::nullopt;
}

MaybeSteps steps_after(const Layer& layer, MaybeSteps before) {
  if (layer.causal()) return before;  // one a step
  Json options;
  JsonWriter writer(options);
  layer.describe(writer);
  return steps_after(std::string(layer.type()), options, before);
}

/// Steps of the features that a head along the first input is given.
MaybeSteps steps_of(const Network& network, const Network::Source& features) {
  std::vector<MaybeSteps> steps;  // of each node
  const auto at = [&](const Network::Source& source) -> MaybeSteps {
    if (source.is_input) return Steps::kEach;
    return steps[source.number];
  };
  for (const Network::Node& node : network.nodes()) {
    // Several inputs are equally long, or the last one says where the others stand.
    const MaybeSteps before = at(node.from.back());
    steps.push_back(node.layer ? steps_after(*node.layer, before) : before);
  }
  return at(features);
}

std::string to_string(Steps steps) {
  if (steps == Steps::kOne) return "one vector for a whole sequence";
  return steps == Steps::kEach ? "one vector a step" : "fewer vectors than steps";
}

}  // namespace

std::string head_misfit(const Network& network, Steps expected) {
  const Network::Head& head = network.head();
  if (!head.head) return "its first output, '" + head.name + "', must have a head";
  const Network::Source& from = head.from;
  const std::size_t sequences = from.is_input
                                    ? (network.inputs()[from.number].aligned ? 0 : from.number)
                                    : network.nodes()[from.number].sequences;
  if (sequences != 0) {
    return "its first output, '" + head.name + "', must read what goes along its first input, '" +
           network.inputs().front().name + "', but reads what goes along '" +
           network.inputs()[sequences].name + "'; Gather leads from one to the other";
  }
  const MaybeSteps steps = steps_of(network, from);
  if (steps && steps != expected) {
    return "its first output, '" + head.name + "', must be given " + to_string(expected) +
           ", but gets " + to_string(*steps) + " from '" + network.name_of(from) +
           (expected == Steps::kOne ? "'; put PoolOverTime before it, or give the last recurrent "
                                      "layer return_sequences: false"
                                    : "'; leave out what pools, strides or shortens before it");
  }
  return {};
}

void require_standard(const Json& given, const Json& standard) {
  for (const auto& item : given.items()) {
    if (item.value() == standard[item.key()]) continue;
    std::string option = item.key();
    std::replace(option.begin(), option.end(), '_', '-');
    throw ConfigError(option + ": describes a network, but --network brings its own, given " +
                      item.value().dump() + "; leave out one of the two");
  }
}

std::string language_model_misfit(const Network& network, Index vocabulary) {
  const Network::Head& head = network.head();
  if (network.input() != Signal::symbols(vocabulary) || head.classes != vocabulary) {
    return "a language model over this text needs an Embedding with input_dim " +
           std::to_string(vocabulary) + " and a head with as many units, but it reads " +
           network.input().to_string() + " and predicts " + std::to_string(head.classes);
  }
  if (network.inputs().size() > 1) {
    return "a language model has one input, but there is also '" + network.inputs()[1].name + "'";
  }
  if (const Network::Node* node = network.first_not_causal()) {
    return "layer '" + node->name +
           "' sees the future or gives fewer outputs than steps; a language model predicts each "
           "unit from those before it";
  }
  if (std::string misfit = head_misfit(network, Steps::kEach); !misfit.empty()) return misfit;
  if (head.head->targets_per_step() != 1 || dynamic_cast<const CRF*>(head.head.get())) {
    return "a language model ends in a distribution over its units, such as a Softmax, not in a " +
           std::string(head.head->type());
  }
  return {};
}

}  // namespace rnn
