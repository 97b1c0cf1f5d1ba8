// One call of a layer, forward and backward, with everything a Call carries owned in one place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "rnn/layer.h"
#include "support/random_problem.h"
#include "support/random_values.h"

namespace rnn::test {

/// What goes into a layer. Padding holds poison: NaN, or ids that no table has.
struct LayerInput {
  Index time = 1, batch = 1;
  std::vector<std::int32_t> ids{};
  Tensor values{};
  std::vector<std::int32_t> lengths{};
  std::vector<std::uint32_t> examples{};
  std::vector<Tensor> state{};  ///< empty: not given
  std::vector<Tensor> dnew{};   ///< gradient of the new state; empty: not given
  Tensor dy{};                  ///< empty: none, so forward only

  Index length(Index b) const { return length_of(lengths, b, time); }
  Sequence sequence() const {
    Sequence x{.lengths = lengths, .examples = examples};
    if (!ids.empty()) {
      x.ids = {ids.data(), {time, batch}};
    } else {
      x.values = values;
    }
    return x;
  }
};

struct LayerOutput {
  Tensor y{};
  std::vector<std::int32_t> lengths{};  ///< of y
  std::vector<Tensor> new_state{};
  Tensor dx{};  ///< empty when null
  std::vector<Tensor> dstate{};
  std::vector<Tensor> gradients{};

  Index length(Index b) const { return length_of(lengths, b, y.extent(0)); }
};

struct CallOptions {
  bool training = true;
  bool wants_dx = true;
  float loss_scale = 1;
  float gradients_before = 0;  ///< what gradients hold when backward begins
  int frozen = -1;             ///< the parameter whose gradient is a null view
  CallMemory* memory = nullptr;
};

/// Whether a part of the state only tells sequences that have begun, 1, from others, 0.
inline bool is_flag(const StateSpec& spec) { return spec.name.ends_with("started"); }

/// A layer with random parameters on one backend. Those that say what symbols are to words say: two
/// letters, a space, a mark, and so on.
class LayerBench {
 public:
  LayerBench(std::shared_ptr<const Layer> made, const Signal& input, const Backend& where,
             std::uint64_t seed)
      : layer(std::move(made)), signal(input), backend(where), random(seed) {
    for (const ParameterSpec& spec : layer->parameters(signal)) {
      parameters.push_back(random_values<float>(spec.shape, random.fold(parameters.size())));
      if (spec.name != "word_symbols") continue;
      for (Index i = 0; i < spec.shape.size(); ++i) {
        parameters.back()[i] = static_cast<float>(i % 4 < 2 ? 1 : i % 4 == 2 ? 0 : 2);
      }
    }
  }

  LayerInput input(Index time, Index batch, std::vector<std::int32_t> lengths = {}) const {
    LayerInput in{.time = time, .batch = batch, .lengths = std::move(lengths)};
    const Random draws = random.fold(100);
    for (Index b = 0; b < batch; ++b) in.examples.push_back(static_cast<std::uint32_t>(40 + 3 * b));
    if (signal.kind == Signal::Kind::kSymbols) {
      for (Index i = 0; i < time * batch; ++i) {
        const bool padding = i / batch >= in.length(i % batch);
        const auto id = static_cast<std::int32_t>(draws.uniform(static_cast<std::uint64_t>(i)) *
                                                  static_cast<float>(signal.size));
        in.ids.push_back(padding ? std::numeric_limits<std::int32_t>::max() : id);
      }
    } else {
      in.values = random_values<float>({time, batch, signal.size}, draws.fold(1));
      poison_padding(in.values, in.lengths);
    }
    for (const StateSpec& spec : layer->states(signal)) {
      const std::size_t s = in.state.size();
      in.state.push_back(random_values<float>({batch, spec.width}, draws.fold(10 + s)));
      in.dnew.push_back(random_values<float>({batch, spec.width}, draws.fold(20 + s)));
      for (Index b = 0; is_flag(spec) && b < batch; ++b) {
        in.state.back()[b] = static_cast<float>(b % 2);
      }
    }
    return in;
  }

  /// Gives `in` a random dy that fits what forward gives for it.
  void add_dy(LayerInput& in) const {
    const LayerOutput out = run(in, {});
    in.dy = random_values<float>(out.y.shape(), random.fold(101));
    poison_padding(in.dy, out.lengths);
  }

