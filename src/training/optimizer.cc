#include "rnn/optimizer.h"

#include <cmath>
#include <string>

#include "base/require.h"

namespace rnn {
namespace {

struct Update {
  float learning_rate, gradient_scale;
  const TensorList& gradients;
  Parameters& parameters;
  OptimizerState& state;
  const Backend& backend;
  std::span<const std::uint8_t> frozen;

  /// Of what stands still for now the averages go on, so that it does not begin with steps of a
  /// moment that has just started.
  float rate_of(std::size_t i) const { return stands_still(i) ? 0 : learning_rate; }
  float decay_of(std::size_t i, float decay) const { return stands_still(i) ? 0 : decay; }
  bool stands_still(std::size_t i) const { return !frozen.empty() && frozen[i] != 0; }

  void operator()(const SGD& sgd) const {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (gradients[i].empty()) continue;
      backend.sgd_step({.parameter = parameters[i],
                        .gradient = gradients[i],
                        .velocity = state.slots.empty() ? View<float>() : state.slots[0][i].view(),
                        .learning_rate = rate_of(i),
                        .momentum = sgd.momentum,
                        .weight_decay = decay_of(i, sgd.weight_decay),
                        .gradient_scale = gradient_scale,
                        .nesterov = sgd.nesterov});
    }
  }
  void operator()(const RMSprop& rmsprop) const {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (gradients[i].empty()) continue;
      backend.rmsprop_step({.parameter = parameters[i],
                            .gradient = gradients[i],
                            .mean_square = state.slots[0][i],
                            .learning_rate = rate_of(i),
                            .decay = rmsprop.rho,
                            .epsilon = rmsprop.epsilon,
                            .weight_decay = decay_of(i, rmsprop.weight_decay),
                            .gradient_scale = gradient_scale});
    }
  }
  void operator()(const Adam& adam) const { step(adam, false); }
  void operator()(const AdamW& adam) const { step(adam, true); }

  template <class A>
  void step(const A& adam, bool decoupled) const {
    const auto correction = [&](float beta) {
      return static_cast<float>(
          1 - std::pow(static_cast<double>(beta), static_cast<double>(state.steps)));
    };
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (gradients[i].empty()) continue;
      backend.adam_step({.parameter = parameters[i],
                         .gradient = gradients[i],
                         .mean = state.slots[0][i],
                         .mean_square = state.slots[1][i],
                         .learning_rate = rate_of(i),
                         .beta1 = adam.beta_1,
                         .beta2 = adam.beta_2,
                         .epsilon = adam.epsilon,
                         .weight_decay = decay_of(i, adam.weight_decay),
                         .correction1 = correction(adam.beta_1),
                         .correction2 = correction(adam.beta_2),
                         .gradient_scale = gradient_scale,
                         .decoupled = decoupled});
    }
  }
};

}  // namespace

void SGD::exchange(Fields& fields) {
  fields("learning_rate", learning_rate);
  fields("momentum", momentum);
  fields("nesterov", nesterov);
  fields("weight_decay", weight_decay);
}

void RMSprop::exchange(Fields& fields) {
  fields("learning_rate", learning_rate);
  fields("rho", rho);
  fields("epsilon", epsilon);
  fields("weight_decay", weight_decay);
}

void Adam::exchange(Fields& fields) {
  fields("learning_rate", learning_rate);
  fields("beta_1", beta_1);
  fields("beta_2", beta_2);
  fields("epsilon", epsilon);
  fields("weight_decay", weight_decay);
}

void AdamW::exchange(Fields& fields) {
  fields("learning_rate", learning_rate);
  fields("beta_1", beta_1);
  fields("beta_2", beta_2);
  fields("epsilon", epsilon);
  fields("weight_decay", weight_decay);
}

std::size_t slots_of(const Optimizer& optimizer) {
  if (const SGD* sgd = std::get_if<SGD>(&optimizer)) return sgd->momentum != 0 ? 1 : 0;
  return std::holds_alternative<RMSprop>(optimizer) ? 1 : 2;
}

float learning_rate_of(const Optimizer& optimizer) {
  return std::visit([](const auto& options) { return options.learning_rate; }, optimizer);
}

void validate(const Optimizer& optimizer) {
  std::visit(
      [](const auto& options) {
        using O = std::remove_cvref_t<decltype(options)>;
        require(options.learning_rate > 0 && std::isfinite(options.learning_rate),
                "optimizer learning_rate", "more than 0 and finite", options.learning_rate);
        require(options.weight_decay >= 0, "optimizer weight_decay", "at least 0",
                options.weight_decay);
        if constexpr (std::is_same_v<O, SGD>) {
          require(options.momentum >= 0 && options.momentum < 1, "optimizer momentum", "in [0, 1)",
                  options.momentum);
        } else {
          require(options.epsilon > 0, "optimizer epsilon", "more than 0", options.epsilon);
        }
        if constexpr (std::is_same_v<O, RMSprop>) {
          require(options.rho >= 0 && options.rho < 1, "optimizer rho", "in [0, 1)", options.rho);
        }
        if constexpr (std::is_same_v<O, Adam> || std::is_same_v<O, AdamW>) {
          require(options.beta_1 >= 0 && options.beta_1 < 1, "optimizer beta_1", "in [0, 1)",
                  options.beta_1);
          require(options.beta_2 >= 0 && options.beta_2 < 1, "optimizer beta_2", "in [0, 1)",
                  options.beta_2);
        }
      },
      optimizer);
}

void apply(const Optimizer& optimizer, float learning_rate, float gradient_scale,
           const TensorList& gradients, Parameters& parameters, OptimizerState& state,
           const Backend& backend, std::span<const std::uint8_t> frozen) {
  while (state.slots.size() < slots_of(optimizer)) {
    TensorList slot;
    for (const NamedTensor& gradient : gradients) {
      slot.add(gradient.name, Tensor(gradient.tensor.shape(), backend.memory()));
    }
    state.slots.push_back(std::move(slot));
  }
  ++state.steps;
  std::visit(Update{learning_rate, gradient_scale, gradients, parameters, state, backend, frozen},
             optimizer);
  parameters.changed();
}

}  // namespace rnn
