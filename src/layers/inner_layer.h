// What layers that hold other layers share: showing them as fields, and handing a call on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rnn/any_layer.h"

namespace rnn {

/// Shows a layer inside another as a group: its `type` and then its options. A null layer is read,
/// or left null when the group is missing; any other is written.
void exchange_layer(Fields& fields, std::string_view name, AnyLayer& layer);

/// The same layer with go_backwards the other way round. Throws ConfigError when it has no such
/// option.
AnyLayer reversed(const Layer& layer);

/// Throws ConfigError when the option is missing.
void require_layer(std::string_view type, std::string_view option, const AnyLayer& layer);

/// The part of a layer's parameters and state that belongs to one layer inside it; as it stands,
/// all of them.
struct InnerShare {
  std::size_t number = 0;  ///< of the inner layer: its memory and its random key
  std::size_t first_parameter = 0, parameters = std::dynamic_extent;
  std::size_t first_state = 0, states = std::dynamic_extent;
};

/// `call` as the inner layer sees it. Nothing is allocated once the memory is there.
Call inner_call(const Call& call, const InnerShare& share = {});

/// Puts "prefix_" before names, except paths of parameters that are shared.
std::vector<ParameterSpec> prefixed(std::string_view prefix, std::vector<ParameterSpec> specs);
std::vector<StateSpec> prefixed(std::string_view prefix, std::vector<StateSpec> specs);

/// What one of several layers inside runs on, beside what the others do: each path and reason once.
void add_path(KernelPath& all, const KernelPath& more);

}  // namespace rnn
