#include <algorithm>

#include "base/number.h"
#include "training/model_impl.h"

namespace rnn {
namespace {

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string grouped(Index number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string megabytes(std::size_t bytes) { return to_fixed(static_cast<double>(bytes) / 1e6, 1); }

}  // namespace

std::string MemoryPlan::to_string() const {
  return megabytes(total()) + " MB: parameters " + megabytes(parameters) + ", gradients " +
         megabytes(gradients) + ", optimizer " + megabytes(optimizer) +
         (averages > 0 ? ", averages " + megabytes(averages) : "") + ", activations " +
         megabytes(activations);
}

std::string Model::summary() const {
  const Network& network = impl_->network;
  const auto& specs = network.parameter_specs();
  std::size_t name_width = 16, type_width = 12;
  const auto make_room = [&](std::string_view name, std::string_view type) {
    name_width = std::max(name_width, name.size() + 2);
    type_width = std::max(type_width, type.size() + 2);
  };
  for (const Network::Node& node : network.nodes()) make_room(node.name, node.type());
  for (const Network::Head& head : network.outputs()) {
    if (head.head) make_room(head.name, head.head->type());
  }
  std::vector<bool> counted(specs.size(), false);
  Index total = 0;
  const auto line = [&](const std::string& name, std::string_view type, const std::string& output,
                        const std::vector<std::size_t>& parameters, const KernelPath& path) {
    Index own = 0;
    std::string shared;
    for (std::size_t p : parameters) {
      if (counted[p]) shared += (shared.empty() ? "  shares " : ", ") + specs[p].name;
      if (!counted[p]) own += specs[p].shape.size();
      counted[p] = true;
    }
    total += own;
    std::string text = padded(name, name_width) + padded(std::string(type), type_width) +
                       padded(output, 20) + padded(grouped(own), 14) + path.path;
    if (!path.reason.empty()) text += " (" + path.reason + ")";
    text += shared;
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };

  std::string text = padded("layer", name_width) + padded("type", type_width) +
                     padded("output", 20) + padded("parameters", 14) + "kernels\n";
  for (const Network::Node& node : network.nodes()) {
    const KernelPath path =
        impl_->backend && node.layer ? node.layer->path(*impl_->backend, node.input) : KernelPath{};
    text += line(node.name, node.type(), node.output.to_string(), node.parameters, path);
  }
  for (const Network::Head& head : network.outputs()) {
    if (!head.head) continue;
    text += line(head.name, head.head->type(), std::to_string(head.classes) + " classes",
                 head.parameters, {});
  }
  text += grouped(total) + " parameters";
  if (impl_->backend) {
    text += ", backend " + std::string(impl_->backend->name()) + ", " +
            std::string(name_of(impl_->backend->precision())) + ", " +
            std::to_string(impl_->backend->threads()) + " thread" +
            (impl_->backend->threads() == 1 ? "" : "s");
  }
  text += "\n";
  if (impl_->plan) text += "training takes " + impl_->plan->to_string() + "\n";
  return text;
}

}  // namespace rnn
