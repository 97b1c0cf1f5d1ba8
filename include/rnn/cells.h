// The recurrent cells: their equations, gate order and parameter shapes.
//
// Notation: x [B,I] input, h [B,H] hidden state, c [B,H] cell state, ' marks the previous step,
// s() the logistic sigmoid, * the element-wise product. W is `kernel` [I,G*H], U is
// `recurrent_kernel` [H,G*H], b is `bias`; the G gates stand side by side in the order given, each
// H wide, and W_i means the columns of gate i.
//
//   LSTM (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000)      G = 4: i, f, g, o
//     i = s(x W_i + h' U_i + b_i)      input gate
//     f = s(x W_f + h' U_f + b_f)      forget gate
//     g = tanh(x W_g + h' U_g + b_g)   candidate
//     o = s(x W_o + h' U_o + b_o)      output gate
//     c = f * c' + i * g
//     h = o * tanh(c)
//
//   LSTM with coupled gates (CIFG: Greff et al. 2017)                          G = 3: f, g, o
//     as above with i = 1 - f
//
//   GRU, reset after the product (as cuDNN, PyTorch, Keras reset_after=True)   G = 3: r, z, n
//     bias is [2,3H]: row 0 (b) stands with the input, row 1 (u) with the state
//     r = s(x W_r + h' U_r + b_r + u_r)              reset gate
//     z = s(x W_z + h' U_z + b_z + u_z)              update gate
//     n = tanh(x W_n + b_n + r * (h' U_n + u_n))     candidate
//     h = (1 - z) * n + z * h'
//
//   GRU, reset before the product (Cho et al. 2014)                            G = 3: r, z, n
//     r, z as above with one bias [3H]
//     n = tanh(x W_n + (r * h') U_n + b_n)
//     h = (1 - z) * n + z * h'
//
//   Simple RNN (Elman 1990)                                                    G = 1
//     h = tanh(x W + h' U + b)   or   h = max(0, x W + h' U + b)
//
// Other systems order gates differently; importers permute, kernels never do.
#pragma once

#include <string_view>

#include "rnn/view.h"

namespace rnn {

enum class Cell { kLstm, kLstmCoupled, kGru, kGruResetBefore, kRnnTanh, kRnnRelu };

/// G, the number of gates.
constexpr int gates_of(Cell cell) {
  switch (cell) {
    case Cell::kLstm:
      return 4;
    case Cell::kLstmCoupled:
    case Cell::kGru:
    case Cell::kGruResetBefore:
      return 3;
    default:
      return 1;
  }
}

constexpr bool is_lstm(Cell cell) { return cell == Cell::kLstm || cell == Cell::kLstmCoupled; }
constexpr bool is_gru(Cell cell) { return cell == Cell::kGru || cell == Cell::kGruResetBefore; }

/// Whether the state holds c beside h.
constexpr bool has_cell_state(Cell cell) { return is_lstm(cell); }

/// Whether a step keeps something for the backward pass beside h and the gates, [H] wide: c for the
/// LSTM, h' U_n + u_n for the GRU with reset after, r * h' for the one with reset before.
constexpr bool keeps_extra(Cell cell) { return gates_of(cell) > 1; }

/// [G*H], but [2,3H] for the GRU with reset after.
constexpr Shape bias_shape(Cell cell, Index units) {
  return cell == Cell::kGru ? Shape{2, 3 * units} : Shape{gates_of(cell) * units};
}

constexpr std::string_view name_of(Cell cell) {
  switch (cell) {
    case Cell::kLstm:
      return "lstm";
    case Cell::kLstmCoupled:
      return "lstm-coupled";
    case Cell::kGru:
      return "gru";
    case Cell::kGruResetBefore:
      return "gru-reset-before";
    case Cell::kRnnTanh:
      return "rnn-tanh";
    default:
      return "rnn-relu";
  }
}

}  // namespace rnn
