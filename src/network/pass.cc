#include "network/pass.h"

#include <algorithm>

#include "network/dry_backend.h"
#include "rnn/error.h"

namespace rnn {
namespace {

[[noreturn]] void wrong(const std::string& what, Index expected, Index got) {
  throw ShapeError("batch: expected " + std::to_string(expected) + " " + what + ", got " +
                   std::to_string(got));
}

}  // namespace

Pass::Pass(const Sequential& network, const Parameters& parameters,
           std::shared_ptr<const Backend> backend)
    : network_(network), parameters_(parameters), backend_(std::move(backend)) {
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
  frames_.resize(network.nodes().size() + 1);
  for (Frame& frame : frames_) frame.memory = CallMemory(backend_->memory());
}

void Pass::check(const Batch& batch, const State& state) const {
  if (batch.time < 0 || batch.batch < 0) {
    throw ShapeError("batch: time and batch must be at least 0, got " +
                     Shape{batch.time, batch.batch}.to_string());
  }
  const Index steps = batch.time * batch.batch;
  if (network_.input().kind == Signal::Kind::kSymbols) {
    if (static_cast<Index>(batch.ids.size()) != steps) {
      wrong("ids (time * batch)", steps, static_cast<Index>(batch.ids.size()));
    }
  } else if (batch.values.shape() != Shape{batch.time, batch.batch, network_.input().size}) {
    throw ShapeError("batch: expected values of shape " +
                     Shape{batch.time, batch.batch, network_.input().size}.to_string() + ", got " +
                     batch.values.shape().to_string());
  }
  if (!batch.lengths.empty()) {
    if (static_cast<Index>(batch.lengths.size()) != batch.batch) {
      wrong("lengths", batch.batch, static_cast<Index>(batch.lengths.size()));
    }
    for (std::int32_t length : batch.lengths) {
      if (length < 0 || length > batch.time) {
        throw ShapeError("batch: a length must be between 0 and " + std::to_string(batch.time) +
                         ", got " + std::to_string(length));
      }
    }
  }
  if (!batch.examples.empty() && static_cast<Index>(batch.examples.size()) != batch.batch) {
    wrong("examples", batch.batch, static_cast<Index>(batch.examples.size()));
  }
  const auto& parts = network_.state_specs();
  if (state.size() != parts.size()) {
    throw ShapeError("state: expected the " + std::to_string(parts.size()) +
                     " parts of the network's zero_state, got " + std::to_string(state.size()));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Shape expected{batch.batch, parts[i].width};
    if (state[i].shape() != expected) {
      throw ShapeError("state '" + parts[i].name + "': expected " + expected.to_string() +
                       ", got " + state[i].shape().to_string());
    }
  }
}

void Pass::bind(Frame& frame, const std::vector<std::size_t>& positions, bool training,
                const Random& random) {
  frame.parameters.clear();
  for (std::size_t position : positions) frame.parameters.push_back(parameters_[position]);
  frame.call = {.backend = backend_.get(),
                .memory = &frame.memory,
                .training = training,
                .random = random,
                .weights_version = parameters_.version(),
                .parameters = frame.parameters};
}

void Pass::bind_gradients(Frame& frame, const std::vector<std::size_t>& positions,
                          TensorList& gradients) {
  frame.gradients.clear();
  for (std::size_t position : positions) {
    frame.gradients.push_back(gradients.size() > 0 ? gradients[position].view() : View<float>());
  }
  frame.call.gradients = frame.gradients;
}

Sequence Pass::forward(const Batch& batch, State& state, bool training, const Random& random) {
  check(batch, state);
  ready_for_backward_ = false;
  before_ = state;
  Sequence signal{.lengths = batch.lengths, .examples = batch.examples};
  const Shape steps{batch.time, batch.batch};
  if (network_.input().kind == Signal::Kind::kSymbols) {
    signal.ids = View<const std::int32_t>(batch.ids.data(), steps);
  } else {
    signal.values = batch.values;
  }
  for (std::size_t i = 0; i < network_.nodes().size(); ++i) {
    const Sequential::Node& node = network_.nodes()[i];
    Frame& frame = frames_[i];
    bind(frame, node.parameters, training, random.fold(i));
    frame.state.clear();
    frame.new_state.clear();
    for (std::size_t s = node.first_state; s < node.first_state + node.states; ++s) {
      frame.state.push_back(before_[s]);
      frame.new_state.push_back(state[s]);
    }
    frame.call.state = frame.state;
    frame.call.new_state = frame.new_state;
    frame.input = signal;
    signal = node.layer->forward(signal, frame.call);
  }
  features_ = signal;
  if (network_.head().head) {
    bind(frames_.back(), network_.head().parameters, training,
         random.fold(network_.nodes().size()));
    take_targets(batch, signal);
  }
  return signal;
}

void Pass::take_targets(const Batch& batch, const Sequence& features) {
  const Index time = features.time(), batch_size = features.batch();
  const Index width = network_.head().head->targets_per_step(), size = time * batch_size * width;
  targets_.assign(batch.targets.begin(), batch.targets.end());
  if (!targets_.empty() && static_cast<Index>(targets_.size()) != size) {
    wrong("targets", size, static_cast<Index>(targets_.size()));
  }
  for (Index b = 0; !targets_.empty() && b < batch_size; ++b) {
    for (Index t = length_of(features.lengths, b, time); t < time; ++t) {
      std::fill_n(targets_.begin() + (t * batch_size + b) * width, width, -1);
    }
  }
  target_view_ = {targets_.data(),
                  width == 1 ? Shape{time, batch_size} : Shape{time, batch_size, width}};
}

LossSum Pass::loss() {
  const Sequential::Head& head = network_.head();
  if (!head.head) throw ConfigError("loss: the network has no output head");
  if (targets_.empty()) throw ShapeError("batch: a loss needs targets");
  nats_.resize({features_.time(), features_.batch()});
  const LossSum sum = head.head->loss(features_, target_view_, nats_, frames_.back().call);
  ready_for_backward_ = frames_.back().call.training;
  return sum;
}

View<const float> Pass::predict() {
  if (!network_.head().head) return features_.values;
  return network_.head().head->predict(features_, frames_.back().call);
}

void Pass::backward(float scale, TensorList& gradients) {
  if (!ready_for_backward_) {
    throw ConfigError("backward: each call needs a forward of its own before it");
  }
  ready_for_backward_ = false;  // what forward kept is consumed
  bind_gradients(frames_.back(), network_.head().parameters, gradients);
  View<const float> dy =
      network_.head().head->backward(features_, target_view_, scale, frames_.back().call);
  for (std::size_t i = network_.nodes().size(); i-- > 0;) {
    const Sequential::Node& node = network_.nodes()[i];
    Frame& frame = frames_[i];
    bind_gradients(frame, node.parameters, gradients);
    frame.call.wants_dx = i > 0;
    dy = node.layer->backward(frame.input, dy, frame.call);
  }
}

void Pass::reserve(Index time, Index batch_size) {
  Batch batch{.time = time, .batch = batch_size};
  const auto steps = static_cast<std::size_t>(time * batch_size);
  if (network_.input().kind == Signal::Kind::kSymbols) {
    batch.ids.assign(steps, 0);
  } else {
    batch.values.resize({time, batch_size, network_.input().size});
  }
  const std::shared_ptr<const Backend> real = backend_;
  backend_ = std::make_shared<DryBackend>(real);
  State state = network_.zero_state(batch_size, *real);
  const Sequence features = forward(batch, state, true, Random());
  if (network_.head().head) {
    batch.targets.assign(static_cast<std::size_t>(features.time() * features.batch() *
                                                  network_.head().head->targets_per_step()),
                         -1);
    take_targets(batch, features);
    TensorList none;  // the gradients are the caller's; null views make the layers skip them
    loss();
    backward(1, none);
  }
  backend_ = real;
}

std::size_t Pass::memory() const {
  std::size_t total = 0;
  for (const Frame& frame : frames_) total += frame.memory.size();
  return total;
}

}  // namespace rnn
