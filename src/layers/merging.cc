#include "rnn/merging.h"

#include <algorithm>

#include "layers/option_fields.h"

namespace rnn {
namespace {

// Result of the merge of inputs 0 .. i, and the two gradients of that merge.
std::size_t merged(std::size_t i) { return 3 * i; }
std::size_t gradient_before(std::size_t i) { return 3 * i + 1; }
std::size_t gradient_of(std::size_t i) { return 3 * i + 2; }

std::string lengths_to_string(std::span<const std::int32_t> lengths, Index time) {
  if (lengths.empty()) return "all " + std::to_string(time) + " long";
  std::string text = "lengths";
  for (std::size_t b = 0; b < lengths.size() && b < 8; ++b) {
    text += (b == 0 ? " " : ", ") + std::to_string(lengths[b]);
  }
  return text + (lengths.size() > 8 ? " ..." : "");
}

void require_same_steps(std::span<const Sequence> inputs) {
  const Sequence& first = inputs[0];
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const Sequence& other = inputs[i];
    // Made when it is needed: a step must not allocate.
    const auto which = [&] { return "input " + std::to_string(i + 1) + ": expected "; };
    if (other.time() != first.time() || other.batch() != first.batch()) {
      throw ShapeError(which() + "the " + std::to_string(first.time()) + " steps and " +
                       std::to_string(first.batch()) + " sequences of input 1, got " +
                       std::to_string(other.time()) + " and " + std::to_string(other.batch()));
    }
    for (Index b = 0; b < first.batch(); ++b) {
      if (length_of(first.lengths, b, first.time()) != length_of(other.lengths, b, other.time())) {
        throw ShapeError(which() + "the same lengths as input 1, which has " +
                         lengths_to_string(first.lengths, first.time()) + ", got " +
                         lengths_to_string(other.lengths, other.time()) +
                         "; a layer before it lost or changed them");
      }
    }
  }
}

}  // namespace

std::vector<ParameterSpec> JointLayer::parameters(std::span<const Signal>) const { return {}; }

void MergingLayer::describe(Fields&) const {}

Signal MergingLayer::output(std::span<const Signal> inputs) const {
  const std::string name(type());
  const bool two_alone = merge_ == Merge::kMean;
  if (inputs.size() < 2 || (two_alone && inputs.size() > 2)) {
    throw ConfigError(name + ": expected " + (two_alone ? "two" : "at least two") +
                      " inputs, got " + std::to_string(inputs.size()));
  }
  Index width = 0;
  for (const Signal& input : inputs) {
    require_vectors(name, input);
    if (merge_ != Merge::kConcat && input != inputs[0]) {
      throw ConfigError(name + ": all inputs must be equally wide, got " + inputs[0].to_string() +
                        " and " + input.to_string());
    }
    width += input.size;
  }
  return merge_ == Merge::kConcat ? Signal::vectors(width) : inputs[0];
}

Sequence MergingLayer::forward(std::span<const Sequence> inputs, Call& call) const {
  require_same_steps(inputs);
  Sequence y = inputs[0];
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const View<const float> x = inputs[i].values;
    const Index width = y.values.extent(2) + (merge_ == Merge::kConcat ? x.extent(2) : 0);
    const View<float> both = call.memory->floats(merged(i), {y.time(), y.batch(), width});
    call.backend->merge_forward(
        {.merge = merge_, .a = y.values, .b = x, .lengths = y.lengths, .y = both});
    y.values = both;
  }
  return y;
}

void MergingLayer::backward(std::span<const Sequence> inputs, View<const float> dy, Call& call,
                            std::span<View<const float>> dx) const {
  if (merge_ == Merge::kSum) {  // everyone's gradient is dy itself
    std::fill(dx.begin(), dx.end(), dy);
    return;
  }
  for (std::size_t i = inputs.size() - 1; i > 0; --i) {
    const Index width = inputs[i].values.extent(2);
    const Index before = merge_ == Merge::kConcat ? dy.extent(2) - width : width;
    const View<float> da =
        call.memory->floats(gradient_before(i), {dy.extent(0), dy.extent(1), before});
    const View<float> db = call.memory->floats(gradient_of(i), inputs[i].values.shape());
    MergeBackward<float> split{
        .merge = merge_, .lengths = inputs[i].lengths, .dy = dy, .da = da, .db = db};
    if (merge_ == Merge::kMul) {
      split.a = i > 1 ? View<const float>(call.memory->floats(merged(i - 1))) : inputs[0].values;
      split.b = inputs[i].values;
    }
    call.backend->merge_backward(split);
    dx[i] = db;
    dy = da;
  }
  dx[0] = dy;
}

}  // namespace rnn
