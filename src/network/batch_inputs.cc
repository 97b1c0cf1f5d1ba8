#include "network/batch_inputs.h"

#include <algorithm>

#include "rnn/error.h"

namespace rnn {
namespace {

/// How messages call an input; made when it is needed, since a step must not allocate.
std::string place(const Network::Input* other) {
  return other ? "batch, input '" + other->name + "'" : "batch";
}

[[noreturn]] void wrong(const Network::Input* where, const std::string& what, Index expected,
                        Index got) {
  throw ShapeError(place(where) + ": expected " + std::to_string(expected) + " " + what + ", got " +
                   std::to_string(got));
}

/// What Batch and BatchInput have in common.
struct Given {
  Index time, batch;
  const std::vector<std::int32_t>& ids;
  const Tensor& values;
  const std::vector<std::int32_t>& lengths;
  const std::vector<std::uint32_t>& examples;
};

void check_sequences(const Given& given, const Network::Input* where) {
  if (given.time < 0 || given.batch < 0) {
    throw ShapeError(place(where) + ": time and batch must be at least 0, got " +
                     Shape{given.time, given.batch}.to_string());
  }
  const auto count = [](const auto& list) { return static_cast<Index>(list.size()); };
  if (!given.lengths.empty() && count(given.lengths) != given.batch) {
    wrong(where, "lengths", given.batch, count(given.lengths));
  }
  for (std::int32_t length : given.lengths) {
    if (length < 0 || length > given.time) {
      throw ShapeError(place(where) + ": a length must be between 0 and " +
                       std::to_string(given.time) + ", got " + std::to_string(length));
    }
  }
  if (!given.examples.empty() && count(given.examples) != given.batch) {
    wrong(where, "examples", given.batch, count(given.examples));
  }
}

/// What the network reads there, with the lengths and examples of `sequences`.
Sequence take(const Signal& signal, const Given& given, const Given& sequences,
              const Network::Input* where) {
  const Index time = sequences.time, batch = sequences.batch;
  Sequence result{.lengths = sequences.lengths, .examples = sequences.examples};
  if (signal.kind == Signal::Kind::kVectors) {
    const Shape expected{time, batch, signal.size};
    if (given.values.shape() != expected) {
      throw ShapeError(place(where) + ": expected values of shape " + expected.to_string() +
                       ", got " + given.values.shape().to_string());
    }
    result.values = given.values;
    return result;
  }
  const auto got = static_cast<Index>(given.ids.size());
  if (got != time * batch) wrong(where, "ids (time * batch)", time * batch, got);
  result.ids = View<const std::int32_t>(given.ids.data(), {time, batch});
  return result;
}

bool is_given(const BatchInput& input) { return !input.ids.empty() || !input.values.empty(); }

template <class List>
std::string names_after_first(const List& list) {
  std::string names;
  for (std::size_t i = 1; i < list.size(); ++i) names += " " + list[i].name;
  return names.empty() ? " none" : names;
}

void refuse_unknown(const Network& network, const Batch& batch) {
  for (const BatchInput& given : batch.other_inputs) {
    const auto& inputs = network.inputs();
    const auto has_name = [&](const Network::Input& input) { return input.name == given.name; };
    if (is_given(given) && std::none_of(inputs.begin() + 1, inputs.end(), has_name)) {
      throw ShapeError("batch: the network has no other input '" + given.name +
                       "'; there are:" + names_after_first(inputs));
    }
  }
  for (const BatchTargets& given : batch.other_targets) {
    const auto& outputs = network.outputs();
    const auto has_name = [&](const Network::Head& output) { return output.name == given.name; };
    if (!given.targets.empty() && std::none_of(outputs.begin() + 1, outputs.end(), has_name)) {
      throw ShapeError("batch: the network has no other output '" + given.name +
                       "' for targets; there are:" + names_after_first(outputs));
    }
  }
}

}  // namespace

void take_inputs(const Network& network, const Batch& batch, std::vector<Sequence>& inputs) {
  static const BatchInput none;
  const Given own{batch.time, batch.batch, batch.ids, batch.values, batch.lengths, batch.examples};
  check_sequences(own, nullptr);
  refuse_unknown(network, batch);
  inputs.clear();
  inputs.push_back(take(network.input(), own, own, nullptr));
  for (std::size_t i = 1; i < network.inputs().size(); ++i) {
    const Network::Input& input = network.inputs()[i];
    const auto found =
        std::find_if(batch.other_inputs.begin(), batch.other_inputs.end(),
                     [&](const BatchInput& other) { return other.name == input.name; });
    const BatchInput& other = found == batch.other_inputs.end() ? none : *found;
    const Given given{other.time,   other.batch,   other.ids,
                      other.values, other.lengths, other.examples};
    if (!input.aligned) check_sequences(given, &input);
    inputs.push_back(take(input.signal, given, input.aligned ? own : given, &input));
  }
}

std::span<const std::int32_t> targets_for(const Network& network, const Batch& batch,
                                          std::size_t output) {
  if (output == 0) return batch.targets;
  for (const BatchTargets& other : batch.other_targets) {
    if (other.name == network.outputs()[output].name) return other.targets;
  }
  return {};
}

std::span<const float> weights_for(const Network& network, const Batch& batch, std::size_t output) {
  if (output == 0) return batch.weights;
  for (const BatchTargets& other : batch.other_targets) {
    if (other.name == network.outputs()[output].name) return other.weights;
  }
  return {};
}

void require_parameters(const Network& network, const Parameters& parameters) {
  const auto& specs = network.parameter_specs();
  if (parameters.size() != specs.size()) {
    throw ShapeError("parameters: the network has " + std::to_string(specs.size()) +
                     " tensors, got " + std::to_string(parameters.size()));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (parameters[i].shape() != specs[i].shape) {
      throw ShapeError("parameter '" + specs[i].name + "': expected " + specs[i].shape.to_string() +
                       ", got " + parameters[i].shape().to_string());
    }
  }
}

void require_state(const Network& network, const State& state, Index batch) {
  const auto& parts = network.state_specs();
  if (state.size() != parts.size()) {
    throw ShapeError("state: expected the " + std::to_string(parts.size()) +
                     " parts of the network's zero_state, got " + std::to_string(state.size()));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Shape expected{batch, parts[i].width};
    if (state[i].shape() != expected) {
      throw ShapeError("state '" + parts[i].name + "': expected " + expected.to_string() +
                       ", got " + state[i].shape().to_string());
    }
  }
}

Batch blank_batch(const Network& network, Index time, Index batch) {
  Batch blank{.time = time, .batch = batch};
  const auto fill = [&](const Signal& signal, std::vector<std::int32_t>& ids, Tensor& values) {
    if (signal.kind == Signal::Kind::kVectors) {
      values = Tensor({time, batch, signal.size});
    } else {
      ids.assign(static_cast<std::size_t>(time * batch), 0);
    }
  };
  fill(network.input(), blank.ids, blank.values);
  for (std::size_t i = 1; i < network.inputs().size(); ++i) {
    BatchInput& other = blank.input(network.inputs()[i].name);
    fill(network.inputs()[i].signal, other.ids, other.values);
    other.time = time;
    other.batch = batch;
  }
  return blank;
}

}  // namespace rnn
