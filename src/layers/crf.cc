#include "rnn/crf.h"

#include <charconv>
#include <mutex>
#include <sstream>

#include "layers/affine.h"
#include "layers/option_fields.h"

namespace rnn {
namespace {

enum Slot : std::size_t { kEmissions, kNats, kDEmissions, kDx, kMarginals, kWeights };
enum Buffer : std::size_t { kForwardScratch, kBackwardScratch, kCrfScratch };

/// Where the parameters of the chain stand, counted from the end.
enum Chain : std::size_t { kEnd = 1, kStart, kTransitions };

template <class Views>
auto chain(const Views& views, Chain which) {
  return views[views.size() - which];
}

/// A label's number, or K for `word`.
Index parse_label(std::string_view text, std::string_view word, Index K) {
  if (text == word) return K;
  Index label = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), label);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || label < 0 ||
      label >= K) {
    throw ConfigError("CRF: in forbidden, expected a label from 0 to " + std::to_string(K - 1) +
                      " or '" + std::string(word) + "', got '" + std::string(text) + "'");
  }
  return label;
}

/// The weight of each sequence, whose targets must all have the same: its loss is that of a path.
View<const float> sequence_weights(View<const std::int32_t> targets, Call& call) {
  if (!call.target_weights) return {};
  const View<float> weights = call.memory->floats(kWeights, {targets.extent(1)});
  for (Index b = 0; b < targets.extent(1); ++b) {
    bool first = true;
    weights[b] = 0;
    for (Index t = 0; t < targets.extent(0); ++t) {
      if (targets(t, b) < 0) continue;
      const float weight = call.target_weights[t * targets.extent(1) + b];
      if (first) weights[b] = weight;
      first = false;
      if (weight != weights[b]) {
        throw ShapeError("CRF: a sequence has one weight; expected " + to_text(weights[b]) +
                         " for all its targets, got " + to_text(weight) + " at step " +
                         std::to_string(t) + " of sequence " + std::to_string(b));
      }
    }
  }
  return weights;
}

Affine affine(const CRFOptions& options) {
  return {.bias = bias_after_kernel(options.use_bias),
          .y = kEmissions,
          .dx = kDx,
          .forward_scratch = kForwardScratch,
          .backward_scratch = kBackwardScratch};
}

}  // namespace

