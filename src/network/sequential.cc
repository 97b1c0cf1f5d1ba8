#include "rnn/sequential.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "rnn/error.h"

namespace rnn {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// FNV-1a, so that a parameter's first values do not depend on what stands around it.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325u;
  for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return value;
}

/// Runs `work`; an error it throws is told which layer it is about.
template <class Work>
auto in_layer(const std::string& name, Work work) {
  try {
    return work();
  } catch (const ConfigError& error) {
    throw ConfigError("layer '" + name + "': " + error.what());
  }
}

}  // namespace

Sequential::Sequential(std::initializer_list<Part> parts, Index input_features)
    : Sequential(std::vector<Part>(parts), input_features) {}

Sequential::Sequential(const std::vector<Part>& parts, Index input_features)
    : input_(Signal::vectors(input_features)) {
  if (parts.empty() || !parts.front().layer()) {
    throw ConfigError("Sequential: expected at least one layer before an output head");
  }
  input_ = parts.front().layer()->input().value_or(Signal::vectors(input_features));
  if (input_.size <= 0) {
    throw ConfigError(
        "Sequential: the first layer takes vectors of any width, so input_features must say how "
        "wide they are");
  }

  std::map<std::string, int> seen;
  const auto name_for = [&seen](std::string_view type) {
    const std::string name = lower(type);
    const int before = seen[name]++;
    return before == 0 ? name : name + "_" + std::to_string(before);
  };
  Signal signal = input_;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (const auto& layer = parts[i].layer()) {
      Node node;
      node.name = name_for(layer->type());
      node.layer = layer;
      node.input = signal;
      signal = node.output = in_layer(node.name, [&] { return layer->output(signal); });
      node.parameters = declare(node.name, layer->parameters(node.input));
      node.first_state = state_specs_.size();
      for (const StateSpec& state : layer->states(node.input)) {
        state_specs_.push_back({node.name + "/" + state.name, state.width});
      }
      node.states = state_specs_.size() - node.first_state;
      nodes_.push_back(std::move(node));
    } else {
      const auto& head = parts[i].head();
      if (!head) throw ConfigError("Sequential: part " + std::to_string(i) + " is null");
      if (i + 1 != parts.size()) {
        throw ConfigError("Sequential: output head " + std::string(head->type()) +
                          " must stand at the end");
      }
      head_.name = name_for(head->type());
      head_.head = head;
      head_.features = signal;
      head_.classes = in_layer(head_.name, [&] { return head->classes(signal); });
      head_.parameters = declare(head_.name, head->parameters(signal));
    }
  }
}

std::vector<std::size_t> Sequential::declare(const std::string& owner,
                                             const std::vector<ParameterSpec>& specs) {
  std::vector<std::size_t> positions;
  for (ParameterSpec spec : specs) {
    const bool shared = spec.name.find('/') != std::string::npos;
    if (!shared) {
      spec.name = owner + "/" + spec.name;
      positions.push_back(parameter_specs_.size());
      parameter_specs_.push_back(std::move(spec));
      continue;
    }
    const auto found =
        std::find_if(parameter_specs_.begin(), parameter_specs_.end(),
                     [&](const ParameterSpec& other) { return other.name == spec.name; });
    if (found == parameter_specs_.end()) {
      throw ConfigError("layer '" + owner + "': there is no parameter '" + spec.name +
                        "' before it to share");
    }
    if (found->shape != spec.shape) {
      throw ConfigError("layer '" + owner + "': to share '" + spec.name + "' its shape must be " +
                        spec.shape.to_string() + ", but it is " + found->shape.to_string());
    }
    positions.push_back(static_cast<std::size_t>(found - parameter_specs_.begin()));
  }
  return positions;
}

Parameters Sequential::zero_parameters(const Backend& backend) const {
  Parameters parameters;
  for (const ParameterSpec& spec : parameter_specs_) {
    parameters.add(spec.name, Tensor(spec.shape, backend.memory()));
  }
  parameters.changed();
  return parameters;
}

Parameters Sequential::initial_parameters(std::uint64_t seed, const Backend& backend) const {
  Parameters parameters = zero_parameters(backend);
  const Random random = Random(seed).fold(hash("initial parameters"));
  for (std::size_t i = 0; i < parameter_specs_.size(); ++i) {
    const ParameterSpec& spec = parameter_specs_[i];
    View<float> part = parameters[i];
    int blocks = spec.blocks;
    if (spec.only_block >= 0) {
      const Index width = part.size() / spec.blocks;
      part = View<float>(part.data() + spec.only_block * width, {width});
      blocks = 1;
    }
    spec.initializer.fill(part, blocks, random.fold(hash(spec.name)));
  }
  return parameters;
}

State Sequential::zero_state(Index batch, const Backend& backend) const {
  State state;
  for (const StateSpec& spec : state_specs_) {
    state.add(spec.name, Tensor({batch, spec.width}, backend.memory()));
  }
  return state;
}

}  // namespace rnn
