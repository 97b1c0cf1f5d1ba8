#include "rnn/embedding.h"

#include "layers/option_fields.h"

namespace rnn {

void EmbeddingOptions::exchange(Fields& fields) {
  fields("input_dim", input_dim);
  fields("output_dim", output_dim);
  exchange_initializer(fields, "initializer", initializer);
  fields("dropout", dropout);
  fields("trainable", trainable);
}

Embedding::Embedding(const EmbeddingOptions& options) : options_(options) {
  require_size(type(), "input_dim", options.input_dim);
  require_size(type(), "output_dim", options.output_dim);
  require_rate(type(), "dropout", options.dropout);
}

void Embedding::describe(Fields& fields) const { show(options_, fields); }

std::optional<Signal> Embedding::input() const { return Signal::symbols(options_.input_dim); }

Signal Embedding::output(const Signal& input) const {
  if (input != Signal::symbols(options_.input_dim)) {
    throw ConfigError("Embedding: expected " + Signal::symbols(options_.input_dim).to_string() +
                      ", got " + input.to_string());
  }
  return Signal::vectors(options_.output_dim);
}

std::vector<ParameterSpec> Embedding::parameters(const Signal&) const {
  return {{.name = "embeddings",
           .shape = {options_.input_dim, options_.output_dim},
           .initializer = options_.initializer,
           .trainable = options_.trainable}};
}

Sequence Embedding::forward(const Sequence& x, Call& call) const {
  for (Index t = 0; t < x.time(); ++t) {
    for (Index b = 0; b < x.batch(); ++b) {
      const std::int32_t id = x.ids(t, b);
      if (id >= options_.input_dim && t < length_of(x.lengths, b, x.time())) {
        throw ShapeError("Embedding: symbol " + std::to_string(id) + " is not below input_dim " +
                         std::to_string(options_.input_dim));
      }
    }
  }
  const View<float> y = call.memory->floats(0, {x.time(), x.batch(), options_.output_dim});
  call.backend->embedding_forward({.ids = x.ids,
                                   .lengths = x.lengths,
                                   .table = call.parameters[0],
                                   .y = y,
                                   .rate = call.training ? options_.dropout : 0,
                                   .random = call.random});
  Sequence result{.values = y, .lengths = x.lengths, .examples = x.examples};
  if (!call.training) result.look_up = {x.ids, call.parameters[0], y.data()};
  return result;
}

View<const float> Embedding::backward(const Sequence& x, View<const float> dy, Call& call) const {
  if (call.gradients[0]) {
    call.backend->embedding_backward({.ids = x.ids,
                                      .lengths = x.lengths,
                                      .dy = dy,
                                      .dtable = call.gradients[0],
                                      .rate = options_.dropout,
                                      .random = call.random});
  }
  return {};
}

}  // namespace rnn