void CRFOptions::exchange(Fields& fields) {
  fields("units", units);
  fields("use_bias", use_bias);
  fields("forbidden", forbidden);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

/// A description may claim any number of labels. The table is therefore made when it is first read:
/// by then there are transitions, which take four times as much.
class CRF::Rules {
 public:
  explicit Rules(Index labels) : labels_(labels) {}

  void forbid(Index from, Index to) {
    forbidden_.push_back({static_cast<std::int32_t>(from), static_cast<std::int32_t>(to)});
  }
  /// As CrfScores has it. Any number of threads may ask.
  std::span<const std::uint8_t> allowed() const {
    if (forbidden_.empty()) return {};
    std::call_once(made_, [this] {
      allowed_.assign(static_cast<std::size_t>((labels_ + 1) * (labels_ + 1)), 1);
      for (const Transition& one : forbidden_) {
        allowed_[static_cast<std::size_t>(one.from * (labels_ + 1) + one.to)] = 0;
      }
    });
    return allowed_;
  }

 private:
  struct Transition {
    std::int32_t from, to;
  };
  Index labels_;
  std::vector<Transition> forbidden_{};
  mutable std::once_flag made_{};
  mutable std::vector<std::uint8_t> allowed_{};
};

CRF::CRF(const CRFOptions& options) : options_(options) {
  require_size(type(), "units", options.units);
  const Index K = options.units;
  const auto rules = std::make_shared<Rules>(K);
  rules_ = rules;
  std::istringstream words(options.forbidden);
  for (std::string word; words >> word;) {
    const auto arrow = word.find('>');
    if (arrow == std::string::npos) {
      throw ConfigError("CRF: in forbidden, expected from>to, got '" + word + "'");
    }
    const std::string_view text(word);
    const Index from = parse_label(text.substr(0, arrow), "start", K);
    const Index to = parse_label(text.substr(arrow + 1), "end", K);
    rules->forbid(from, to);
  }
}

void CRF::describe(Fields& fields) const { show(options_, fields); }

Index CRF::classes(const Signal& features) const {
  require_vectors(type(), features);
  return options_.units;
}

std::vector<ParameterSpec> CRF::parameters(const Signal& features) const {
  const Index K = options_.units;
  std::vector<ParameterSpec> specs{{"kernel", {features.size, K}, options_.kernel_initializer}};
  if (options_.use_bias) specs.push_back({"bias", {K}});
  specs.push_back({"transitions", {K, K}});
  specs.push_back({"start", {K}});
  specs.push_back({"end", {K}});
  return specs;
}

CrfScores<float> CRF::scores(const Sequence& features, Call& call) const {
  return {.emissions = affine(options_).forward(features, call),
          .lengths = features.lengths,
          .transitions = chain(call.parameters, kTransitions),
          .start = chain(call.parameters, kStart),
          .end = chain(call.parameters, kEnd),
          .allowed = rules_->allowed()};
}

void CRF::check(const Sequence& features, View<const std::int32_t> targets) const {
  const Index K = options_.units;
  const CrfScores<float> rules{.emissions = {nullptr, {1, 1, K}}, .allowed = rules_->allowed()};
  for (Index b = 0; b < features.batch(); ++b) {
    const Index length = length_of(features.lengths, b, features.time());
    for (Index t = 0; t < length; ++t) {
      const Index label = targets(t, b);
      if (label >= K) {
        throw ShapeError("CRF: target " + std::to_string(label) + " is not below units " +
                         std::to_string(K));
      }
      const Index before = t > 0 ? targets(t - 1, b) : K;
      const bool stops = t == length - 1 && label >= 0 && !rules.allows(label, K);
      if (stops || (label >= 0 && before >= 0 && !rules.allows(before, label))) {
        throw ShapeError("CRF: the target of step " + std::to_string(t) + " of sequence " +
                         std::to_string(b) + " is " + std::to_string(label) +
                         ", which the option forbidden rules out there");
      }
    }
  }
}

LossSum CRF::loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
                  Call& call) const {
  check(features, targets);
  const View<float> of_sequence = call.memory->floats(kNats, {features.batch()});
  call.backend->crf_forward({.scores = scores(features, call),
                             .targets = targets,
                             .nats = of_sequence,
                             .scratch = call.memory->bytes(
                                 kCrfScratch, crf_scratch_bytes(features.time(), options_.units))});
  std::fill(nats.begin(), nats.end(), 0.0f);
  LossSum sum;
  for (Index b = 0; b < features.batch(); ++b) {
    bool first = true;
    for (Index t = 0; t < length_of(features.lengths, b, features.time()); ++t) {
      if (targets(t, b) < 0) continue;
      if (first) nats(t, b) = of_sequence[b];
      first = false;
      ++sum.targets;
    }
  }
  for (float value : nats) sum.nats += static_cast<double>(value);
  return sum;
}

View<const float> CRF::backward(const Sequence& features, View<const std::int32_t> targets,
                                float scale, Call& call) const {
  const View<float> emissions = call.memory->floats(kEmissions);
  const View<float> demissions = call.memory->floats(kDEmissions, emissions.shape());
  call.backend->crf_backward({.scores = {.emissions = emissions,
                                         .lengths = features.lengths,
                                         .transitions = chain(call.parameters, kTransitions),
                                         .start = chain(call.parameters, kStart),
                                         .end = chain(call.parameters, kEnd),
                                         .allowed = rules_->allowed()},
                              .targets = targets,
                              .scale = scale,
                              .weights = sequence_weights(targets, call),
                              .demissions = demissions,
                              .dtransitions = chain(call.gradients, kTransitions),
                              .dstart = chain(call.gradients, kStart),
                              .dend = chain(call.gradients, kEnd),
                              .scratch = call.memory->bytes(kCrfScratch)});
  return affine(options_).backward(features, demissions, call.wants_dx, call);
}

View<const float> CRF::predict(const Sequence& features, Call& call) const {
  const CrfScores<float> made = scores(features, call);
  const View<float> marginals = call.memory->floats(kMarginals, made.emissions.shape());
  call.backend->crf_forward({.scores = made,
                             .marginals = marginals,
                             .scratch = call.memory->bytes(
                                 kCrfScratch, crf_scratch_bytes(features.time(), options_.units))});
  return marginals;
}

}  // namespace rnn
