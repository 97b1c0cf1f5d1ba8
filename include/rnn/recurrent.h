// The recurrent layers. Their equations, gate order and parameter shapes stand in cells.h.
//
//   x [T,B,I] -> [T,B,H], or [1,B,H] without return_sequences
//
// Parameters: `kernel` [I,G*H], `recurrent_kernel` [H,G*H], `bias`. State: `h` [B,H]; the LSTM also
// `c` [B,H]. Option names are Keras's; a default that differs from Keras's says so.
#pragma once

#include "rnn/layer.h"

namespace rnn {

struct RNN_API LSTMOptions {
  Index units = 0;  ///< H
  bool use_bias = true;
  bool return_sequences = true;  ///< every step, not the last alone (Keras: false)
  bool go_backwards = false;     ///< outputs stay in the order of time (Keras: reversed)
  Initializer kernel_initializer = Initializer::glorot_uniform();
  Initializer recurrent_initializer = Initializer::orthogonal();
  float forget_bias = 1;  ///< first value of the forget gate's bias (Jozefowicz et al. 2015)
  void exchange(Fields& fields);
};

struct RNN_API GRUOptions {
  Index units = 0;  ///< H
  bool use_bias = true;
  bool return_sequences = true;  ///< every step, not the last alone (Keras: false)
  bool go_backwards = false;     ///< outputs stay in the order of time (Keras: reversed)
  Initializer kernel_initializer = Initializer::glorot_uniform();
  Initializer recurrent_initializer = Initializer::orthogonal();
  bool reset_after = true;  ///< the reset gate acts after the recurrent product, as in cuDNN
  void exchange(Fields& fields);
};

struct RNN_API SimpleRNNOptions {
  Index units = 0;  ///< H
  bool use_bias = true;
  bool return_sequences = true;  ///< every step, not the last alone (Keras: false)
  bool go_backwards = false;     ///< outputs stay in the order of time (Keras: reversed)
  Initializer kernel_initializer = Initializer::glorot_uniform();
  Initializer recurrent_initializer = Initializer::orthogonal();
  bool relu = false;  ///< max(0, .) instead of tanh
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
  struct Options {
    Cell cell;
    Index units;
    bool use_bias, return_sequences, go_backwards;
    Initializer kernel_initializer, recurrent_initializer;
    float forget_bias;
  };
  /// Throws ConfigError unless units are positive.
  explicit RecurrentLayer(const Options& shared);

 private:
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
