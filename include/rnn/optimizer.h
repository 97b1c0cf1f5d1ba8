// Optimisers: options as values, state beside them.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "rnn/backend.h"
#include "rnn/export.h"
#include "rnn/fields.h"
#include "rnn/parameters.h"

namespace rnn {

// The formulas stand with the kernels (kernels.h); names are Keras's.

/// Stochastic gradient descent, with momentum if it is not 0.
struct RNN_API SGD {
  float learning_rate = 0.01f;
  float momentum = 0;
  bool nesterov = false;
  float weight_decay = 0;  ///< L2 penalty, added to the gradient
  void exchange(Fields& fields);
};

struct RNN_API RMSprop {
  float learning_rate = 0.001f;
  float rho = 0.9f;
  float epsilon = 1e-7f;
  float weight_decay = 0;
  void exchange(Fields& fields);
};

struct RNN_API Adam {
  float learning_rate = 0.001f;
  float beta_1 = 0.9f, beta_2 = 0.999f;
  float epsilon = 1e-7f;
  float weight_decay = 0;  ///< L2 penalty, added to the gradient
  void exchange(Fields& fields);
};

struct RNN_API AdamW {
  float learning_rate = 0.001f;
  float beta_1 = 0.9f, beta_2 = 0.999f;
  float epsilon = 1e-7f;
  float weight_decay = 0.004f;  ///< decoupled: not part of the gradient
  void exchange(Fields& fields);
};

using Optimizer = std::variant<SGD, RMSprop, Adam, AdamW>;

RNN_API float learning_rate_of(const Optimizer& optimizer);
/// Tensors as large as the parameters that it keeps between steps.
RNN_API std::size_t slots_of(const Optimizer& optimizer);
/// Throws ConfigError, naming the member.
RNN_API void validate(const Optimizer& optimizer);

/// What an optimiser remembers between steps. A value.
struct OptimizerState {
  std::int64_t steps = 0;
  std::vector<TensorList> slots{};  ///< each like the gradients; none until the first step
};

/// One update of the parameters whose gradients are not empty, with `learning_rate` in place of the
/// optimiser's own; gradients are first multiplied by `gradient_scale`. Parameters are told that
/// they changed. `frozen`: one for each, not 0 where it stands still for now, while what the state
/// has of its gradients goes on; empty: none does.
RNN_API void apply(const Optimizer& optimizer, float learning_rate, float gradient_scale,
                   const TensorList& gradients, Parameters& parameters, OptimizerState& state,
                   const Backend& backend, std::span<const std::uint8_t> frozen = {});

}  // namespace rnn
