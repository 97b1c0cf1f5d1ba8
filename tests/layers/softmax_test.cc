#include "rnn/softmax.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/layer_call.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::for_each_backend;
using test::random_values;

constexpr Index kTime = 3, kBatch = 4, kFeatures = 5, kClasses = 6;

/// A softmax over random features, with ragged lengths, a masked target and poisoned padding.
struct Problem {
  Problem(const Backend& where, const SoftmaxOptions& options) : backend(where), head(options) {
    for (const ParameterSpec& spec : head.parameters(Signal::vectors(kFeatures))) {
      parameters.push_back(random_values<float>(spec.shape, Random(7).fold(parameters.size())));
      gradients.emplace_back(spec.shape);
    }
    test::poison_padding(features, lengths);
  }

  template <class Work>
  auto call(Work work) {
    std::vector<View<const float>> weights(parameters.begin(), parameters.end());
    std::vector<View<float>> into(gradients.begin(), gradients.end());
    Call made{.backend = &backend,
              .memory = &memory,
              .training = true,
              .parameters = weights,
              .gradients = into,
              .wants_dx = wants_dx};
    return work(Sequence{.values = features, .lengths = lengths},
                View<const std::int32_t>(targets.data(), {kTime, kBatch}), made);
  }
  LossSum loss() {
    return call([&](auto x, auto y, Call& c) { return head.loss(x, y, nats, c); });
  }
  Tensor backward(float scale) {
    return call([&](auto x, auto y, Call& c) {
      const View<const float> dx = head.backward(x, y, scale, c);
      return dx ? test::LayerBench::copy_of(dx) : Tensor();
    });
  }
  Tensor predict() {
    return call(
        [&](auto x, auto, Call& c) { return test::LayerBench::copy_of(head.predict(x, c)); });
  }

  const Backend& backend;
  Softmax head;
  CallMemory memory;
  bool wants_dx = true;
  std::vector<Tensor> parameters, gradients;
  Tensor features = random_values<float>({kTime, kBatch, kFeatures}, Random(3));
  std::vector<std::int32_t> lengths{3, 1, 0, 2};
  std::vector<std::int32_t> targets{5, 0, -1, 2, 1, -1, -1, -1, 4, -1, -1, -1};
  Tensor nats = test::poisoned<float>({kTime, kBatch});
};

std::vector<SoftmaxOptions> ways() {
  return {{.units = kClasses},
          {.units = kClasses, .use_bias = false},
          {.units = kClasses, .tied_to = "embedding"},
          {.units = kClasses, .use_bias = false, .tied_to = "embedding"}};
}

TEST(Softmax, DeclaresItsOwnKernelOrTheTableItIsTiedTo) {
  const auto own = Softmax(ways()[0]).parameters(Signal::vectors(kFeatures));
  ASSERT_EQ(own.size(), 2u);
  EXPECT_EQ(own[0].name, "kernel");
  EXPECT_EQ(own[0].shape, (Shape{kFeatures, kClasses}));
  EXPECT_EQ(own[1].shape, (Shape{kClasses}));
  const auto tied = Softmax(ways()[3]).parameters(Signal::vectors(kFeatures));
  ASSERT_EQ(tied.size(), 1u);
  EXPECT_EQ(tied[0].name, "embedding/embeddings");
  EXPECT_EQ(tied[0].shape, (Shape{kClasses, kFeatures}));
}

TEST(Softmax, LossIsTheNegativeLogOfWhatItPredicts) {
  for_each_backend([](const Backend& backend) {
    for (const SoftmaxOptions& way : ways()) {
      Problem problem(backend, way);
      const LossSum loss = problem.loss();
      const Tensor p = problem.predict();
      ASSERT_EQ(p.shape(), (Shape{kTime, kBatch, kClasses}));
      double sum = 0;
      for (Index i = 0; i < kTime * kBatch; ++i) {
        const std::int32_t target = problem.targets[static_cast<std::size_t>(i)];
        if (target < 0) {
          EXPECT_EQ(problem.nats[i], 0) << i;
          continue;
        }
        EXPECT_NEAR(problem.nats[i], -std::log(p[i * kClasses + target]), 1e-5) << i;
        sum += double{problem.nats[i]};
      }
      EXPECT_EQ(loss.nats, sum);
      EXPECT_EQ(loss.targets, 5);
      EXPECT_GT(loss.mean(), 0.1);
    }
  });
}

