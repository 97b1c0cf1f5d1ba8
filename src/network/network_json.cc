#include <map>
#include <optional>

#include "base/json.h"
#include "base/require.h"
#include "layers/registry.h"
#include "rnn/graph.h"
#include "rnn/model_file.h"
#include "rnn/registry.h"
#include "rnn/sequential.h"

namespace rnn {
namespace {

/// Inputs, layers or outputs of one network.
constexpr std::size_t kMostParts = 4096;

/// Numbers that a network keeps for a sequence from one call to the next. A layer can ask for many
/// with few parameters, as a dilated Conv1D does; the largest classifier of a recipe needs so many.
constexpr Index kMostState = Index{1} << 24;

void require_bounded_state(const Network& network) {
  Index total = 0;
  for (const StateSpec& state : network.state_specs()) {
    total += state.width;
    if (total <= kMostState) continue;
    throw ConfigError("the layers' states must have at most " + to_text(kMostState) +
                      " numbers a sequence in all; with '" + state.name + "' they have " +
                      to_text(total) + " or more; give it fewer units or a smaller dilation_rate");
  }
}

/// Throws ConfigError for what NetworkReader would refuse.
void require_readable(const Network& network) {
  for (const std::size_t count :
       {network.inputs().size(), network.nodes().size(), network.outputs().size()}) {
    require(count <= kMostParts, "a network in JSON",
            "at most " + std::to_string(kMostParts) + " inputs, layers or outputs", count);
  }
  require_bounded_state(network);
}

/// Writes the type and the options of a layer or head called `name`.
template <class Component>
void describe(const std::string& name, const Component& component, bool known, std::string_view how,
              Json& object) {
  try {
    if (!known) refuse_unknown(component.type(), how);
    object["type"] = component.type();
    JsonWriter writer(object);
    component.describe(writer);
  } catch (const ConfigError& error) {  // a type, here or inside, that nobody could read again
    throw ConfigError("layer '" + name + "': " + error.what());
  }
}

void describe(const Network::Node& node, Json& object) {
  const bool known = node.layer ? knows_layer(node.type()) : knows_joint_layer(node.type());
  if (node.layer) return describe(node.name, *node.layer, known, "register_layer", object);
  describe(node.name, *node.joint, known, "register_joint_layer", object);
}

void describe(const Network::Head& output, Json& object) {
  describe(output.name, *output.head, knows_output_head(output.head->type()),
           "register_output_head", object);
}

/// The same layers and head as a chain, if that gives the same network: then names and edges need
/// not be written.
bool is_chain(const Network& network) {
  const auto& nodes = network.nodes();
  if (network.inputs().size() != 1 || network.outputs().size() != 1 || nodes.empty()) return false;
  std::vector<Part> parts;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Network::Source before{.is_input = i == 0, .number = i == 0 ? 0 : i - 1};
    if (!nodes[i].layer || nodes[i].from.front() != before || !nodes[i].shares.empty())
      return false;
    parts.emplace_back(nodes[i].layer);
  }
  const Network::Head& head = network.head();
  if (head.from != Network::Source{.is_input = false, .number = nodes.size() - 1}) return false;
  if (head.weight != 1 || network.inputs()[0].name != "input") return false;
  if (head.head) parts.emplace_back(head.head);
  const Signal input = nodes[0].layer->input().value_or(network.input());
  if (input != network.input()) return false;
  const Sequential chain(parts, input.size);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (chain.nodes()[i].name != nodes[i].name) return false;
  }
  return chain.head().name == head.name;
}

Json input_to_json(const Network::Input& input) {
  Json object{{"name", input.name}};
  switch (input.signal.kind) {
    case Signal::Kind::kSymbols:
      object["symbols"] = input.signal.size;
      break;
    case Signal::Kind::kVectors:
      object["vectors"] = input.signal.size;
      break;
    case Signal::Kind::kRows:
      object["rows"] = true;
      break;
  }
  if (!input.aligned) object["aligned"] = false;
  return object;
}

