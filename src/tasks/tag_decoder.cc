#include "tasks/tag_decoder.h"

#include <algorithm>
#include <cmath>

namespace rnn {
namespace {

Sequential without_head(const Network& network) {
  std::vector<Part> parts;
  for (const Network::Node& node : network.nodes()) parts.emplace_back(node.layer);
  return Sequential(parts);
}

Parameters part_of(const Parameters& all, const Network& network, const Backend& backend) {
  Parameters some = network.zero_parameters(backend);
  for (NamedTensor& entry : some) entry.tensor = all.at(entry.name);
  some.changed();
  return some;
}

}  // namespace

TagDecoder::TagDecoder(const Network& network, const Parameters& parameters,
                       std::shared_ptr<const Backend> backend, std::vector<std::uint8_t> allowed)
    : body_(without_head(network)),
      parameters_(part_of(parameters, body_, *backend)),
      backend_(std::move(backend)),
      inference_(body_, parameters_, backend_),
      head_(network.head().head),
      version_(parameters_.version()),
      memory_(backend_->memory()),
      other_memory_(backend_->memory()),
      allowed_(std::move(allowed)),
      transitions_({network.head().classes, network.head().classes}),
      ends_({network.head().classes}) {
  for (const std::size_t position : network.head().parameters) {
    head_parameters_.push_back(parameters[position]);
  }
  for (const Tensor& tensor : head_parameters_) head_views_.push_back(tensor);
}

Call TagDecoder::call(CallMemory& memory) const {
  return {.backend = backend_.get(),
          .memory = &memory,
          .weights_version = version_,
          .parameters = head_views_};
}

void TagDecoder::run(const Batch& batch) {
  State state = body_.zero_state(batch.batch, *backend_);
  lengths_ = batch.lengths;
  features_ = {.values = inference_.predict(batch, state), .lengths = lengths_};
  Call now = call(memory_);
  if (const auto* crf = dynamic_cast<const CRF*>(head_.get())) {
    scores_ = crf->scores(features_, now);
    return;
  }
  const View<const float> probabilities = head_->predict(features_, now);
  log_probabilities_.resize(probabilities.shape());
  std::transform(probabilities.begin(), probabilities.end(), log_probabilities_.data(),
                 [](float p) { return std::log(p); });
  scores_ = {.emissions = log_probabilities_,
             .lengths = lengths_,
             .transitions = transitions_,
             .start = ends_,
             .end = ends_,
             .allowed = allowed_};
}

std::vector<std::int32_t> TagDecoder::best(Index b) const { return crf_best_labels(scores_, b); }

std::vector<CrfPath> TagDecoder::n_best(Index b, Index n) const {
  std::vector<CrfPath> paths = crf_n_best(scores_, b, n);
  if (dynamic_cast<const CRF*>(head_.get())) return paths;
  for (CrfPath& path : paths) {  // without the share that impossible paths have
    path.log_prob = 0;
    for (std::size_t t = 0; t < path.labels.size(); ++t) {
      path.log_prob += double{scores_.emissions(static_cast<Index>(t), b, path.labels[t])};
    }
  }
  return paths;
}

LossSum TagDecoder::loss(const Batch& batch) {
  const Shape steps{features_.time(), features_.batch()};
  nats_.resize(steps);
  Call now = call(other_memory_);
  return head_->loss(features_, {batch.targets.data(), steps}, nats_, now);
}

View<const float> TagDecoder::marginals() {
  Call now = call(other_memory_);
  return head_->predict(features_, now);
}

}  // namespace rnn