TEST(Softmax, PredictsDistributionsAndZerosInPadding) {
  for_each_backend([](const Backend& backend) {
    for (const SoftmaxOptions& way : ways()) {
      Problem problem(backend, way);
      const Tensor p = problem.predict();
      for (Index t = 0; t < kTime; ++t) {
        for (Index b = 0; b < kBatch; ++b) {
          double sum = 0;
          for (Index v = 0; v < kClasses; ++v) sum += double{p.view()(t, b, v)};
          EXPECT_NEAR(sum, t < problem.lengths[static_cast<std::size_t>(b)] ? 1 : 0, 1e-6);
        }
      }
    }
  });
}

TEST(Softmax, BackwardAgreesWithFiniteDifferences) {
  for_each_backend([](const Backend& backend) {
    for (const SoftmaxOptions& way : ways()) {
      Problem problem(backend, way);
      constexpr float kScale = 0.75f;
      problem.loss();
      const Tensor dx = problem.backward(kScale);
      const auto check = [&](Tensor& values, const Tensor& gradient, const std::string& name) {
        for (Index i = 0; i < values.size(); ++i) {
          const float value = values[i];
          if (std::isnan(value)) {
            EXPECT_EQ(gradient[i], 0) << name << i;
            continue;
          }
          values[i] = value + 0.01f;
          const double above = problem.loss().nats;
          values[i] = value - 0.01f;
          const double below = problem.loss().nats;
          values[i] = value;
          EXPECT_NEAR(gradient[i], double{kScale} * (above - below) / 0.02, 2e-3) << name << i;
        }
      };
      for (std::size_t p = 0; p < problem.parameters.size(); ++p) {
        check(problem.parameters[p], problem.gradients[p], "parameter " + std::to_string(p) + " ");
      }
      check(problem.features, dx, "x ");
    }
  });
}

TEST(Softmax, AddsToGradientsAndLeavesOutWhatIsNotWanted) {
  for_each_backend([](const Backend& backend) {
    Problem once(backend, ways()[0]), twice(backend, ways()[0]);
    once.loss();
    once.backward(1);
    twice.wants_dx = false;
    for (int i = 0; i < 2; ++i) {
      twice.loss();
      EXPECT_TRUE(twice.backward(1).empty());
    }
    for (std::size_t p = 0; p < 2; ++p) {
      for (float& value : once.gradients[p].view()) value *= 2;
      EXPECT_TRUE(test::close_to(twice.gradients[p], once.gradients[p], {1e-5, 1e-6}));
    }
  });
}

TEST(Softmax, MaskedTargetsAndMatesDoNotReachTheOthers) {
  for_each_backend([](const Backend& backend) {
    Problem all(backend, ways()[2]), some(backend, ways()[2]);
    all.loss();
    some.targets[0] = some.targets[4] = -1;
    some.loss();
    EXPECT_EQ(some.nats[0], 0);
    for (Index i : {1, 3, 8}) EXPECT_EQ(some.nats[i], all.nats[i]);
    const Tensor dx_all = all.backward(1), dx_some = some.backward(1);
    EXPECT_TRUE(bits_equal(test::steps_of(dx_some, 3, 0, 2), test::steps_of(dx_all, 3, 0, 2)));
    EXPECT_TRUE(bits_equal(test::steps_of(dx_some, 0, 0, 2), Tensor(Shape{2, kFeatures})));
  });
}

TEST(Softmax, RefusesATargetThatIsNoClass) {
  for_each_backend([](const Backend& backend) {
    Problem problem(backend, ways()[0]);
    problem.targets[0] = kClasses;
    EXPECT_THROW(problem.loss(), ShapeError);
  });
}

TEST(Softmax, IsDescribedAndMadeAgain) {
  for (const SoftmaxOptions& way : ways()) {
    Json first = Json::object(), second = Json::object();
    JsonWriter write(first), write_again(second);
    Softmax(way).describe(write);
    JsonReader read(first, "head");
    const auto again = make_output_head("Softmax", read);
    EXPECT_NO_THROW(read.finish());
    again->describe(write_again);
    EXPECT_EQ(first, second);
    EXPECT_EQ(first["units"], kClasses);
    EXPECT_EQ(first["tied_to"], way.tied_to);
  }
  Json nothing = Json::object();
  JsonReader read(nothing, "head");
  EXPECT_THROW(make_output_head("Softmx", read), ConfigError);
  EXPECT_THROW(make_output_head("Softmax", read), ConfigError);  // no units
}

}  // namespace
}  // namespace rnn