Json graph_to_json(const Network& network) {
  Json object;
  object["inputs"] = Json::array();
  for (const Network::Input& input : network.inputs()) {
    object["inputs"].push_back(input_to_json(input));
  }
  object["layers"] = Json::array();
  for (const Network::Node& node : network.nodes()) {
    Json layer{{"name", node.name}};
    Json from = Json::array();
    for (const Network::Source& source : node.from) from.push_back(network.name_of(source));
    layer["from"] = from;
    if (!node.shares.empty()) layer["shares"] = node.shares;
    describe(node, layer);
    object["layers"].push_back(layer);
  }
  object["outputs"] = Json::array();
  for (const Network::Head& head : network.outputs()) {
    Json output{{"name", head.name}, {"from", network.name_of(head.from)}};
    if (head.head) {
      output["weight"] = head.weight;
      describe(head, output);
    }
    object["outputs"].push_back(output);
  }
  return object;
}

/// Reads a network member by member.
class NetworkReader {
 public:
  NetworkReader(const Json& object, const std::string& place) : object_(object), place_(place) {}

  Network read() {
    const Json layers = list("layers");
    read_inputs(layers);
    for (std::size_t i = 0; i < layers.size(); ++i) read_layer(layers[i], at("layers", i));
    if (object_.contains("outputs")) {
      if (object_.contains("head")) {
        throw FormatError(place_ + ": 'head' and 'outputs' exclude each other");
      }
      const Json outputs = list("outputs");
      for (std::size_t i = 0; i < outputs.size(); ++i) read_output(outputs[i], at("outputs", i));
    } else if (object_.contains("head")) {
      read_output(object_["head"], place_ + ": head");
    } else {
      graph_.output(last_);
    }
    Network network = graph_.build();
    require_bounded_state(network);
    return network;
  }

 private:
  std::string at(const char* list, std::size_t i) const {
    return place_ + ": " + list + "[" + std::to_string(i) + "]";
  }

  Json list(const char* name) const {
    Json value = member<Json>(object_, name, place_);
    if (!value.is_array()) throw FormatError(place_ + ": '" + name + "' must be a list");
    if (value.size() > kMostParts) {
      throw FormatError(place_ + ": '" + name + "' must be at most " + std::to_string(kMostParts) +
                        ", got " + std::to_string(value.size()));
    }
    return value;
  }

  static std::string text(const Json& object, const char* name, const std::string& where) {
    return object.contains(name) ? member<std::string>(object, name, where) : std::string();
  }

  static void require_object(const Json& object, const std::string& where) {
    if (!object.is_object()) throw FormatError(where + ": expected an object");
  }

  /// Runs `work`; an error that the graph has with it is told where in the file it is.
  template <class Work>
  static auto at_place(const std::string& where, Work work) {
    try {
      return work();
    } catch (const ConfigError& error) {
      throw ConfigError(where + ": " + error.what());
    }
  }

  void read_inputs(const Json& layers) {
    if (object_.contains("inputs")) {
      if (object_.contains("input_features")) {
        throw FormatError(place_ + ": 'inputs' and 'input_features' exclude each other");
      }
      const Json inputs = list("inputs");
      for (std::size_t i = 0; i < inputs.size(); ++i) read_input(inputs[i], at("inputs", i));
      if (inputs.empty()) throw ConfigError(place_ + ": 'inputs' must have at least one input");
      return;
    }
    if (layers.empty()) throw ConfigError(place_ + ": expected at least one layer");
    const Index width = object_.contains("input_features")
                            ? member<Index>(object_, "input_features", place_)
                            : Index{0};
    Signal signal = Signal::vectors(width);
    if (layers[0].is_object() && layers[0].contains("type")) {
      const std::string where = at("layers", 0);
      JsonReader reader(layers[0], where);
      const auto type = member<std::string>(layers[0], "type", where);
      if (!knows_joint_layer(type)) {
        signal =
            at_place(where, [&] { return make_layer(type, reader); })->input().value_or(signal);
      }
    }
    if (signal.size <= 0) {
      throw ConfigError(place_ +
                        ": the first layer takes vectors of any width, so input_features must say "
                        "how wide they are");
    }
    keep("input", graph_.input("input", signal));
  }

  void read_input(const Json& object, const std::string& where) {
    require_object(object, where);
    std::optional<Signal> signal;
    InputOptions options;
    for (const auto& item : object.items()) {
      const std::string& key = item.key();
      if (key == "symbols") {
        signal = Signal::symbols(member<Index>(object, "symbols", where));
      } else if (key == "vectors") {
        signal = Signal::vectors(member<Index>(object, "vectors", where));
      } else if (key == "rows" && member<bool>(object, "rows", where)) {
        signal = Signal::rows();
      } else if (key == "aligned") {
        options.aligned = member<bool>(object, "aligned", where);
      } else if (key != "name" && key != "rows") {
        throw FormatError(where + ": unknown member '" + key + "'");
      }
    }
    if (!signal) {
      throw FormatError(where + ": expected symbols or vectors with their number, or rows: true");
    }
    const auto name = member<std::string>(object, "name", where);
    keep(name, at_place(where, [&] { return graph_.input(name, *signal, options); }));
  }

