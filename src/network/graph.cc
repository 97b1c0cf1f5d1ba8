#include "rnn/graph.h"

#include <algorithm>
#include <atomic>
#include <cctype>

#include "layers/option_fields.h"
#include "rnn/error.h"

namespace rnn {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

[[noreturn]] void refuse(const std::string& name, const std::string& what) {
  throw ConfigError("layer '" + name + "': " + what);
}

/// What is wider could not be computed, and its sums and products could overflow.
void require_bounded(const std::string& name, const Signal& output) {
  if (output.size <= kMostWide) return;
  refuse(name, "must give vectors of at most " + std::to_string(kMostWide) + ", not " +
                   output.to_string());
}

/// Runs `work`; an error it throws is told which layer it is about.
template <class Work>
auto in_layer(const std::string& name, Work work) {
  try {
    return work();
  } catch (const ConfigError& error) {
    refuse(name, error.what());
  }
}

}  // namespace

Graph::Graph() {
  static std::atomic<std::uint64_t> made{0};
  id_ = ++made;
}

std::string Graph::take_name(const std::string& given, std::string_view type) {
  if (given.find('/') != std::string::npos) {
    throw ConfigError("Graph: a name must not hold '/', got '" + given + "'");
  }
  std::string name = given.empty() ? lower(type) : given;
  if (!names_.insert(name).second) {
    if (!given.empty()) {
      throw ConfigError("Graph: two inputs, layers or outputs are named '" + given + "'");
    }
    // No name is ever given back, so the numbers before are still taken.
    std::size_t& number = numbered_[name];
    const std::string stem = name + "_";
    do {
      name = stem + std::to_string(++number);
    } while (!names_.insert(name).second);
  }
  return name;
}

void Graph::check(Value value, const std::string& owner) const {
  if (value.graph_ == id_) return;
  refuse(owner, "was given a value that is not of this graph");
}

const Signal& Graph::signal(Value value) const {
  check(value, "signal");
  return value.source_.is_input ? network_.inputs_[value.source_.number].signal
                                : network_.nodes_[value.source_.number].output;
}

const std::string& Graph::name(Value value) const {
  check(value, "name");
  return network_.name_of(value.source_);
}

std::size_t Graph::sequences_of(Network::Source source) const {
  if (!source.is_input) return network_.nodes_[source.number].sequences;
  return network_.inputs_[source.number].aligned ? 0 : source.number;
}

bool Graph::needs_gradient(Network::Source source) const {
  return !source.is_input && network_.nodes_[source.number].needs_gradient;
}

Graph::Value Graph::input(std::string name, const Signal& signal, const InputOptions& options) {
  if (name.empty()) throw ConfigError("Graph: an input must have a name");
  if (signal.kind != Signal::Kind::kRows && signal.size < 1) {
    throw ConfigError("Graph: input '" + name + "' must be of at least 1, got " +
                      signal.to_string());
  }
  if (signal.size > kMostWide) {
    throw ConfigError("Graph: input '" + name + "' must be of at most " +
                      std::to_string(kMostWide) + ", got " + signal.to_string());
  }
  if (network_.inputs_.empty() && (!options.aligned || signal.kind == Signal::Kind::kRows)) {
    throw ConfigError("Graph: the first input, '" + name +
                      "', is that of the batch itself: it must be symbols or vectors, and aligned");
  }
  name = take_name(name, {});
  network_.inputs_.push_back({std::move(name), signal, options.aligned});
  return {{.is_input = true, .number = network_.inputs_.size() - 1}, id_};
}

std::vector<std::size_t> Graph::declare(const std::string& owner,
                                        const std::vector<ParameterSpec>& specs) {
  std::vector<ParameterSpec>& all = network_.parameter_specs_;
  std::vector<std::size_t> positions;
  for (ParameterSpec spec : specs) {
    if (spec.name.find('/') == std::string::npos) {
      spec.name = owner + "/" + spec.name;
      parameters_.emplace(spec.name, all.size());
      positions.push_back(all.size());
      all.push_back(std::move(spec));
      continue;
    }
    const auto found = parameters_.find(spec.name);
    if (found == parameters_.end()) {
      refuse(owner, "there is no parameter '" + spec.name + "' before it to share");
    }
    const Shape& shape = all[found->second].shape;
    if (shape != spec.shape) {
      refuse(owner, "to share '" + spec.name + "' its shape must be " + spec.shape.to_string() +
                        ", but it is " + shape.to_string());
    }
    positions.push_back(found->second);
  }
  return positions;
}

std::vector<std::size_t> Graph::share(const Network::Node& node,
                                      const std::vector<ParameterSpec>& specs) const {
  const auto place = nodes_.find(node.shares);
  if (place == nodes_.end()) {
    refuse(node.name, "there is no layer '" + node.shares + "' before it to share parameters with");
  }
  const std::vector<std::size_t>& found = network_.nodes_[place->second].parameters;
  const std::string with = "to share the parameters of '" + node.shares + "' ";
  if (found.size() != specs.size()) {
    refuse(node.name, with + "it must have " + std::to_string(found.size()) + " of them, got " +
                          std::to_string(specs.size()));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const ParameterSpec& theirs = network_.parameter_specs_[found[i]];
    if (theirs.shape != specs[i].shape) {
      refuse(node.name, with + "its '" + specs[i].name + "' must be " + theirs.shape.to_string() +
                            ", got " + specs[i].shape.to_string());
    }
  }
  return found;
}

