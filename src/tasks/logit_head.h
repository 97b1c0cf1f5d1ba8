#pragma once

#include "rnn/output_head.h"

namespace rnn {

/// What a Softmax or Sigmoid sees of one label before it squashes it, as something to be
/// differentiated: the "loss" of a target k is minus the logit x W_k + b_k. `predict` gives all
/// logits. Parameters are those of the head it stands for: `kernel` [F,V] and `bias` [V].
class LogitHead final : public OutputHead {
 public:
  explicit LogitHead(Index units) : units_(units) {}

  std::string_view type() const noexcept override { return "Logit"; }
  void describe(Fields&) const override {}
  Index classes(const Signal&) const override { return units_; }
  std::vector<ParameterSpec> parameters(const Signal& features) const override;
  LossSum loss(const Sequence& features, View<const std::int32_t> targets, View<float> nats,
               Call& call) const override;
  View<const float> backward(const Sequence& features, View<const std::int32_t> targets,
                             float scale, Call& call) const override;
  View<const float> predict(const Sequence& features, Call& call) const override;

 private:
  Index units_;
};

}  // namespace rnn