  void read_layer(const Json& object, const std::string& where) {
    require_object(object, where);
    const auto type = member<std::string>(object, "type", where);
    NodeOptions options{.name = text(object, "name", where),
                        .shares = text(object, "shares", where)};
    const std::vector<Graph::Value> from = sources(object, where);
    at_place(where, [&] {
      JsonReader reader(object, where);
      const auto joint = knows_joint_layer(type) ? make_joint_layer(type, reader) : nullptr;
      const auto layer = joint ? nullptr : make_layer(type, reader);
      reader.finish({"type", "name", "from", "shares"});
      if (layer && from.size() != 1) {
        throw ConfigError(type + " takes one input, got " + std::to_string(from.size()));
      }
      last_ = joint ? graph_.add(joint, from, options) : graph_.add(layer, from.front(), options);
    });
    keep(graph_.name(last_), last_);
  }

  void read_output(const Json& object, const std::string& where) {
    require_object(object, where);
    OutputOptions options{.name = text(object, "name", where)};
    if (object.contains("weight")) options.weight = member<float>(object, "weight", where);
    const std::vector<Graph::Value> from = sources(object, where);
    if (from.size() != 1) throw FormatError(where + ": an output comes from one layer");
    at_place(where, [&] {
      JsonReader reader(object, where);
      const bool has_head = object.contains("type") || !object_.contains("outputs");
      if (!has_head) {
        reader.finish({"name", "from"});
        graph_.output(from.front(), options);
        return;
      }
      const auto head = make_output_head(member<std::string>(object, "type", where), reader);
      reader.finish({"type", "name", "from", "weight"});
      graph_.output(head, from.front(), options);
    });
  }

  /// What `from` names; without it the layer before, or the first input.
  std::vector<Graph::Value> sources(const Json& object, const std::string& where) const {
    if (!object.contains("from")) return {last_};
    const Json& from = object["from"];
    std::vector<std::string> names;
    if (from.is_string()) {
      names.push_back(from.get<std::string>());
    } else {
      names = member<std::vector<std::string>>(object, "from", where);
    }
    std::vector<Graph::Value> values;
    for (const std::string& name : names) {
      const auto found = values_.find(name);
      if (found == values_.end()) {
        std::string known;
        for (const auto& [other, value] : values_) known += " " + other;
        throw ConfigError(where + ": from: there is no input or layer '" + name +
                          "' before it; there are:" + known);
      }
      values.push_back(found->second);
    }
    return values;
  }

  void keep(const std::string& name, Graph::Value value) {
    if (values_.empty()) last_ = value;
    values_[name] = value;
  }

  const Json& object_;
  const std::string& place_;
  Graph graph_;
  std::map<std::string, Graph::Value> values_;
  Graph::Value last_;
};

}  // namespace

std::string network_to_json(const Network& network) {
  require_readable(network);
  if (!is_chain(network)) return graph_to_json(network).dump(2);
  Json object;
  if (network.input().kind == Signal::Kind::kVectors) {
    object["input_features"] = network.input().size;
  }
  object["layers"] = Json::array();
  for (const Network::Node& node : network.nodes()) {
    describe(node, object["layers"].emplace_back());
  }
  if (network.head().head) describe(network.head(), object["head"]);
  return object.dump(2);
}

Network network_from_json(std::string_view json, std::string_view where) {
  const std::string place(where);
  const Json object = parse_json(json, where);
  if (!object.is_object()) throw FormatError(place + ": expected an object");
  static const std::set<std::string> known{"inputs", "input_features", "layers", "outputs", "head"};
  for (const auto& item : object.items()) {
    if (known.count(item.key()) == 0) {
      throw FormatError(place + ": unknown member '" + item.key() + "'");
    }
  }
  try {
    return NetworkReader(object, place).read();
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    throw ConfigError(message.starts_with(place) ? message : place + ": " + message);
  }
}

}  // namespace rnn