  LayerOutput run(const LayerInput& in, const CallOptions& options) const {
    CallMemory own;
    LayerOutput out;
    std::vector<View<const float>> weights, state, dnew;
    std::vector<View<float>> new_state, dstate, gradients;
    for (const Tensor& parameter : parameters) {
      weights.push_back(parameter);
      out.gradients.emplace_back(parameter.shape());
      out.gradients.back().fill(options.gradients_before);
    }
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const bool frozen = static_cast<int>(p) == options.frozen;
      gradients.push_back(frozen ? View<float>() : out.gradients[p].view());
    }
    for (const StateSpec& spec : layer->states(signal)) {
      out.new_state.push_back(poisoned<float>({in.batch, spec.width}));
      out.dstate.push_back(poisoned<float>({in.batch, spec.width}));
    }
    for (std::size_t s = 0; s < out.new_state.size(); ++s) {
      new_state.push_back(out.new_state[s]);
      dstate.push_back(out.dstate[s]);
      if (!in.state.empty()) state.push_back(in.state[s]);
      if (!in.dnew.empty()) dnew.push_back(in.dnew[s]);
    }
    Call call{.backend = &backend,
              .memory = options.memory ? options.memory : &own,
              .training = options.training,
              .random = random.fold(102),
              .parameters = weights,
              .gradients = gradients,
              .state = state,
              .new_state = new_state,
              .dnew_state = dnew,
              .dstate = dstate,
              .loss_scale = options.loss_scale,
              .wants_dx = options.wants_dx};
    const Sequence x = in.sequence();
    const Sequence y = layer->forward(x, call);
    out.y = copy_of(y.values);
    out.lengths.assign(y.lengths.begin(), y.lengths.end());
    if (!in.dy.empty()) {
      if (const View<const float> dx = layer->backward(x, in.dy, call)) out.dx = copy_of(dx);
    }
    return out;
  }

  static Tensor copy_of(View<const float> values) {
    Tensor copy(values.shape());
    std::copy(values.begin(), values.end(), copy.data());
    return copy;
  }

  std::shared_ptr<const Layer> layer;
  Signal signal;
  const Backend& backend;
  Random random;
  std::vector<Tensor> parameters;
};

/// Row b of every step from `start` on, as a batch of its own.
inline void take_sequence(const Tensor& from, Index b, Index start, Index steps, Tensor& to,
                          Index to_b) {
  for (Index t = 0; t < steps; ++t) {
    std::copy_n(&from.view()(start + t, b, 0), from.extent(2), &to.view()(t, to_b, 0));
  }
}

/// The sequences `which` of `whole` as another batch, `time` long, for which `steps` come out;
/// `out` is what `whole` gave.
inline LayerInput pick(const LayerInput& whole, const LayerOutput& out,
                       const std::vector<Index>& which, Index time, Index steps) {
  const Index batch = static_cast<Index>(which.size());
  LayerInput part{.time = time, .batch = batch};
  if (!whole.ids.empty()) {
    part.ids.assign(static_cast<std::size_t>(time * batch),
                    std::numeric_limits<std::int32_t>::max());
  } else {
    part.values = poisoned<float>({time, batch, whole.values.extent(2)});
  }
  if (!whole.dy.empty()) {
    part.dy = poisoned<float>({steps, batch, whole.dy.extent(2)});
  }
  for (const Tensor& state : whole.state) part.state.emplace_back(Shape{batch, state.extent(1)});
  for (const Tensor& dnew : whole.dnew) part.dnew.emplace_back(Shape{batch, dnew.extent(1)});
  for (Index j = 0; j < batch; ++j) {
    const Index b = which[static_cast<std::size_t>(j)], length = whole.length(b);
    part.lengths.push_back(static_cast<std::int32_t>(length));
    part.examples.push_back(whole.examples[static_cast<std::size_t>(b)]);
    if (!whole.ids.empty()) {
      for (Index t = 0; t < length; ++t) {
        part.ids[static_cast<std::size_t>(t * batch + j)] =
            whole.ids[static_cast<std::size_t>(t * whole.batch + b)];
      }
    } else {
      take_sequence(whole.values, b, 0, length, part.values, j);
    }
    if (!whole.dy.empty()) take_sequence(whole.dy, b, 0, out.length(b), part.dy, j);
    for (std::size_t s = 0; s < whole.state.size(); ++s) {
      const Index width = whole.state[s].extent(1);
      std::copy_n(&whole.state[s].view()(b, 0), width, &part.state[s].view()(j, 0));
      std::copy_n(&whole.dnew[s].view()(b, 0), width, &part.dnew[s].view()(j, 0));
    }
  }
  return part;
}

}  // namespace rnn::test
