#include "rnn/dense.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/recurrent.h"
#include "rnn/softmax.h"

namespace rnn {
namespace {

template <class L, class Options>
std::shared_ptr<const L> from(Fields& fields) {
  Options options;
  options.exchange(fields);
  return std::make_shared<const L>(options);
}

}  // namespace

std::shared_ptr<const Layer> make_layer(std::string_view type, Fields& options) {
  if (type == "Embedding") return from<Embedding, EmbeddingOptions>(options);
  if (type == "LSTM") return from<LSTM, LSTMOptions>(options);
  if (type == "GRU") return from<GRU, GRUOptions>(options);
  if (type == "SimpleRNN") return from<SimpleRNN, SimpleRNNOptions>(options);
  if (type == "Dense") return from<Dense, DenseOptions>(options);
  if (type == "Dropout") return from<Dropout, DropoutOptions>(options);
  throw ConfigError(
      "layer type: expected Embedding, LSTM, GRU, SimpleRNN, Dense or Dropout, got '" +
      std::string(type) + "'");
}

std::shared_ptr<const OutputHead> make_output_head(std::string_view type, Fields& options) {
  if (type == "Softmax") return from<Softmax, SoftmaxOptions>(options);
  throw ConfigError("output head type: expected Softmax, got '" + std::string(type) + "'");
}

}  // namespace rnn
