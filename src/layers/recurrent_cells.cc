// The options of the recurrent layers.
#include "layers/option_fields.h"
#include "rnn/recurrent.h"

namespace rnn {
namespace {

/// The fields that every recurrent layer's options share.
template <class Options>
void exchange_shared(Options& options, Fields& fields) {
  fields("units", options.units);
  fields("use_bias", options.use_bias);
  fields("return_sequences", options.return_sequences);
  fields("return_state", options.return_state);
  fields("go_backwards", options.go_backwards);
  exchange_initializer(fields, "kernel_initializer", options.kernel_initializer);
  exchange_initializer(fields, "recurrent_initializer", options.recurrent_initializer);
  fields("dropout", options.dropout);
  fields("recurrent_dropout", options.recurrent_dropout);
  fields("weight_drop", options.weight_drop);
  fields("zoneout_h", options.zoneout_h);
  fields("layer_normalization", options.layer_normalization);
  fields("epsilon", options.epsilon);
  fields("learn_initial_state", options.learn_initial_state);
}

/// The same, as RecurrentLayer takes them.
template <class Shared, class Options>
Shared shared_options(Cell cell, const Options& options) {
  return {.cell = cell,
          .units = options.units,
          .use_bias = options.use_bias,
          .return_sequences = options.return_sequences,
          .return_state = options.return_state,
          .go_backwards = options.go_backwards,
          .kernel_initializer = options.kernel_initializer,
          .recurrent_initializer = options.recurrent_initializer,
          .dropout = options.dropout,
          .recurrent_dropout = options.recurrent_dropout,
          .weight_drop = options.weight_drop,
          .zoneout_h = options.zoneout_h,
          .layer_normalization = options.layer_normalization,
          .epsilon = options.epsilon,
          .learn_initial_state = options.learn_initial_state};
}

}  // namespace

void LSTMOptions::exchange(Fields& fields) {
  exchange_shared(*this, fields);
  fields("forget_bias", forget_bias);
  fields("zoneout_c", zoneout_c);
  fields("peepholes", peepholes);
  fields("coupled_gates", coupled_gates);
  fields("projection", projection);
}
LSTM::LSTM(const LSTMOptions& o)
    : RecurrentLayer([&o] {
        auto shared =
            shared_options<Options>(o.coupled_gates ? Cell::kLstmCoupled : Cell::kLstm, o);
        shared.forget_bias = o.forget_bias;
        shared.zoneout_c = o.zoneout_c;
        shared.peepholes = o.peepholes;
        shared.projection = o.projection;
        return shared;
      }()),
      options_(o) {}
void LSTM::describe(Fields& fields) const { show(options_, fields); }

void GRUOptions::exchange(Fields& fields) {
  exchange_shared(*this, fields);
  fields("reset_after", reset_after);
}
GRU::GRU(const GRUOptions& o)
    : RecurrentLayer(
          shared_options<Options>(o.reset_after ? Cell::kGru : Cell::kGruResetBefore, o)),
      options_(o) {}
void GRU::describe(Fields& fields) const { show(options_, fields); }

void SimpleRNNOptions::exchange(Fields& fields) {
  exchange_shared(*this, fields);
  fields("relu", relu);
}
SimpleRNN::SimpleRNN(const SimpleRNNOptions& o)
    : RecurrentLayer(shared_options<Options>(o.relu ? Cell::kRnnRelu : Cell::kRnnTanh, o)),
      options_(o) {}
void SimpleRNN::describe(Fields& fields) const { show(options_, fields); }

}  // namespace rnn
