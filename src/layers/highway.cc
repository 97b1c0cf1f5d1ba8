#include "rnn/highway.h"

#include "layers/affine.h"
#include "layers/option_fields.h"

namespace rnn {
namespace {

/// Two branches: 0 is what the gate lets in, 1 is the gate.
enum Slot : std::size_t { kY, kDRound, kBranch, kDBranch = kBranch + 2, kDx = kDBranch + 2 };
enum Buffer : std::size_t { kForwardScratch, kBackwardScratch = kForwardScratch + 2 };

Affine affine(std::size_t branch) {
  return {.kernel = 2 * branch,
          .bias = 2 * branch + 1,
          .y = kBranch + branch,
          .dx = kDx + branch,
          .forward_scratch = kForwardScratch + branch,
          .backward_scratch = kBackwardScratch + branch};
}

}  // namespace

void HighwayOptions::exchange(Fields& fields) {
  fields.choice("activation", activation, {"tanh", "sigmoid", "relu"});
  fields("gate_bias", gate_bias);
  exchange_initializer(fields, "kernel_initializer", kernel_initializer);
}

Highway::Highway(const HighwayOptions& options) : options_(options) {}

void Highway::describe(Fields& fields) const { show(options_, fields); }

Signal Highway::output(const Signal& input) const {
  require_vectors(type(), input);
  return input;
}

std::vector<ParameterSpec> Highway::parameters(const Signal& input) const {
  const Index F = input.size;
  return {{"kernel", {F, F}, options_.kernel_initializer},
          {"bias", {F}},
          {"gate_kernel", {F, F}, options_.kernel_initializer},
          {"gate_bias", {F}, Initializer::constant(options_.gate_bias)}};
}

View<float> Highway::branch(const Sequence& x, int which, Call& call) const {
  const auto w = static_cast<std::size_t>(which);
  const View<float> y = affine(w).forward(x, call);
  call.backend->activation_forward(
      {.activation = which == 1 ? Activation::kSigmoid : options_.activation, .x = y, .y = y});
  return y;
}

View<float> Highway::branch_backward(const Sequence& x, int which, Call& call) const {
  const auto w = static_cast<std::size_t>(which);
  const View<float> d = call.memory->floats(kDBranch + w);
  call.backend->activation_backward(
      {.activation = which == 1 ? Activation::kSigmoid : options_.activation,
       .y = call.memory->floats(kBranch + w),
       .dy = d,
       .dx = d});
  return affine(w).backward(x, d, call.wants_dx, call);
}

Sequence Highway::forward(const Sequence& x, Call& call) const {
  const View<float> y = call.memory->floats(kY, x.values.shape());
  const View<float> inside = branch(x, 0, call), gate = branch(x, 1, call);
  call.backend->merge_forward(
      {.merge = Merge::kGate, .a = inside, .b = x.values, .g = gate, .lengths = x.lengths, .y = y});
  return {.values = y, .lengths = x.lengths, .examples = x.examples};
}

View<const float> Highway::backward(const Sequence& x, View<const float> dy, Call& call) const {
  const View<float> round = call.memory->floats(kDRound, dy.shape());
  call.backend->merge_backward({.merge = Merge::kGate,
                                .a = call.memory->floats(kBranch),
                                .b = x.values,
                                .g = call.memory->floats(kBranch + 1),
                                .lengths = x.lengths,
                                .dy = dy,
                                .da = call.memory->floats(kDBranch, dy.shape()),
                                .db = round,
                                .dg = call.memory->floats(kDBranch + 1, dy.shape())});
  for (int which : {0, 1}) {
    const View<float> dx = branch_backward(x, which, call);
    if (!call.wants_dx) continue;
    call.backend->merge_forward(
        {.merge = Merge::kSum, .a = round, .b = dx, .lengths = x.lengths, .y = round});
  }
  return call.wants_dx ? round : View<float>();
}

}  // namespace rnn
