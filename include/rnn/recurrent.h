// The recurrent layers. Their equations, gate order and parameter shapes stand in cells.h.
//
//   x [T,B,I] -> [T,B,H], or [1,B,H] without return_sequences
//
// Parameters: `kernel` [I,G*H], `recurrent_kernel` [H,G*H], `bias`. State: `h` [B,H]; the LSTM also
// `c` [B,H]. Option names are Keras's; a default that differs from Keras's says so.
//
// State is an argument of every call and always comes back from it. `return_state` makes the final
// state an output as well, for layers that come after: h, and for the LSTM h and c side by side,
// [1,B,2H]. It needs return_sequences = false; where h of every step is wanted too, two layers that
// share parameters give both.
//
// Options of the cell itself (layer normalisation, peepholes, projection) have their equations in
// cell_options.h and parameters of their own: `kernel_gamma` and `recurrent_gamma` [G*H], for the
// LSTM `cell_gamma` and `cell_beta` [H]; `peephole` [3,H], or [2,H] with coupled gates;
// `projection_kernel` [H,P], which makes h, y, `recurrent_kernel` and the state P wide.
//
// With learn_initial_state, `initial_h` and `initial_c` stand before the first step of a text,
// where else zeros do. A further part of the state, `started` [B,1], is 0 until a step has been
// made: so a state of zeros still means the beginning, and carried states go on as they are.
//
// Regularisers act in training only. Dropouts scale what they keep by 1 / (1 - rate), so that
// nothing changes in evaluation. Masks belong to the sequence's identity (Sequence::examples), not
// to its place in the batch, and those of a call depend on its random key alone.
//
// - dropout: x_t * m, with one m [I] for all steps of a sequence; recurrent_dropout: h' * m where
//   it meets recurrent_kernel, likewise (variational dropout: Gal and Ghahramani 2016).
// - weight_drop: recurrent_kernel * M, one M for the whole call (DropConnect: Wan et al. 2013; on
//   recurrent weights: Merity, Keskar and Socher 2018).
// - zoneout_h, zoneout_c: z * old + (1 - z) * new, z drawn for each step and unit; in evaluation z
//   is the rate itself, its expectation (Krueger et al. 2017).
#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API LSTMOptions {
  Index units = 0;  ///< H
  bool use_bias = true;
  bool return_sequences = true;  ///< every step, not the last alone (Keras: false)
  bool return_state = false;     ///< the final state as the output, see above
  bool go_backwards = false;     ///< outputs stay in the order of time (Keras: reversed)
  Initializer kernel_initializer = Initializer::glorot_uniform();
  Initializer recurrent_initializer = Initializer::orthogonal();
  float forget_bias = 1;        ///< first value of the forget gate's bias (Jozefowicz et al. 2015)
  float dropout = 0;            ///< of the input, one mask for all steps
  float recurrent_dropout = 0;  ///< of h' in recurrent products, one mask for all steps
  float weight_drop = 0;        ///< of the elements of recurrent_kernel, one mask for all
  float zoneout_h = 0;          ///< share of h that keeps its old value
  float zoneout_c = 0;          ///< share of c that keeps its old value
  bool layer_normalization = false;  ///< see cell_options.h
  float epsilon = 1e-5f;             ///< of layer normalisation, added to the variance
  bool learn_initial_state = false;  ///< see above
  bool peepholes = false;            ///< gates that see c
  bool coupled_gates = false;        ///< i = 1 - f: three gates f, g, o
  Index projection = 0;              ///< P, the width of h; 0: none, so H
  void exchange(Fields& fields);
};

struct RNN_API GRUOptions {
  Index units = 0;  ///< H
  bool use_bias = true;
  bool return_sequences = true;  ///< every step, not the last alone (Keras: false)
  bool return_state = false;     ///< the final state as the output, see above
  bool go_backwards = false;     ///< outputs stay in the order of time (Keras: reversed)
  Initializer kernel_initializer = Initializer::glorot_uniform();
  Initializer recurrent_initializer = Initializer::orthogonal();
  bool reset_after = true;      ///< the reset gate acts after the recurrent product, as in cuDNN
  float dropout = 0;            ///< of the input, one mask for all steps
  float recurrent_dropout = 0;  ///< of h' in recurrent products, one mask for all steps
  float weight_drop = 0;        ///< of the elements of recurrent_kernel, one mask for all
  float zoneout_h = 0;          ///< share of h that keeps its old value
  bool layer_normalization = false;  ///< see cell_options.h
  float epsilon = 1e-5f;             ///< of layer normalisation, added to the variance
  bool learn_initial_state = false;  ///< see above
  void exchange(Fields& fields);
};

