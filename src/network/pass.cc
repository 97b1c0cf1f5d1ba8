#include "network/pass.h"

#include <algorithm>
#include <utility>

#include "network/batch_inputs.h"
#include "network/dry_backend.h"

namespace rnn {
namespace {

/// An observer that runs the pass it is called by would take memory away under its feet.
class Running {
 public:
  explicit Running(bool& flag) : flag_(flag) {
    if (flag) throw ConfigError("a pass through a network cannot be begun inside itself");
    flag = true;
  }
  ~Running() { flag_ = false; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  bool& flag_;
};

}  // namespace

Pass::Pass(const Network& network, std::shared_ptr<const Backend> backend)
    : network_(network), backend_(std::move(backend)) {
  std::pmr::memory_resource* memory = backend_->memory();
  scratch_ = CallMemory(memory);
  places_.resize(network.nodes().size());
  for (std::size_t i = 0; i < places_.size(); ++i) {
    places_[i].memory = CallMemory(memory);
    places_[i].sum = Tensor(memory);
    places_[i].inputs.resize(network.nodes()[i].from.size());
    places_[i].dinputs.resize(network.nodes()[i].from.size());
  }
  for (const Network::Head& output : network.outputs()) outputs_.emplace_back(output, memory);
  losses_.resize(outputs_.size());
}

const Sequence& Pass::value(const Network::Source& source) const {
  return source.is_input ? inputs_[source.number] : places_[source.number].result;
}

void Pass::forward(const Parameters& parameters, const Batch& batch, State& state, bool training,
                   const Random& random) {
  const Running running(running_);
  take_inputs(network_, batch, inputs_);
  require_state(network_, state, batch.batch);
  ready_for_backward_ = false;
  trains_ = trains_ || training;
  before_ = state;
  for (std::size_t i = 0; i < places_.size(); ++i)
    run(i, parameters, state, training, random.fold(i));
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    outputs_[i].begin(value(network_.outputs()[i].from), targets_for(network_, batch, i),
                      weights_for(network_, batch, i), parameters, *backend_, training,
                      random.fold(places_.size() + i), trains_ ? &scratch_ : nullptr);
  }
}

void Pass::run(std::size_t number, const Parameters& parameters, State& state, bool training,
               const Random& random) {
  const Network::Node& node = network_.nodes()[number];
  Place& place = places_[number];
  place.bind(node.parameters, parameters, *backend_, training, random,
             trains_ ? &scratch_ : nullptr);
  for (std::size_t i = 0; i < node.from.size(); ++i) place.inputs[i] = value(node.from[i]);
  place.state.clear();
  place.new_state.clear();
  for (std::size_t s = node.first_state; s < node.first_state + node.states; ++s) {
    place.state.push_back(before_[s]);
    place.new_state.push_back(state[s]);
  }
  place.call.state = place.state;
  place.call.new_state = place.new_state;
  place.result = in_layer(node.name, node.type(), [&] {
    return node.layer ? node.layer->forward(place.inputs[0], place.call)
                      : node.joint->forward(place.inputs, place.call);
  });
  require_result(node.name, node.type(), place.inputs.back(), place.result, node.output.size);
  if (observer_) {
    observer_({.name = node.name,
               .type = node.type(),
               .inputs = place.inputs,
               .values = place.result.values});
  }
}

LossSum Pass::loss() {
  const Running running(running_);
  LossSum total;
  bool has_head = false;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const Network::Head& output = network_.outputs()[i];
    if (!output.head) continue;
    has_head = true;
    losses_[i] = outputs_[i].loss();
    if (observer_) {
      observer_({.name = output.name,
                 .type = output.head->type(),
                 .inputs = {&outputs_[i].features(), 1},
                 .values = outputs_[i].nats()});
    }
    total.nats += static_cast<double>(output.weight) * losses_[i].nats;
    if (total.targets == 0) {
      total.targets = losses_[i].targets;
      total.excess = losses_[i].excess;
    }
    ready_for_backward_ = outputs_[i].call().training;
  }
  if (!has_head) throw ConfigError("loss: the network has no output head");
  return total;
}

void Pass::add_gradient(const Network::Source& source, View<const float> gradient) {
  if (source.is_input || !network_.nodes()[source.number].needs_gradient || !gradient) return;
  Place& place = places_[source.number];
  if (!place.dresult) {
    place.dresult = gradient;
    return;
  }
  const View<const float> before = place.dresult;
  if (before.data() != place.sum.data()) place.sum.resize(before.shape());
  backend_->merge_forward({.merge = Merge::kSum,
                           .a = before,
                           .b = gradient,
                           .lengths = place.result.lengths,
                           .y = place.sum});
  place.dresult = place.sum;
}

