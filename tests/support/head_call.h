// One output head with random parameters and features, ragged lengths and poisoned padding.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "rnn/output_head.h"
#include "support/compare.h"
#include "support/layer_call.h"

namespace rnn::test {

class HeadBench {
 public:
  HeadBench(std::shared_ptr<const OutputHead> made, Index features_wide, const Backend& where,
            std::vector<std::int32_t> sequence_lengths, std::vector<std::int32_t> wanted)
      : head(std::move(made)),
        backend(where),
        lengths(std::move(sequence_lengths)),
        targets(std::move(wanted)),
        time(*std::max_element(lengths.begin(), lengths.end())),
        batch(static_cast<Index>(lengths.size())) {
    for (const ParameterSpec& spec : head->parameters(Signal::vectors(features_wide))) {
      parameters.push_back(random_values<float>(spec.shape, Random(7).fold(parameters.size())));
      gradients.emplace_back(spec.shape);
    }
    features = random_values<float>({time, batch, features_wide}, Random(3));
    poison_padding(features, lengths);
    nats = poisoned<float>({time, batch});
  }

  template <class Work>
  auto call(Work work) {
    std::vector<View<const float>> weights(parameters.begin(), parameters.end());
    std::vector<View<float>> into(gradients.begin(), gradients.end());
    Call made{.backend = &backend,
              .memory = &memory,
              .training = training,
              .random = Random(5),
              .parameters = weights,
              .gradients = into};
    if (!target_weights.empty()) {
      made.target_weights = {target_weights.data(), {static_cast<Index>(target_weights.size())}};
    }
    const Index per_step = head->targets_per_step();
    const Shape shape = per_step == 1 ? Shape{time, batch} : Shape{time, batch, per_step};
    return work(Sequence{.values = features, .lengths = lengths},
                View<const std::int32_t>(targets.data(), shape), made);
  }
  LossSum loss() {
    return call([&](auto x, auto y, Call& c) { return head->loss(x, y, nats, c); });
  }
  /// What `backward` differentiates: losses times weights.
  double weighted_loss() {
    const double sum = loss().nats;
    if (target_weights.empty()) return sum;
    double weighted = 0;
    for (Index i = 0; i < nats.size(); ++i) {
      weighted += double{target_weights[static_cast<std::size_t>(i)]} * double{nats[i]};
    }
    return weighted;
  }
  Tensor backward(float scale) {
    return call([&](auto x, auto y, Call& c) {
      return LayerBench::copy_of(head->backward(x, y, scale, c));
    });
  }
  Tensor predict() {
    return call([&](auto x, auto, Call& c) { return LayerBench::copy_of(head->predict(x, c)); });
  }

  /// Gradients of every parameter and of the features against central differences.
  void check_gradients(float scale = 0.75f, float step = 1e-2f) {
    loss();
    const Tensor dx = backward(scale);
    const auto check = [&](Tensor& values, const Tensor& gradient, const std::string& name) {
      for (Index i = 0; i < values.size(); ++i) {
        const float value = values[i];
        if (std::isnan(value)) {
          EXPECT_EQ(gradient[i], 0) << name << i;
          continue;
        }
        values[i] = value + step;
        const double above = weighted_loss();
        values[i] = value - step;
        const double below = weighted_loss();
        values[i] = value;
        EXPECT_NEAR(gradient[i], double{scale} * (above - below) / (2 * double{step}), 2e-3)
            << name << i;
      }
    };
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      check(parameters[p], gradients[p], "parameter " + std::to_string(p) + " element ");
    }
    check(features, dx, "x element ");
  }

  /// The same with a weight for each step, of its own or one for its sequence.
  void check_weighted_gradients(bool one_a_sequence = false) {
    for (Index t = 0; t < time; ++t) {
      for (Index b = 0; b < batch; ++b) {
        const Index place = one_a_sequence ? b : t * batch + b;
        target_weights.push_back(0.25f * static_cast<float>(place % 7));
      }
    }
    for (Tensor& gradient : gradients) gradient.fill(0);
    check_gradients();
    target_weights.clear();
  }

  /// A sequence alone, in a batch as long as itself, has the bits it has here.
  void check_mates() {
    loss();
    const Tensor dx = backward(1), p = predict();
    for (Index b = 0; b < batch; ++b) {
      const Index length = lengths[static_cast<std::size_t>(b)], width = head->targets_per_step();
      if (length == 0) continue;
      std::vector<std::int32_t> wanted;
      for (Index t = 0; t < length; ++t) {
        const auto from = targets.begin() + (t * batch + b) * width;
        wanted.insert(wanted.end(), from, from + width);
      }
      HeadBench alone(head, features.extent(2), backend, {static_cast<std::int32_t>(length)},
                      wanted);
      take_sequence(features, b, 0, length, alone.features, 0);
      alone.loss();
      for (Index t = 0; t < length; ++t) {
        EXPECT_EQ(alone.nats.view()(t, 0), nats.view()(t, b)) << t << ' ' << b;
      }
      EXPECT_TRUE(bits_equal(alone.backward(1), one(dx, b, length)));
      EXPECT_TRUE(bits_equal(alone.predict(), one(p, b, length)));
    }
  }

  /// What `describe` writes makes the same head again.
  void check_description() const {
    Json first = Json::object(), second = Json::object();
    JsonWriter write(first), write_again(second);
    head->describe(write);
    JsonReader read(first, "head");
    const auto again = make_output_head(head->type(), read);
    EXPECT_NO_THROW(read.finish());
    again->describe(write_again);
    EXPECT_EQ(first, second);
  }

  std::shared_ptr<const OutputHead> head;
  const Backend& backend;
  CallMemory memory;
  bool training = true;
  std::vector<float> target_weights{};  ///< [T*B]; empty: not given
  std::vector<std::int32_t> lengths, targets;
  Index time, batch;
  std::vector<Tensor> parameters, gradients;
  Tensor features, nats;

 private:
  static Tensor one(const Tensor& from, Index b, Index length) {
    Tensor part({length, 1, from.extent(2)});
    take_sequence(from, b, 0, length, part, 0);
    return part;
  }
};

}  // namespace rnn::test
