#include <iostream>
#include <vector>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/number.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "tasks/model_directory.h"

namespace rnn {
namespace {

std::string text_of(const Json& value) {
  if (value.is_string()) {
    const std::string ascii = value.dump(-1, ' ', true);
    // A stranger's file does not steer the terminal: control characters are \\u in JSON.
    return ascii.find("\\u00") == std::string::npos ? value.get<std::string>() : ascii;
  }
  if (value.is_number_float()) return to_significant(value.get<double>(), 6);
  return value.dump();
}

Json extents(const Shape& shape) {
  Json list = Json::array();
  for (int axis = 0; axis < shape.rank(); ++axis) list.push_back(shape[axis]);
  return list;
}

/// An option without a value: nothing to tell.
bool is_empty_text(const Json& value) {
  return value.is_string() && value.get_ref<const std::string&>().empty();
}

/// Layers, heads or outputs of a network, each an object with a type or none.
std::vector<Json> parts_of(const Json& network, const std::string& where) {
  std::vector<Json> parts;
  const auto add = [&](const Json& part, const std::string& place) {
    if (!part.is_object()) throw FormatError(place + ": expected an object");
    if (part.contains("type")) member<std::string>(part, "type", place);
    parts.push_back(part);
  };
  const auto add_all = [&](const char* name) {
    const Json list = member<Json>(network, name, where);
    if (!list.is_array()) throw FormatError(where + ": '" + name + "' must be a list");
    for (std::size_t i = 0; i < list.size(); ++i) {
      add(list[i], where + ": " + name + "[" + std::to_string(i) + "]");
    }
  };
  if (!network.is_object()) throw FormatError(where + ": expected an object");
  add_all("layers");
  if (network.contains("head")) add(network["head"], where + ": head");
  if (network.contains("outputs")) add_all("outputs");
  return parts;
}

void print_object(const Json& object, const std::string& indent) {
  for (const auto& item : object.items()) {
    if (item.value().is_object()) {
      std::cout << indent << text_of(item.key()) << "\n";
      print_object(item.value(), indent + "  ");
    } else if (!is_empty_text(item.value())) {
      std::cout << indent << text_of(item.key()) << " " << text_of(item.value()) << "\n";
    }
  }
}

}  // namespace

void inspect(const Arguments& arguments) {
  namespace po = boost::program_options;
  CommandLine line("inspect DIR [--seal] [--json]",
                   "What a model directory contains: layers, parameters, tokenizer, recipe and\n"
                   "training so far. Damaged or altered files are reported.");
  line.add("Files")("model", po::value<std::string>()->value_name("DIR"), "model directory");
  line.positional("model", 1);
  line.add("Run")("seal", po::bool_switch(),
                  "accept the files as they are now: write SHA256SUMS anew")(
      "json", po::bool_switch(), "print one JSON object");
  if (!line.parse(arguments)) return;
  line.require("model");

  const ModelDirectory directory(line.get<std::string>("model"));
  if (line.get<bool>("seal")) {
    directory.seal();
    std::cerr << "sealed " << directory.file("SHA256SUMS") << "\n";
  }
  auto [config, tensors] = read_whole_model(directory.path(), [](const ModelDirectory& whole) {
    return std::pair(whole.read_config(""),
                     load_safetensors(whole.file("model.safetensors")).tensors);
  });
  const std::string where = directory.file("config.json");
  Json shapes = Json::object();
  // Names are there once: no need to look for each among those before it.
  auto& list = shapes.get_ref<Json::object_t&>();
  for (const NamedTensor& entry : tensors) {
    list.emplace_back(entry.name, extents(entry.tensor.shape()));
  }

  if (line.get<bool>("json")) {
    config["tensors"] = shapes;
    config["parameters"] = tensors.elements();
    std::cout << config.dump() << "\n";
    return;
  }
  const std::string version =
      config.contains("rnn_version") ? member<std::string>(config, "rnn_version", where) : "?";
  const std::vector<Json> parts =
      parts_of(member<Json>(config, "network", where), where + ": network");
  std::cout << "task " << text_of(member<std::string>(config, "task", where)) << ", written by rnn "
            << text_of(version) << "\n\nlayers\n";
  for (const Json& layer : parts) {
    std::string text = "  " + text_of(layer.value("type", "features"));
    for (const auto& item : layer.items()) {
      if (item.key() != "type" && !is_empty_text(item.value())) {
        text += "  " + text_of(item.key()) + "=" + text_of(item.value());
      }
    }
    std::cout << text << "\n";
  }
  std::cout << "\nparameters " << tensors.elements()
            << (holds_int8(config) ? ", matrices in int8" : "") << "\n";
  for (const NamedTensor& entry : tensors) {
    std::cout << "  " << entry.name << " " << entry.tensor.shape().to_string() << "\n";
  }
  for (const char* part : {"tokenizer", "normalizer", "recipe", "training"}) {
    if (!config.contains(part)) continue;
    std::cout << "\n" << part << "\n";
    print_object(config[part], "  ");
  }
}

}  // namespace rnn