Graph::Value Graph::add(Network::Node node, const NodeOptions& options, std::size_t sequences,
                        const std::vector<ParameterSpec>& specs) {
  node.sequences = sequences;
  node.shares = options.shares;
  node.parameters = node.shares.empty() ? declare(node.name, specs) : share(node, specs);
  node.needs_gradient = !node.parameters.empty();
  for (const Network::Source& source : node.from) {
    node.needs_gradient = node.needs_gradient || needs_gradient(source);
  }
  node.first_state = network_.state_specs_.size();
  if (node.layer && sequences == 0) {
    for (const StateSpec& state : node.layer->states(node.input)) {
      network_.state_specs_.push_back({node.name + "/" + state.name, state.width});
    }
  }
  node.states = network_.state_specs_.size() - node.first_state;
  nodes_.emplace(node.name, network_.nodes_.size());
  network_.nodes_.push_back(std::move(node));
  return {{.is_input = false, .number = network_.nodes_.size() - 1}, id_};
}

Graph::Value Graph::add(const AnyLayer& layer, Value x, const NodeOptions& options) {
  if (!layer) throw ConfigError("Graph: a layer is null");
  Network::Node node;
  node.name = take_name(options.name, layer->type());
  check(x, node.name);
  node.layer = layer.pointer();
  node.from = {x.source_};
  node.input = signal(x);
  node.output = in_layer(node.name, [&] { return layer->output(node.input); });
  require_bounded(node.name, node.output);
  const auto specs = layer->parameters(node.input);
  return add(std::move(node), options, sequences_of(x.source_), specs);
}

Graph::Value Graph::add(const AnyJointLayer& layer, const std::vector<Value>& from,
                        const NodeOptions& options) {
  const auto& joint = layer.pointer();
  if (!joint) throw ConfigError("Graph: a layer is null");
  Network::Node node;
  node.name = take_name(options.name, joint->type());
  node.joint = joint;
  if (from.empty()) refuse(node.name, "expected inputs, got none");
  std::vector<Signal> signals;
  for (const Value& value : from) {
    check(value, node.name);
    signals.push_back(signal(value));
    node.from.push_back(value.source_);
  }
  node.input = signals.front();
  node.output = in_layer(node.name, [&] { return joint->output(signals); });
  require_bounded(node.name, node.output);
  const std::size_t sequences = sequences_of(node.from.back());
  for (const Network::Source& source : node.from) {
    const std::size_t others = sequences_of(source);
    if (!joint->aligned() || others == sequences) continue;
    refuse(node.name, "its inputs must be of the same sequences, got those of '" +
                          network_.inputs_[others].name + "' (through '" +
                          network_.name_of(source) + "') and of '" +
                          network_.inputs_[sequences].name +
                          "'; Gather leads from one to the other");
  }
  const auto specs = joint->parameters(signals);
  return add(std::move(node), options, sequences, specs);
}

Graph::Value Graph::gather(Value table, Value rows, const NodeOptions& options) {
  return add(Gather(), {table, rows}, options);
}

void Graph::output(const AnyHead& any, Value features, const OutputOptions& options) {
  const auto& head = any.pointer();
  if (!head) throw ConfigError("Graph: an output head is null");
  Network::Head output;
  output.name = take_name(options.name, head->type());
  check(features, output.name);
  if (!(options.weight >= 0)) {
    refuse(output.name, "weight must be at least 0, got " + std::to_string(options.weight));
  }
  output.head = head;
  output.from = features.source_;
  output.features = signal(features);
  output.classes = in_layer(output.name, [&] { return head->classes(output.features); });
  output.parameters = declare(output.name, head->parameters(output.features));
  output.weight = options.weight;
  network_.outputs_.push_back(std::move(output));
}

void Graph::output(Value features, const OutputOptions& options) {
  Network::Head output;
  output.name = take_name(options.name, "output");
  check(features, output.name);
  output.from = features.source_;
  output.features = signal(features);
  if (output.features.kind != Signal::Kind::kVectors) {
    refuse(output.name, "an output must be vectors, got " + output.features.to_string());
  }
  output.classes = output.features.size;
  network_.outputs_.push_back(std::move(output));
}

Network Graph::build() const {
  if (network_.outputs_.empty()) throw ConfigError("Graph: there is no output");
  std::vector<bool> input_used(network_.inputs_.size()), node_used(network_.nodes_.size());
  const auto use = [&](const Network::Source& source) {
    (source.is_input ? input_used : node_used)[source.number] = true;
  };
  for (const Network::Head& output : network_.outputs_) use(output.from);
  for (std::size_t i = network_.nodes_.size(); i-- > 0;) {
    const Network::Node& node = network_.nodes_[i];
    if (!node_used[i]) refuse(node.name, "leads to no output");
    for (const Network::Source& source : node.from) use(source);
  }
  for (std::size_t i = 0; i < input_used.size(); ++i) {
    if (!input_used[i]) refuse(network_.inputs_[i].name, "this input leads to no output");
  }
  return network_;
}

}  // namespace rnn
