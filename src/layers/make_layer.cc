#include <map>
#include <string>

#include "rnn/activity_regularization.h"
#include "rnn/adaptive_softmax.h"
#include "rnn/bidirectional.h"
#include "rnn/conv1d.h"
#include "rnn/crf.h"
#include "rnn/dense.h"
#include "rnn/dropout.h"
#include "rnn/embedding.h"
#include "rnn/error.h"
#include "rnn/gather.h"
#include "rnn/highway.h"
#include "rnn/layer_normalization.h"
#include "rnn/merging.h"
#include "rnn/ngram_embedding.h"
#include "rnn/pooling.h"
#include "rnn/recurrent.h"
#include "rnn/residual.h"
#include "rnn/sampled_softmax.h"
#include "rnn/sigmoid.h"
#include "rnn/softmax.h"

namespace rnn {
namespace {

template <class Made, class Options, class Base = Layer>
std::shared_ptr<const Base> make(Fields& fields) {
  Options options;
  options.exchange(fields);
  return std::make_shared<const Made>(options);
}

template <class Maker>
Maker find(const std::string& what, const std::map<std::string_view, Maker>& makers,
           std::string_view type) {
  if (const auto found = makers.find(type); found != makers.end()) return found->second;
  std::string known;
  for (const auto& [name, maker] : makers) known += " " + std::string(name);
  throw ConfigError(what + " type: expected one of" + known + ", got '" + std::string(type) + "'");
}

}  // namespace

std::shared_ptr<const Layer> make_layer(std::string_view type, Fields& options) {
  using Maker = std::shared_ptr<const Layer> (*)(Fields&);
  static const std::map<std::string_view, Maker> makers{
      {"ActivityRegularization", make<ActivityRegularization, ActivityRegularizationOptions>},
      {"Bidirectional", make<Bidirectional, BidirectionalOptions>},
      {"Conv1D", make<Conv1D, Conv1DOptions>},
      {"Dense", make<Dense, DenseOptions>},
      {"Dropout", make<Dropout, DropoutOptions>},
      {"Embedding", make<Embedding, EmbeddingOptions>},
      {"GRU", make<GRU, GRUOptions>},
      {"Highway", make<Highway, HighwayOptions>},
      {"LSTM", make<LSTM, LSTMOptions>},
      {"LayerNormalization", make<LayerNormalization, LayerNormalizationOptions>},
      {"NgramEmbedding", make<NgramEmbedding, NgramEmbeddingOptions>},
      {"PoolOverTime", make<PoolOverTime, PoolOverTimeOptions>},
      {"Residual", make<Residual, ResidualOptions>},
      {"SimpleRNN", make<SimpleRNN, SimpleRNNOptions>},
  };
  return find("layer", makers, type)(options);
}

std::shared_ptr<const JointLayer> make_joint_layer(std::string_view type, Fields&) {
  if (type == "Add") return std::make_shared<const Add>();
  if (type == "Average") return std::make_shared<const Average>();
  if (type == "Concatenate") return std::make_shared<const Concatenate>();
  if (type == "Gather") return std::make_shared<const Gather>();
  if (type == "Multiply") return std::make_shared<const Multiply>();
  return nullptr;
}

std::shared_ptr<const OutputHead> make_output_head(std::string_view type, Fields& options) {
  using Maker = std::shared_ptr<const OutputHead> (*)(Fields&);
  static const std::map<std::string_view, Maker> makers{
      {"AdaptiveSoftmax", make<AdaptiveSoftmax, AdaptiveSoftmaxOptions, OutputHead>},
      {"CRF", make<CRF, CRFOptions, OutputHead>},
      {"SampledSoftmax", make<SampledSoftmax, SampledSoftmaxOptions, OutputHead>},
      {"Sigmoid", make<Sigmoid, SigmoidOptions, OutputHead>},
      {"Softmax", make<Softmax, SoftmaxOptions, OutputHead>},
  };
  return find("output head", makers, type)(options);
}

}  // namespace rnn
