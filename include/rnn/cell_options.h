// What a recurrent cell may do beside the equations of cells.h, as kernels see it. Views are null
// when an option is not used; P is the width of h, which is H unless it is projected.
#pragma once

#include "rnn/view.h"

namespace rnn {

/// In the order in which they act on a step. `a` is a pre-activation, h~ and c~ are what the cell
/// makes of a step, z the share of a unit that keeps its old value.
///
///   recurrent mask   h' becomes mask * h' wherever it meets recurrent_kernel, at every step the
///                    same (variational dropout: Gal and Ghahramani 2016)
///   layer norm       a = kernel_gamma * N(x W) + recurrent_gamma * N(h' U) + b, where N takes the
///                    mean of all G*H values away and divides by sqrt(variance + epsilon); the LSTM
///                    also h~ = o * tanh(cell_gamma * N(c~) + cell_beta)   (Ba, Kiros and Hinton
///                    2016, equations 20-22, with one bias for their three). Not for the GRU with
///                    reset before, whose gates are not known at once. The GRU with reset after has
///                    one N over r, z and n, where Ba et al. have one for n apart.
///   peepholes        LSTM: a_i += p_i * c', a_f += p_f * c', a_o += p_o * c~   (Gers, Schraudolph
///                    and Schmidhuber 2002)
///   projection       LSTM: h~ = (o * tanh(c~)) W_p   (Sak, Senior and Beaufays 2014)
///   zoneout          h = z * h' + (1 - z) * h~, and likewise c, which h~ does not see (Krueger et
///                    al. 2017)
template <class T>
struct CellOptions {
  View<const T> recurrent_mask{};  ///< [B,P]
  View<const T> kernel_gamma{};    ///< [G*H]; both gammas or none
  View<const T> recurrent_gamma{};
  View<const T> cell_gamma{}, cell_beta{};  ///< [H] of the LSTM
  float epsilon = 0;
  View<const T> peephole{};                ///< [3,H] for i, f, o; coupled gates: [2,H] for f, o
  View<const T> projection{};              ///< W_p [H,P]
  View<const T> zoneout_h{}, zoneout_c{};  ///< z of each step, [T,B,P] and [T,B,H]
  float zoneout_h_rate = 0, zoneout_c_rate = 0;  ///< z of all steps where there is no view
};

/// What the forward pass keeps for the backward pass, which consumes it; null in inference.
template <class T>
struct CellKept {
  View<T> kernel_normal{}, recurrent_normal{};  ///< [T,B,G*H] N(x W) and N(h' U)
  View<T> cell_normal{};                        ///< [T,B,H] N(c~)
  View<T> inverse_deviation{};                  ///< [T,B,3] what these three were multiplied by
  View<T> output{};                             ///< [T,B,H] o * tanh(c~), when it is projected
};

/// Gradients of the parameters above, added to; null: frozen.
template <class T>
struct CellGradients {
  View<T> dkernel_gamma{}, drecurrent_gamma{}, dcell_gamma{}, dcell_beta{};
  View<T> dpeephole{}, dprojection{};
};

}  // namespace rnn
