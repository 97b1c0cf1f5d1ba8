#include <map>
#include <string>

#include "layers/registry.h"
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
#include "rnn/registry.h"
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

template <class Made>
std::shared_ptr<const JointLayer> make_plain(Fields&) {
  return std::make_shared<const Made>();
}

/// The types of the library, and beside them those that a program registers.
template <class Base>
struct Types {
  using Own = std::map<std::string_view, std::shared_ptr<const Base> (*)(Fields&)>;
  const char* what;
  Own own;
  Registry<Base> others{};

  bool knows(std::string_view type) const { return own.count(type) > 0 || others.find(type); }
  void add(std::string type, Maker<Base> maker) {
    if (own.count(type) > 0 || !others.add(type, std::move(maker))) {
      throw ConfigError(std::string("register: the ") + what + " type '" + type +
                        "' is known already");
    }
  }
  std::shared_ptr<const Base> make(std::string_view type, Fields& options) const {
    if (const auto found = own.find(type); found != own.end()) return found->second(options);
    if (const auto maker = others.find(type)) return maker(options);
    std::string known;
    for (const auto& [name, maker] : own) known += " " + std::string(name);
    throw ConfigError(std::string(what) + " type: expected one of" + known + others.names() +
                      ", got '" + std::string(type) + "'");
  }
};

Types<Layer>& layer_types() {
  static Types<Layer> types{
      "layer",
      {
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
      }};
  return types;
}

Types<JointLayer>& joint_layer_types() {
  static Types<JointLayer> types{"joint layer",
                                 {{"Add", make_plain<Add>},
                                  {"Average", make_plain<Average>},
                                  {"Concatenate", make_plain<Concatenate>},
                                  {"Gather", make_plain<Gather>},
                                  {"Multiply", make_plain<Multiply>}}};
  return types;
}

Types<OutputHead>& output_head_types() {
  static Types<OutputHead> types{
      "output head",
      {
          {"AdaptiveSoftmax", make<AdaptiveSoftmax, AdaptiveSoftmaxOptions, OutputHead>},
          {"CRF", make<CRF, CRFOptions, OutputHead>},
          {"SampledSoftmax", make<SampledSoftmax, SampledSoftmaxOptions, OutputHead>},
          {"Sigmoid", make<Sigmoid, SigmoidOptions, OutputHead>},
          {"Softmax", make<Softmax, SoftmaxOptions, OutputHead>},
      }};
  return types;
}

}  // namespace

std::shared_ptr<const Layer> make_layer(std::string_view type, Fields& options) {
  return layer_types().make(type, options);
}
std::shared_ptr<const JointLayer> make_joint_layer(std::string_view type, Fields& options) {
  return joint_layer_types().make(type, options);
}
std::shared_ptr<const OutputHead> make_output_head(std::string_view type, Fields& options) {
  return output_head_types().make(type, options);
}

void register_layer(std::string type, Maker<Layer> maker) {
  layer_types().add(std::move(type), std::move(maker));
}
void register_joint_layer(std::string type, Maker<JointLayer> maker) {
  joint_layer_types().add(std::move(type), std::move(maker));
}
void register_output_head(std::string type, Maker<OutputHead> maker) {
  output_head_types().add(std::move(type), std::move(maker));
}

bool knows_layer(std::string_view type) { return layer_types().knows(type); }
bool knows_joint_layer(std::string_view type) { return joint_layer_types().knows(type); }
bool knows_output_head(std::string_view type) { return output_head_types().knows(type); }

}  // namespace rnn
