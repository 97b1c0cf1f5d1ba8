// LstmCell: the LSTM as a cell for Recurrent<Cell>, in plain loops: the oracle of the fused layer,
// and an example of how a cell is written.
#pragma once

#include <cmath>
#include <string_view>
#include <vector>

#include "rnn/recurrent_cell.h"

namespace rnn {

/// The equations of cells.h for Cell::kLstm, gates in the order i, f, g, o:
///   z = b + x W + h U;  i, f, o = sigmoid(z);  g = tanh(z)
///   c' = f * c + i * g;  h' = o * tanh(c')
/// Parameters `kernel` [I,4H], `recurrent_kernel` [H,4H], `bias` [4H]; state `h`, `c`.
struct LstmCell {
  static constexpr std::string_view kType = "LstmCell";
  Index units = 0;  ///< H
  float forget_bias = 1;
  Initializer kernel_initializer = Initializer::glorot_uniform();
  Initializer recurrent_initializer = Initializer::orthogonal();

  void exchange(Fields& fields) {
    fields("units", units);
    fields("forget_bias", forget_bias);
    const auto initializer = [&](const char* name, Initializer& value) {
      std::string text = value.to_string();
      fields(name, text);
      value = Initializer::parse(text);
    };
    initializer("kernel_initializer", kernel_initializer);
    initializer("recurrent_initializer", recurrent_initializer);
  }

  void validate() const {
    if (units < 1 || units > (Index{1} << 28)) {
      throw ConfigError("LstmCell units: expected 1 to 268435456, got " + std::to_string(units));
    }
  }

  std::vector<ParameterSpec> parameters(Index input) const {
    return {{"kernel", {input, 4 * units}, kernel_initializer, 4},
            {"recurrent_kernel", {units, 4 * units}, recurrent_initializer, 4},
            {"bias", {4 * units}, Initializer::constant(forget_bias), 4, 1}};
  }
  std::vector<StateSpec> states() const { return {{"h", units}, {"c", units}}; }
  /// The four gates, and tanh(c').
  Index saved() const { return 5 * units; }

  void forward(const CellForward& s) const {
    const Index H = units, G = 4 * H;
    float* z = s.saved.data();
    std::copy_n(s.parameters[2].data(), G, z);
    add_product(s.x, s.parameters[0], z);
    add_product(s.state[0], s.parameters[1], z);
    for (Index j = 0; j < H; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const float i = z[j] = sigmoid(z[j]), f = z[H + j] = sigmoid(z[H + j]);
      const float g = z[2 * H + j] = std::tanh(z[2 * H + j]);
      const float o = z[3 * H + j] = sigmoid(z[3 * H + j]);
      s.new_state[1][at] = f * s.state[1][at] + i * g;
      z[G + j] = std::tanh(s.new_state[1][at]);
      s.new_state[0][at] = o * z[G + j];
    }
  }

  void backward(const CellBackward& s) const {
    const Index H = units, G = 4 * H;
    const float* z = s.saved.data();
    const std::span<float> dh = s.dstate[0];
    std::fill(dh.begin(), dh.end(), 0.0f);
    std::fill(s.dx.begin(), s.dx.end(), 0.0f);
    for (Index j = 0; j < H; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const float i = z[j], f = z[H + j], g = z[2 * H + j], o = z[3 * H + j], tanh_c = z[G + j];
      const float dnew_h = s.dnew_state[0][at];
      const float dc = s.dnew_state[1][at] + dnew_h * o * (1 - tanh_c * tanh_c);
      s.dstate[1][at] = dc * f;
      give_back(s, j, dc * g * i * (1 - i));
      give_back(s, H + j, dc * s.state[1][at] * f * (1 - f));
      give_back(s, 2 * H + j, dc * i * (1 - g * g));
      give_back(s, 3 * H + j, dnew_h * tanh_c * o * (1 - o));
    }
  }

 private:
  static float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }
  /// z += x W
  static void add_product(std::span<const float> x, View<const float> kernel, float* z) {
    const Index width = kernel.extent(1);
    for (std::size_t k = 0; k < x.size(); ++k) {
      const float* w = kernel.slice(static_cast<Index>(k)).data();
      for (Index j = 0; j < width; ++j) z[j] += x[k] * w[j];
    }
  }
  /// Column j of the three parameters, for dz_j.
  static void give_back(const CellBackward& s, Index j, float dz) {
    column(s.x, s.parameters[0], j, dz, s.dx, s.gradients[0]);
    column(s.state[0], s.parameters[1], j, dz, s.dstate[0], s.gradients[1]);
    if (s.gradients[2]) s.gradients[2][j] += dz;
  }
  static void column(std::span<const float> x, View<const float> kernel, Index j, float dz,
                     std::span<float> dx, View<float> dkernel) {
    for (std::size_t k = 0; k < x.size(); ++k) {
      const auto at = static_cast<Index>(k);
      if (!dx.empty()) dx[k] += dz * kernel(at, j);
      if (dkernel) dkernel(at, j) += x[k] * dz;
    }
  }
};

}  // namespace rnn
