#include "rnn/composite_layer.h"

#include "layers/inner_layer.h"
#include "network/tape.h"

namespace rnn {
namespace {

/// What a CompositeLayer keeps in the memory of a call.
struct Recording : CallMemory::Kept {
  explicit Recording(std::pmr::memory_resource* resource) : memory(resource) {}
  std::size_t size() const override { return tape ? tape->memory() : 0; }

  std::pmr::memory_resource* memory;
  std::unique_ptr<Tape> tape{};
  Signal input{};
  std::vector<CompositeLayer::Inner> inner{};  // whom the tape's modules point into
  TapeValue x{}, y{};
};

Signal signal_of(const Sequence& x, const Layer& layer) {
  if (!x.ids) return Signal::vectors(x.values.extent(2));
  return layer.input().value_or(Signal::symbols(0));
}

std::vector<TapeModule> modules_of(const std::vector<CompositeLayer::Inner>& inner) {
  std::vector<TapeModule> modules;
  std::size_t parameters = 0, states = 0;
  for (const CompositeLayer::Inner& one : inner) {
    TapeModule module{.name = one.name,
                      .layer = one.layer.pointer().get(),
                      .inputs = {one.input},
                      .first_state = states,
                      .key = modules.size()};
    for (const StateSpec& state : one.layer->states(one.input)) {
      module.state_widths.push_back(state.width);
    }
    for (std::size_t i = one.layer->parameters(one.input).size(); i > 0; --i) {
      module.parameters.push_back(parameters++);
    }
    states += module.states();
    modules.push_back(std::move(module));
  }
  return modules;
}

}  // namespace

TapeValue CompositeTape::call(std::string_view layer, TapeValue x) {
  return tape().call(tape().module(layer), {&x, 1});
}

bool CompositeTape::training() const { return tape().step().training; }

bool CompositeLayer::causal() const { return false; }

std::vector<ParameterSpec> CompositeLayer::parameters(const Signal& input) const {
  std::vector<ParameterSpec> all;
  for (const Inner& inner : layers(input)) {
    for (ParameterSpec& spec : prefixed(inner.name, inner.layer->parameters(inner.input))) {
      all.push_back(std::move(spec));
    }
  }
  return all;
}

std::vector<StateSpec> CompositeLayer::states(const Signal& input) const {
  std::vector<StateSpec> all;
  for (const Inner& inner : layers(input)) {
    for (StateSpec& spec : prefixed(inner.name, inner.layer->states(inner.input))) {
      all.push_back(std::move(spec));
    }
  }
  return all;
}

KernelPath CompositeLayer::path(const Backend& backend, const Signal& input) const {
  KernelPath all;
  for (const Inner& inner : layers(input)) add_path(all, inner.layer->path(backend, inner.input));
  return all;
}

Sequence CompositeLayer::forward(const Sequence& x, Call& call) const {
  auto& recording = call.memory->kept<Recording>();
  const Signal input = signal_of(x, *this);
  if (!recording.tape || recording.input != input) {
    recording.input = input;
    recording.inner = layers(input);
    recording.tape = std::make_unique<Tape>(recording.memory);
    recording.tape->set_modules(modules_of(recording.inner));
  }
  recording.tape->begin({.backend = call.backend,
                         .training = call.training,
                         .random = call.random,
                         .weights_version = call.weights_version,
                         .shared_scratch = call.shared_scratch,
                         .parameters = call.parameters,
                         .state = call.state,
                         .new_state = call.new_state});
  CompositeTape tape;
  tape.tape_.swap(recording.tape);
  const auto give_back = [&] { tape.tape_.swap(recording.tape); };
  try {
    recording.x = tape.input(x);
    recording.y = run(tape, recording.x);
  } catch (...) {
    give_back();
    throw;
  }
  give_back();
  recording.tape->finish_states();
  return recording.tape->value(recording.y).sequence;
}

View<const float> CompositeLayer::backward(const Sequence&, View<const float> dy,
                                           Call& call) const {
  auto& recording = call.memory->kept<Recording>();
  Tape& tape = *recording.tape;
  tape.backward(recording.y, dy,
                {.parameters = call.gradients,
                 .dnew_state = call.dnew_state,
                 .dstate = call.dstate,
                 .loss_scale = call.loss_scale});
  const bool has_gradient = tape.value(recording.x).needs_gradient;
  return call.wants_dx && has_gradient ? tape.gradient(recording.x) : View<const float>();
}

}  // namespace rnn