void Pass::run_back(std::size_t number, float scale, TensorList& gradients) {
  const Network::Node& node = network_.nodes()[number];
  Place& place = places_[number];
  if (!place.dresult) return;  // it leads to features alone
  place.bind_gradients(node.parameters, gradients);
  place.call.loss_scale = scale;
  place.call.wants_dx =
      std::any_of(node.from.begin(), node.from.end(), [&](const Network::Source& source) {
        return !source.is_input && network_.nodes()[source.number].needs_gradient;
      });
  if (node.layer) {
    place.dinputs[0] = node.layer->backward(place.inputs[0], place.dresult, place.call);
  } else {
    node.joint->backward(place.inputs, place.dresult, place.call, place.dinputs);
  }
  if (observer_) {
    observer_({.name = node.name,
               .type = node.type(),
               .backward = true,
               .inputs = place.inputs,
               .values = place.dresult,
               .input_gradients = place.dinputs,
               .parameter_gradients = place.call.gradients});
  }
  for (std::size_t i = 0; i < node.from.size(); ++i) {
    add_gradient(node.from[i], place.dinputs[i]);
  }
}

View<const float> Pass::run_back_from(std::size_t number, float scale, TensorList& gradients) {
  const Network::Head& output = network_.outputs()[number];
  const View<const float> dfeatures = outputs_[number].backward(scale, gradients);
  if (observer_) {
    observer_({.name = output.name,
               .type = output.head->type(),
               .backward = true,
               .inputs = {&outputs_[number].features(), 1},
               .input_gradients = {&dfeatures, 1},
               .parameter_gradients = outputs_[number].call().gradients});
  }
  return dfeatures;
}

void Pass::backward(float scale, TensorList& gradients) {
  const Running running(running_);
  if (!ready_for_backward_) {
    throw ConfigError("backward: each call needs a forward of its own before it");
  }
  ready_for_backward_ = false;  // what forward kept is consumed
  for (Place& place : places_) place.dresult = {};
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const Network::Head& output = network_.outputs()[i];
    if (!output.head) continue;
    add_gradient(output.from, run_back_from(i, scale * output.weight, gradients));
  }
  for (std::size_t i = places_.size(); i-- > 0;) run_back(i, scale, gradients);
}

void Pass::reserve(const Parameters& parameters, Batch batch) {
  const auto blank = [](std::vector<std::int32_t>& ids, std::int32_t value) {
    std::fill(ids.begin(), ids.end(), value);
  };
  blank(batch.ids, 0);
  for (BatchInput& other : batch.other_inputs) blank(other.ids, 0);
  batch.targets.clear();
  batch.other_targets.clear();
  batch.weights.clear();
  // Put back whatever happens, such as memory that is not there.
  struct Restored {
    Pass& pass;
    Observer observer;
    std::shared_ptr<const Backend> backend;
    ~Restored() {
      pass.backend_ = std::move(backend);
      pass.observer_ = std::move(observer);
      pass.ready_for_backward_ = false;
    }
  };
  const std::shared_ptr<const Backend> real = backend_;
  const Restored restored{*this, std::exchange(observer_, {}), real};  // nothing is computed
  backend_ = std::make_shared<DryBackend>(real);
  State state = network_.zero_state(batch.batch, *real);
  forward(parameters, batch, state, true, Random());
  bool has_head = false;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const Network::Head& output = network_.outputs()[i];
    if (!output.head) continue;
    has_head = true;
    const Sequence features = outputs_[i].features();
    const std::vector<std::int32_t> masked(
        static_cast<std::size_t>(features.time() * features.batch() *
                                 output.head->targets_per_step()),
        -1);
    outputs_[i].begin(features, masked, {}, parameters, *backend_, true, Random(), &scratch_);
  }
  if (has_head) {
    TensorList none;  // the gradients are the caller's; null views make the layers skip them
    loss();
    backward(1, none);
  }
}

std::size_t Pass::memory() const {
  std::size_t total = scratch_.size();
  for (const Place& place : places_) {
    total += place.memory.size() + static_cast<std::size_t>(place.sum.capacity()) * sizeof(float);
  }
  for (const OutputPass& output : outputs_) total += output.memory();
  return total;
}

}  // namespace rnn
