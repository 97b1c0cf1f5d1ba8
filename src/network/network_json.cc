#include "base/json.h"
#include "rnn/model_file.h"

namespace rnn {
namespace {

template <class Component>
Json to_json(const Component& component) {
  Json object;
  object["type"] = component.type();
  JsonWriter writer(object);
  component.describe(writer);
  return object;
}

/// `make` is make_layer or make_output_head.
template <class Make>
auto from_json(const Json& object, const std::string& where, Make make) {
  if (!object.is_object()) throw FormatError(where + ": expected an object");
  const auto type = member<std::string>(object, "type", where);
  JsonReader reader(object, where);
  try {
    auto made = make(type, reader);
    reader.finish({"type"});
    return made;
  } catch (const ConfigError& error) {
    throw ConfigError(where + ": " + error.what());
  }
}

}  // namespace

std::string network_to_json(const Sequential& network) {
  Json object;
  if (network.input().kind == Signal::Kind::kVectors) {
    object["input_features"] = network.input().size;
  }
  object["layers"] = Json::array();
  for (const Sequential::Node& node : network.nodes()) {
    object["layers"].push_back(to_json(*node.layer));
  }
  if (network.head().head) object["head"] = to_json(*network.head().head);
  return object.dump(2);
}

Sequential network_from_json(std::string_view json, std::string_view where) {
  const std::string place(where);
  const Json object = parse_json(json, where);
  if (!object.is_object()) throw FormatError(place + ": expected an object");
  for (const auto& item : object.items()) {
    if (item.key() != "input_features" && item.key() != "layers" && item.key() != "head") {
      throw FormatError(place + ": unknown member '" + item.key() + "'");
    }
  }
  std::vector<Part> parts;
  const Json layers = member<Json>(object, "layers", where);
  if (!layers.is_array()) throw FormatError(place + ": 'layers' must be a list");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    parts.emplace_back(from_json(layers[i], place + ": layers[" + std::to_string(i) + "]",
                                 [](auto type, Fields& f) { return make_layer(type, f); }));
  }
  if (object.contains("head")) {
    parts.emplace_back(from_json(object["head"], place + ": head",
                                 [](auto type, Fields& f) { return make_output_head(type, f); }));
  }
  const Index width =
      object.contains("input_features") ? member<Index>(object, "input_features", where) : Index{0};
  try {
    return Sequential(parts, width);
  } catch (const ConfigError& error) {
    throw ConfigError(place + ": " + error.what());
  }
}

}  // namespace rnn
