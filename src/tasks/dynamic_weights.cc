#include "tasks/dynamic_weights.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/json.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/text/lane_dataset.h"

namespace rnn {
namespace {

/// Lanes that statistics are measured over together.
constexpr std::int64_t kLanes = 64;

void switch_off(Json& json) {
  static const std::set<std::string> kRates{"dropout", "recurrent_dropout", "weight_drop",
                                            "l2",      "temporal_l2",       "label_smoothing"};
  if (json.is_object()) {
    for (const char* name : {"zoneout_h", "zoneout_c"}) {
      if (json.value(name, 0.0) > 0) {
        throw ConfigError(
            "dynamic evaluation: the network has zoneout, which acts in evaluation "
            "too; only networks without can be trained as they are evaluated");
      }
    }
    if (json.value("type", "") == "Dropout") json["rate"] = 0;
    // With all units drawn it is the softmax that it is in evaluation.
    if (json.value("type", "") == "SampledSoftmax") json["num_sampled"] = json["units"];
    for (const std::string& name : kRates) {
      if (json.contains(name)) json[name] = 0;
    }
  }
  for (Json& inner : json) {
    if (inner.is_structured()) switch_off(inner);
  }
}

}  // namespace

Network without_regularizers(const Network& network) {
  Json json = parse_json(network_to_json(network), "network");
  switch_off(json);
  return network_from_json(json.dump());
}

DynamicWeights::DynamicWeights(const LanguageModel& model, const DynamicEvaluation& options,
                               std::span<const std::int32_t> statistics, std::int32_t end_id)
    : steps_(options.steps),
      network_(without_regularizers(model.network())),
      backend_(model.backend()),
      trained_(model.parameters()),
      weights_(model.parameters()),
      session_(network_, weights_, backend_),
      pool_({.threads = backend_->threads()}) {
  measure(options, statistics, end_id);
}

void DynamicWeights::measure(const DynamicEvaluation& options,
                             std::span<const std::int32_t> statistics, std::int32_t end_id) {
  const auto units = static_cast<std::int64_t>(statistics.size());
  const std::int64_t lanes = std::clamp<std::int64_t>(units / options.steps, 1, kLanes);
  LaneDataset data(statistics, end_id, {.batch = lanes, .bptt = options.steps});
  for (const NamedTensor& gradient : session_.gradients()) {
    rates_.add(gradient.name, Tensor(gradient.tensor.shape()));
  }
  rates_.fill(0);
  State state = network_.zero_state(lanes, *backend_);
  std::int64_t windows = 0;
  for (Batch batch; data.next(batch); ++windows) {
    session_.zero_gradients();
    session_.forward(batch, state);
    session_.backward();
    for (std::size_t p = 0; p < rates_.size(); ++p) {
      const Tensor& gradient = session_.gradients()[p];
      for (Index i = 0; i < gradient.size(); ++i) rates_[p][i] += gradient[i] * gradient[i];
    }
  }
  double sum = 0;
  for (NamedTensor& rate : rates_) {
    for (float& square : rate.tensor.view()) {
      square = std::sqrt(square / static_cast<float>(windows));
      sum += static_cast<double>(square);
    }
  }
  const double mean = sum / static_cast<double>(std::max<Index>(rates_.elements(), 1));
  pulls_ = rates_;
  const auto decay = static_cast<float>(mean > 0 ? static_cast<double>(options.decay) / mean : 0);
  for (NamedTensor& pull : pulls_) {
    for (float& root : pull.tensor.view()) root = std::min(decay * root, 1.0f);
  }
  for (NamedTensor& rate : rates_) {
    for (float& root : rate.tensor.view()) root = options.lr / (root + options.epsilon);
  }
}

void DynamicWeights::read(const Batch& segment, State& state, const Observer& observer) {
  session_.observe(observer);
  session_.zero_gradients();
  session_.forward(segment, state);
  session_.observe({});
  session_.backward(1 / static_cast<float>(steps_));
  step();
}

void DynamicWeights::step() {
  const int parts = pool_.threads();
  pool_.run(parts, [&](int part) {
    for (std::size_t p = 0; p < weights_.size(); ++p) {
      const Tensor& gradient = session_.gradients()[p];
      const Index size = gradient.size();
      const Index from = size * part / parts, to = size * (part + 1) / parts;
      float* const weight = weights_[p].data();
      const float* const trained = trained_[p].data();
      const float* const slope = gradient.data();
      const float* const rate = rates_[p].data();
      const float* const pull = pulls_[p].data();
      for (Index i = from; i < to; ++i) {
        weight[i] += pull[i] * (trained[i] - weight[i]) - rate[i] * slope[i];
      }
    }
  });
  weights_.changed();
}

}  // namespace rnn
