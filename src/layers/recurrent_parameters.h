// Which parameters a recurrent layer has, in which order and of which shape.
#pragma once

#include <array>
#include <vector>

#include "rnn/layer.h"

namespace rnn {

/// In the order of Layer::parameters.
enum class RecurrentParameter {
  kKernel,
  kRecurrentKernel,
  kBias,
  kPeephole,
  kKernelGamma,
  kRecurrentGamma,
  kCellGamma,
  kCellBeta,
  kProjection,
  kInitialH,
  kInitialC
};
inline constexpr int kRecurrentParameters = 11;

/// `Options` are those of RecurrentLayer.
template <class Options>
bool has_parameter(RecurrentParameter role, const Options& o) {
  using P = RecurrentParameter;
  const bool lstm = is_lstm(o.cell);
  switch (role) {
    case P::kKernel:
    case P::kRecurrentKernel:
      return true;
    case P::kBias:
      return o.use_bias;
    case P::kPeephole:
      return o.peepholes;
    case P::kKernelGamma:
    case P::kRecurrentGamma:
      return o.layer_normalization;
    case P::kCellGamma:
    case P::kCellBeta:
      return o.layer_normalization && lstm;
    case P::kProjection:
      return o.projection > 0;
    case P::kInitialH:
      return o.learn_initial_state;
    case P::kInitialC:
      return o.learn_initial_state && lstm;
  }
  return false;
}

template <class Options>
std::vector<RecurrentParameter> parameters_of(const Options& options) {
  std::vector<RecurrentParameter> all;
  for (int i = 0; i < kRecurrentParameters; ++i) {
    const auto role = static_cast<RecurrentParameter>(i);
    if (has_parameter(role, options)) all.push_back(role);
  }
  return all;
}

/// The view of a parameter, or of its gradient; null where there is none.
template <class T, class Options>
View<T> view_of(RecurrentParameter role, const Options& options, std::span<const View<T>> views) {
  if (!has_parameter(role, options)) return {};
  std::size_t place = 0;
  for (int i = 0; i < static_cast<int>(role); ++i) {
    place += has_parameter(static_cast<RecurrentParameter>(i), options);
  }
  return place < views.size() ? views[place] : View<T>{};
}

/// I inputs; h is P wide.
template <class Options>
ParameterSpec spec_of(RecurrentParameter role, const Options& o, Index I, Index P) {
  using R = RecurrentParameter;
  const Index H = o.units;
  const int gates = gates_of(o.cell);
  const Initializer ones = Initializer::constant(1);
  switch (role) {
    case R::kKernel:
      return {"kernel", {I, gates * H}, o.kernel_initializer, gates};
    case R::kRecurrentKernel:
      return {"recurrent_kernel", {P, gates * H}, o.recurrent_initializer, gates};
    case R::kBias: {
      ParameterSpec bias{"bias", bias_shape(o.cell, H)};
      if (o.forget_bias != 0) {
        bias.initializer = Initializer::constant(o.forget_bias);
        bias.only_block = o.cell == Cell::kLstm ? 1 : 0;  // i, f, g, o; coupled f, g, o
        bias.blocks = gates;
      }
      return bias;
    }
    case R::kPeephole:
      return {"peephole", {gates - 1, H}};
    case R::kKernelGamma:
      return {"kernel_gamma", {gates * H}, ones};
    case R::kRecurrentGamma:
      return {"recurrent_gamma", {gates * H}, ones};
    case R::kCellGamma:
      return {"cell_gamma", {H}, ones};
    case R::kCellBeta:
      return {"cell_beta", {H}};
    case R::kProjection:
      return {"projection_kernel", {H, P}, o.kernel_initializer};
    case R::kInitialH:
      return {"initial_h", {P}};
    case R::kInitialC:
      return {"initial_c", {H}};
  }
  return {};
}

}  // namespace rnn
