#include "layers/inner_layer.h"

#include <map>
#include <variant>

#include "layers/registry.h"
#include "rnn/registry.h"

namespace rnn {
namespace {

/// Keeps what is written to it, and gives it back when read.
class FieldStore : public Fields {
 public:
  using Fields::operator();
  void operator()(std::string_view name, bool& value) override { pass(name, value); }
  void operator()(std::string_view name, std::int64_t& value) override { pass(name, value); }
  void operator()(std::string_view name, double& value) override { pass(name, value); }
  void operator()(std::string_view name, std::string& value) override { pass(name, value); }

  void read_from_now_on() { reading_ = true; }
  bool* find_bool(std::string_view name) {
    const auto found = values_.find(std::string(name));
    return found == values_.end() ? nullptr : std::get_if<bool>(&found->second);
  }

 private:
  template <class T>
  void pass(std::string_view name, T& value) {
    if (!reading_) {
      values_[std::string(name)] = value;
    } else if (const auto found = values_.find(std::string(name)); found != values_.end()) {
      value = std::get<T>(found->second);
    }
  }

  std::map<std::string, std::variant<bool, std::int64_t, double, std::string>> values_;
  bool reading_ = false;
};

template <class View>
std::span<View> part_of(std::span<View> views, std::size_t first, std::size_t count) {
  return views.empty() ? views : views.subspan(first, count);
}

template <class Spec>
std::vector<Spec> with_prefix(std::string_view prefix, std::vector<Spec> specs) {
  for (Spec& spec : specs) {
    if (spec.name.find('/') == std::string::npos) {
      spec.name = std::string(prefix) + "_" + spec.name;
    }
  }
  return specs;
}

/// Runs `work`; an error of a layer inside is told which option holds it.
template <class Work>
void in_option(std::string_view name, const Work& work) {
  try {
    work();
  } catch (const ConfigError& error) {
    throw ConfigError("its option " + std::string(name) + ": " + error.what());
  }
}

}  // namespace

void exchange_layer(Fields& fields, std::string_view name, AnyLayer& layer) {
  fields.group(name, [&](Fields& members) {
    std::string type(layer ? layer->type() : "");
    members("type", type);
    if (layer) {
      in_option(name, [&] {
        if (!knows_layer(type)) refuse_unknown(type, "register_layer");
        layer->describe(members);
      });
    } else if (!type.empty()) {
      layer = make_layer(type, members);
    }
  });
}

AnyLayer reversed(const Layer& layer) {
  if (!knows_layer(layer.type())) {
    throw ConfigError(std::string(layer.type()) +
                      " is not one of the library's types and not registered, so it cannot be made "
                      "again the other way round; give the layer that runs backwards as well");
  }
  FieldStore store;
  layer.describe(store);
  bool* go_backwards = store.find_bool("go_backwards");
  if (!go_backwards) {
    throw ConfigError(std::string(layer.type()) +
                      " has no option go_backwards, so it cannot be turned round; give the layer "
                      "that runs backwards as well");
  }
  *go_backwards = !*go_backwards;
  store.read_from_now_on();
  return make_layer(layer.type(), store);
}

void require_layer(std::string_view type, std::string_view option, const AnyLayer& layer) {
  if (layer) return;
  throw ConfigError(std::string(type) + ": option " + std::string(option) +
                    " must be a layer, got none");
}

Call inner_call(const Call& call, const InnerShare& share) {
  Call inner = call;
  inner.memory = &call.memory->child(share.number);
  inner.random = call.random.fold(share.number);
  inner.parameters = part_of(call.parameters, share.first_parameter, share.parameters);
  inner.gradients = part_of(call.gradients, share.first_parameter, share.parameters);
  inner.state = part_of(call.state, share.first_state, share.states);
  inner.new_state = part_of(call.new_state, share.first_state, share.states);
  inner.dnew_state = part_of(call.dnew_state, share.first_state, share.states);
  inner.dstate = part_of(call.dstate, share.first_state, share.states);
  return inner;
}

std::vector<ParameterSpec> prefixed(std::string_view prefix, std::vector<ParameterSpec> specs) {
  return with_prefix(prefix, std::move(specs));
}
std::vector<StateSpec> prefixed(std::string_view prefix, std::vector<StateSpec> specs) {
  return with_prefix(prefix, std::move(specs));
}

void add_path(KernelPath& all, const KernelPath& more) {
  const auto add = [](std::string& to, const std::string& text) {
    if (to.find(text) == std::string::npos) to += (to.empty() ? "" : ", ") + text;
  };
  add(all.path, more.path);
  add(all.reason, more.reason);
}

}  // namespace rnn