struct RNN_API SimpleRNNOptions {
  Index units = 0;  ///< H
  bool use_bias = true;
  bool return_sequences = true;  ///< every step, not the last alone (Keras: false)
  bool return_state = false;     ///< the final state as the output, see above
  bool go_backwards = false;     ///< outputs stay in the order of time (Keras: reversed)
  Initializer kernel_initializer = Initializer::glorot_uniform();
  Initializer recurrent_initializer = Initializer::orthogonal();
  bool relu = false;                 ///< max(0, .) instead of tanh
  float dropout = 0;                 ///< of the input, one mask for all steps
  float recurrent_dropout = 0;       ///< of h' in recurrent products, one mask for all steps
  float weight_drop = 0;             ///< of the elements of recurrent_kernel, one mask for all
  float zoneout_h = 0;               ///< share of h that keeps its old value
  bool layer_normalization = false;  ///< see cell_options.h
  float epsilon = 1e-5f;             ///< of layer normalisation, added to the variance
  bool learn_initial_state = false;  ///< see above
  void exchange(Fields& fields);
};

/// What LSTM, GRU and SimpleRNN share: one call of the recurrent kernel pair for a whole window.
class RNN_API RecurrentLayer : public Layer {
 public:
  bool causal() const override;
  Signal output(const Signal& input) const override;
  std::vector<ParameterSpec> parameters(const Signal& input) const override;
  std::vector<StateSpec> states(const Signal& input) const override;
  KernelPath path(const Backend& backend, const Signal& input) const override;
  Sequence forward(const Sequence& x, Call& call) const override;
  View<const float> backward(const Sequence& x, View<const float> dy, Call& call) const override;

 protected:
  /// What the options of all three come to.
  struct Options {
    Cell cell = Cell::kLstm;
    Index units = 0;
    bool use_bias = true, return_sequences = true, return_state = false, go_backwards = false;
    Initializer kernel_initializer{}, recurrent_initializer{};
    float forget_bias = 0;
    float dropout = 0, recurrent_dropout = 0, weight_drop = 0, zoneout_h = 0, zoneout_c = 0;
    bool layer_normalization = false;
    float epsilon = 0;
    bool learn_initial_state = false, peepholes = false;
    Index projection = 0;
  };
  /// Throws ConfigError unless units are positive, rates are in [0, 1) and epsilon is positive;
  /// when return_state is asked for together with return_sequences; and for layer normalisation of
  /// a GRU with reset before.
  explicit RecurrentLayer(const Options& shared);

 private:
  Index width() const { return shared_.projection > 0 ? shared_.projection : shared_.units; }
  CellOptions<float> cell_options(const Call& call) const;
  void draw_masks(const Sequence& x, RecurrentForward<float>& args, Call& call) const;
  void keep_for_backward(RecurrentForward<float>& args, Call& call) const;
  void start_state(RecurrentForward<float>& args, Call& call) const;
  void finish_start(RecurrentBackward<float>& args, Call& call) const;
  Sequence final_output(const Sequence& x, const RecurrentForward<float>& args, Call& call) const;
  void take_final_gradient(View<const float> dy, RecurrentBackward<float>& args, Call& call) const;

  Options shared_;
};

class RNN_API LSTM : public RecurrentLayer {
 public:
  explicit LSTM(const LSTMOptions& options);
  std::string_view type() const noexcept override { return "LSTM"; }
  void describe(Fields& fields) const override;

 private:
  LSTMOptions options_;
};

class RNN_API GRU : public RecurrentLayer {
 public:
  explicit GRU(const GRUOptions& options);
  std::string_view type() const noexcept override { return "GRU"; }
  void describe(Fields& fields) const override;

 private:
  GRUOptions options_;
};

class RNN_API SimpleRNN : public RecurrentLayer {
 public:
  explicit SimpleRNN(const SimpleRNNOptions& options);
  std::string_view type() const noexcept override { return "SimpleRNN"; }
  void describe(Fields& fields) const override;

 private:
  SimpleRNNOptions options_;
};

}  // namespace rnn
