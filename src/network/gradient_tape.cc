#include "rnn/gradient_tape.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "network/batch_inputs.h"
#include "network/tape.h"

namespace rnn {

struct GradientTape::Impl {
  const Network& network;
  const Parameters& parameters;
  std::shared_ptr<const Backend> backend;
  Random seed;
  bool training = true;
  TensorList gradients{};
  State no_state{};
  std::vector<View<const float>> parameter_views{}, state_views{};
  std::vector<View<float>> new_state_views{}, gradient_views{};
  std::vector<Sequence> inputs{};
  Random step{};
  State before{};
  /// One for each loss or prediction of a step, by output; a deque does not move what it holds.
  std::vector<std::deque<OutputPass>> heads{};
  std::vector<std::size_t> used_heads{};
  Tensor dy{};

  OutputPass& head(std::size_t output) {
    if (used_heads[output] == heads[output].size()) {
      heads[output].emplace_back(network.outputs()[output], backend->memory());
    }
    return heads[output][used_heads[output]++];
  }

  void begin(Tape& tape, std::int64_t number, State* state) {
    step = seed.fold(static_cast<std::uint64_t>(number));
    parameter_views.clear();
    for (const NamedTensor& parameter : parameters) parameter_views.push_back(parameter.tensor);
    state_views.clear();
    new_state_views.clear();
    if (state) {
      require_state(network, *state, state->size() > 0 ? (*state)[0].extent(0) : 0);
      before = *state;
      for (const NamedTensor& part : before) state_views.push_back(part.tensor);
      for (NamedTensor& part : *state) new_state_views.push_back(part.tensor);
    }
    std::fill(used_heads.begin(), used_heads.end(), 0);
    tape.begin({.backend = backend.get(),
                .training = training,
                .random = step,
                .weights_version = parameters.version(),
                .parameters = parameter_views,
                .state = state_views,
                .new_state = new_state_views});
  }

  std::size_t output(std::string_view name) const {
    const std::size_t number = network.output(name);
    if (!network.outputs()[number].head) {
      throw ConfigError("tape: output '" + std::string(name) + "' has no head");
    }
    return number;
  }

  void require_features(std::size_t number, const Sequence& features) const {
    const Network::Head& output = network.outputs()[number];
    in_layer(output.name, output.head->type(), [&] { require_signal(output.features, features); });
  }

  void go_back(Tape& tape, TapeValue y, View<const float> gradient, float loss_scale) {
    gradient_views.clear();
    for (NamedTensor& entry : gradients) gradient_views.push_back(entry.tensor);
    tape.backward(y, gradient,
                  {.parameters = gradient_views, .heads = &gradients, .loss_scale = loss_scale});
  }
};

GradientTape::GradientTape(const Network& network, const Parameters& parameters,
                           std::shared_ptr<const Backend> backend, const SessionOptions& options)
    : impl_(new Impl{network, parameters, std::move(backend), Random(options.seed)}) {
  require_parameters(network, parameters);
  for (const ParameterSpec& spec : network.parameter_specs()) {
    const Shape shape = spec.trainable ? spec.shape : Shape{0};
    impl_->gradients.add(spec.name, Tensor(shape, impl_->backend->memory()));
  }
  std::vector<TapeModule> modules;
  for (std::size_t i = 0; i < network.nodes().size(); ++i) {
    const Network::Node& node = network.nodes()[i];
    std::vector<Index> widths;
    for (std::size_t s = node.first_state; s < node.first_state + node.states; ++s) {
      widths.push_back(network.state_specs()[s].width);
    }
    std::vector<Signal> inputs;
    for (const Network::Source& source : node.from) {
      inputs.push_back(source.is_input ? network.inputs()[source.number].signal
                                       : network.nodes()[source.number].output);
    }
    modules.push_back({.name = node.name,
                       .layer = node.layer.get(),
                       .joint = node.joint.get(),
                       .inputs = std::move(inputs),
                       .parameters = node.parameters,
                       .first_state = node.first_state,
                       .state_widths = std::move(widths),
                       .key = i});
  }
  impl_->heads.resize(network.outputs().size());
  impl_->used_heads.resize(network.outputs().size());
  impl_->dy = Tensor(impl_->backend->memory());
  tape_ = std::make_unique<Tape>(impl_->backend->memory());
  tape_->set_modules(std::move(modules));
}
GradientTape::~GradientTape() = default;
GradientTape::GradientTape(GradientTape&&) noexcept = default;

void GradientTape::begin_step(std::int64_t step) { impl_->begin(*tape_, step, nullptr); }

void GradientTape::begin_step(std::int64_t step, State& state) {
  impl_->begin(*tape_, step, &state);
}

void GradientTape::set_training(bool training) { impl_->training = training; }

TapeValue GradientTape::input(const Batch& batch) {
  take_inputs(impl_->network, batch, impl_->inputs);
  return input(impl_->inputs.front());
}

TapeValue GradientTape::input(const Batch& batch, std::string_view name) {
  take_inputs(impl_->network, batch, impl_->inputs);
  const auto& inputs = impl_->network.inputs();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].name == name) return input(impl_->inputs[i]);
  }
  std::string known;
  for (const Network::Input& other : inputs) known += " " + other.name;
  throw ConfigError("tape: there is no input '" + std::string(name) + "'; there are:" + known);
}

