#include "rnn/network.h"

#include "rnn/error.h"

namespace rnn {
namespace {

/// FNV-1a, so that a parameter's first values do not depend on what stands around it.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325u;
  for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return value;
}

}  // namespace

std::size_t Network::output(std::string_view name) const {
  std::string known;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (outputs_[i].name == name) return i;
    known += " " + outputs_[i].name;
  }
  throw ConfigError("no output is named '" + std::string(name) + "'; there are:" + known);
}

const std::string& Network::name_of(const Source& source) const {
  return source.is_input ? inputs_[source.number].name : nodes_[source.number].name;
}

const Network::Node* Network::first_not_causal() const {
  for (const Node& node : nodes_) {
    if (node.sequences == 0 && node.layer && !node.layer->causal()) return &node;
  }
  return nullptr;
}

Parameters Network::zero_parameters(const Backend& backend) const {
  Parameters parameters;
  for (const ParameterSpec& spec : parameter_specs_) {
    parameters.add(spec.name, Tensor(spec.shape, backend.memory()));
  }
  parameters.changed();
  return parameters;
}

Parameters Network::initial_parameters(std::uint64_t seed, const Backend& backend) const {
  Parameters parameters = zero_parameters(backend);
  const Random random = Random(seed).fold(hash_of("initial parameters"));
  for (std::size_t i = 0; i < parameter_specs_.size(); ++i) {
    const ParameterSpec& spec = parameter_specs_[i];
    View<float> part = parameters[i];
    int blocks = spec.blocks;
    if (spec.only_block >= 0) {
      const Index width = part.size() / spec.blocks;
      part = View<float>(part.data() + spec.only_block * width, {width});
      blocks = 1;
    }
    spec.initializer.fill(part, blocks, random.fold(hash_of(spec.name)));
  }
  return parameters;
}

State Network::zero_state(Index batch, const Backend& backend) const {
  State state;
  for (const StateSpec& spec : state_specs_) {
    state.add(spec.name, Tensor({batch, spec.width}, backend.memory()));
  }
  return state;
}

}  // namespace rnn