TapeValue GradientTape::parameter(std::string_view name) {
  const Tensor& tensor = impl_->parameters.at(name);
  const Shape& shape = tensor.shape();
  if (shape.rank() > 2) {
    throw ConfigError("tape: parameter '" + std::string(name) + "' is no matrix or vector but " +
                      shape.to_string());
  }
  const auto back = [](Tape& tape, Tape::Record& record) {
    const View<float> sum = tape.gradients().parameters[record.parameter];
    const View<const float> arrived = tape.at(record.output).gradient;
    if (!sum) return;
    tape.step().backend->merge_forward({.merge = Merge::kSum,
                                        .a = sum.reshaped(arrived.shape()),
                                        .b = arrived,
                                        .y = sum.reshaped(arrived.shape())});
  };
  Tape::Record& record = tape_->record(back, {});
  record.parameter = impl_->parameters.find(name);
  const Shape as_value = shape.rank() == 2 ? Shape{1, shape[0], shape[1]} : Shape{1, 1, shape[0]};
  return tape_->emit(record, {.values = tensor.view().reshaped(as_value)}, true);
}

TapeValue GradientTape::call(std::string_view layer, TapeValue x) { return call(layer, {&x, 1}); }

TapeValue GradientTape::call(std::string_view layer, std::span<const TapeValue> inputs) {
  return tape_->call(tape_->module(layer), inputs);
}

TapeValue GradientTape::loss(std::string_view head, TapeValue features,
                             std::span<const std::int32_t> targets,
                             std::span<const float> weights) {
  const std::size_t number = impl_->output(head);
  const auto back = [](Tape& tape, Tape::Record& record) {
    tape.add_gradient(record.inputs[0], record.head->backward(tape.at(record.output).gradient[0],
                                                              *tape.gradients().heads));
  };
  impl_->require_features(number, tape_->value(features).sequence);
  Tape::Record& record = tape_->record(back, {&features, 1});
  record.head = &impl_->head(number);
  const Random random = impl_->step.fold(impl_->network.nodes().size() + number);
  record.head->begin(record.sequences[0], targets, weights, impl_->parameters, *impl_->backend,
                     impl_->training, random);
  record.loss = record.head->loss();
  const View<float> y = record.memory.floats(0, {1, 1, 1});
  y[0] = static_cast<float>(record.loss.nats);
  return tape_->emit(record, {.values = y}, true);
}

LossSum GradientTape::loss_sum(TapeValue loss) const { return tape_->record_of(loss).loss; }

View<const float> GradientTape::predict(std::string_view head, TapeValue features) {
  const std::size_t number = impl_->output(head);
  impl_->require_features(number, tape_->value(features).sequence);
  OutputPass& pass = impl_->head(number);
  pass.begin(tape_->value(features).sequence, {}, {}, impl_->parameters, *impl_->backend,
             impl_->training, Random());
  return pass.predict();
}

void GradientTape::backward(TapeValue y, float factor) {
  const Shape& shape = tape_->value(y).sequence.values.shape();
  impl_->dy.resize(shape);
  impl_->dy.fill(factor);
  impl_->go_back(*tape_, y, impl_->dy, factor);
}

void GradientTape::backward(TapeValue y, View<const float> dy) { impl_->go_back(*tape_, y, dy, 1); }

View<const float> GradientTape::gradient(TapeValue value) { return tape_->gradient(value); }

TensorList& GradientTape::gradients() { return impl_->gradients; }

void GradientTape::zero_gradients() { impl_->gradients.fill(0); }

}  // namespace rnn
