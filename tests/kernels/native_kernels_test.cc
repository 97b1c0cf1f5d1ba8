// The native kernels beside the recurrent ones, on every SIMD target: agreement with the reference
// at awkward sizes, and bits that do not depend on the number of threads.
#include <gtest/gtest.h>

#include <functional>

#include "support/native_problem.h"

namespace rnn::test {
namespace {

constexpr double kTolerance = 5e-6;

class NativeKernels : public testing::TestWithParam<std::string> {
 protected:
  static NativeBackend backend(int threads = 2) {
    // Small problems too are divided.
    return NativeBackend({.threads = threads, .least_work = 0}, GetParam());
  }
  /// What `run` makes with two threads, after checking that other numbers make the same bits.
  static Tensor bits_of(const std::function<Tensor(const Backend&)>& run) {
    Tensor result = run(backend(2));
    for (int threads : {1, 3, 8}) EXPECT_TRUE(bits_equal(result, run(backend(threads)))) << threads;
    return result;
  }
  const ReferenceBackend<float> reference_{};
  const ReferenceBackend<double> exact_{};
};

const Index kSizes[] = {1, 3, 4, 5, 15, 16, 17, 33, 67, 130};

// --- embedding --------------------------------------------------------------------------------

TEST_P(NativeKernels, EmbeddingGivesTheBitsOfTheReference) {
  for (Index E : kSizes) {
    BasicTensor<std::int32_t> ids({4, 3});
    const std::int32_t numbers[] = {2, -1, 5, 2, 0, 2, 6, 6, -7, 2, 1, 3};
    std::copy(std::begin(numbers), std::end(numbers), ids.data());
    const std::vector<std::int32_t> lengths{4, 2, 3};
    const Tensor table = random_tensor({7, E}, 1), dy = random_tensor({4, 3, E}, 2);
    const auto forward = [&](const Backend& b) {
      Tensor y({4, 3, E});
      y.fill(9);
      b.embedding_forward({ids.view(), lengths, table.view(), y.view()});
      return y;
    };
    const auto backward = [&](const Backend& b) {
      Tensor dtable = random_tensor({7, E}, 3);
      b.embedding_backward({ids.view(), lengths, dy.view(), dtable.view()});
      return dtable;
    };
    EXPECT_TRUE(bits_equal(bits_of(forward), forward(reference_)));
    EXPECT_TRUE(bits_equal(bits_of(backward), backward(reference_)));
  }
}

// --- element-wise -----------------------------------------------------------------------------

TEST_P(NativeKernels, DropoutDrawsTheMasksOfTheReference) {
  for (Index F : {1, 3, 4, 5, 31, 32, 33, 64, 67, 600, 1203}) {
    for (bool shared : {false, true}) {
      for (const std::vector<std::uint32_t>& examples :
           {std::vector<std::uint32_t>{}, {900000001u, 3u, 0u}}) {
        const std::vector<std::int32_t> lengths{3, 0, 2};
        const Tensor x = random_tensor({3, 3, F}, 4);
        const auto run = [&](const Backend& b) {
          Tensor y = x;  // in place
          b.dropout({.x = y.view(),
                     .lengths = lengths,
                     .examples = examples,
                     .rate = 0.3f,
                     .shared_over_time = shared,
                     .random = Random(0x123456789abcdef0u).fold(3),
                     .y = y.view()});
          return y;
        };
        EXPECT_TRUE(bits_equal(bits_of(run), run(reference_))) << F;
      }
    }
  }
}

TEST_P(NativeKernels, ActivationsAgreeWithReference) {
  for (Index size : kSizes) {
    for (Activation activation : {Activation::kTanh, Activation::kSigmoid, Activation::kRelu}) {
      const Tensor x = random_tensor({size}, 1, 6), dy = random_tensor({size}, 2);
      const auto forward = [&](const Backend& b) {
        Tensor y = x;
        b.activation_forward({activation, y.view(), y.view()});
        return y;
      };
      const auto backward = [&](const Backend& b) {
        const Tensor y = forward(b);
        Tensor dx = dy;
        b.activation_backward({activation, y.view(), dx.view(), dx.view()});
        return dx;
      };
      EXPECT_LE(distance(bits_of(forward), forward(reference_)), kTolerance);
      EXPECT_LE(distance(bits_of(backward), backward(reference_)), kTolerance);
    }
  }
}

// --- softmax ----------------------------------------------------------------------------------

TEST_P(NativeKernels, CrossEntropyAndSoftmaxAgreeWithReference) {
  for (const auto& [V, smoothing] : {std::pair<Index, float>{1, 0},
                                     {3, 0},
                                     {4, 0},
                                     {5, 0.1f},
                                     {15, 0},
                                     {16, 0.1f},
                                     {17, 0.5f},
                                     {64, 0},
                                     {67, 0.1f},
                                     {1001, 0},
                                     {1001, 0.1f}}) {
    const Index N = 7;
    Tensor logits = random_tensor({N, V}, 1, 10);
    for (Index v = 0; v < V; ++v) logits[V + v] -= 1000;  // far from zero
    BasicTensor<std::int32_t> targets({N});
    for (Index n = 0; n < N; ++n) targets[n] = static_cast<std::int32_t>(n == 3 ? -1 : n * 5 % V);
    const auto nats = [&, smooth = smoothing](const Backend& b) {
      Tensor out({2, N});
      b.cross_entropy_forward(
          {logits.view(), targets.view(), {out.data(), {N}}, {out.data() + N, {N}}, smooth});
      return out;
    };
    const auto gradient = [&, smooth = smoothing](const Backend& b) {
      Tensor normalizer({N}), loss({N}), out = logits;
      b.cross_entropy_forward(
          {logits.view(), targets.view(), loss.view(), normalizer.view(), smooth});
      b.cross_entropy_backward({.logits = out.view(),
                                .targets = targets.view(),
                                .log_normalizer = normalizer.view(),
                                .scale = 0.25f,
                                .dlogits = out.view(),
                                .smoothing = smooth});
      return out;
    };
    const auto probabilities = [&](const Backend& b) {
      Tensor out = logits;
      b.softmax({out.view(), out.view()});
      return out;
    };
    EXPECT_LE(distance(bits_of(nats), nats(reference_)), kTolerance) << V;
    EXPECT_LE(distance(bits_of(gradient), gradient(reference_)), 2e-4) << V;
    EXPECT_LE(distance(bits_of(probabilities), probabilities(reference_)), 2e-4) << V;
  }
}

/// Both NaN, or the same infinity, or near.
void expect_agreement(const Tensor& actual, const Tensor& expected, float tolerance) {
  ASSERT_EQ(actual.shape(), expected.shape());
  for (Index i = 0; i < actual.size(); ++i) {
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(actual[i])) << i << " is " << actual[i];
    } else if (std::isinf(expected[i])) {
      EXPECT_EQ(actual[i], expected[i]) << i;
    } else {
      EXPECT_NEAR(actual[i], expected[i], tolerance) << i;
    }
  }
}

// A class is ruled out by a logit of minus infinity.
TEST_P(NativeKernels, InfiniteLogitsGiveWhatTheReferenceGives) {
  for (Index V : {1, 5, 16, 40, 131}) {
    for (float smoothing : {0.0f, 0.1f}) {
      const Index N = 6;
      Tensor logits = random_tensor({N, V}, 1, 5);
      BasicTensor<std::int32_t> targets({N});
      for (Index n = 0; n < N; ++n) targets[n] = static_cast<std::int32_t>(V / 2);
      const auto rule_out = [&](Index n, Index v) { logits[n * V + v] = -INFINITY; };
      for (Index v = 1; v < V; v += 2) rule_out(0, v);
      for (Index v = 0; v < V; ++v) {
        if (v != V / 2) rule_out(1, v);  // all but the target
        if (v != V - 1) rule_out(2, v);  // all but the last
        rule_out(3, v);                  // all
      }
      rule_out(4, V / 2);  // the target
      logits[5 * V + V - 1] = INFINITY;
      const auto nats = [&](const Backend& b) {
        Tensor out({2, N});
        b.cross_entropy_forward(
            {logits.view(), targets.view(), {out.data(), {N}}, {out.data() + N, {N}}, smoothing});
        return out;
      };
      const auto gradient = [&](const Backend& b) {
        Tensor normalizer({N}), loss({N}), out = logits;
        b.cross_entropy_forward(
            {logits.view(), targets.view(), loss.view(), normalizer.view(), smoothing});
        b.cross_entropy_backward({.logits = out.view(),
                                  .targets = targets.view(),
                                  .log_normalizer = normalizer.view(),
                                  .scale = 0.25f,
                                  .dlogits = out.view(),
                                  .smoothing = smoothing});
        return out;
      };
      const auto probabilities = [&](const Backend& b) {
        Tensor out = logits;
        b.softmax({out.view(), out.view()});
        return out;
      };
      SCOPED_TRACE(testing::Message() << V << " classes, smoothing " << smoothing);
      expect_agreement(nats(backend()), nats(reference_), 2e-5f);
      expect_agreement(gradient(backend()), gradient(reference_), 1e-5f);
      expect_agreement(probabilities(backend()), probabilities(reference_), 1e-5f);
    }
  }
}

TEST_P(NativeKernels, DivergedLogitsGiveNaN) {
  for (Index V : {5, 40}) {
    for (Index place : {Index{0}, Index{2}, V - 1}) {
      Tensor logits = random_tensor({1, V}, 1, 100), out({2}), probabilities({1, V});
      logits[place] = NAN;
      BasicTensor<std::int32_t> target({1});
      target[0] = 3;
      backend().cross_entropy_forward(
          {logits.view(), target.view(), {out.data(), {1}}, {out.data() + 1, {1}}});
      EXPECT_TRUE(std::isnan(out[0]));
      EXPECT_TRUE(std::isnan(out[1]));
      backend().softmax({logits.view(), probabilities.view()});
      for (Index v = 0; v < V; ++v) EXPECT_TRUE(std::isnan(probabilities[v])) << v;
    }
  }
}

// --- optimisers -------------------------------------------------------------------------------

TEST_P(NativeKernels, OptimizerStepsAgreeWithReference) {
  for (Index size : {1, 3, 16, 17, 67, 100003}) {
    const auto start = [size](std::uint64_t seed) { return random_tensor({size}, seed); };
    for (bool flag : {false, true}) {
      const auto sgd = [&](const Backend& b) {
        Tensor p = start(1), v = start(2);
        const Tensor g = start(3);
        SgdStep<float> step{.parameter = p.view(), .gradient = g.view()};
        if (flag) step.velocity = v.view();
        step.learning_rate = 0.1f;
        step.momentum = 0.9f;
        step.weight_decay = 0.01f;
        step.gradient_scale = 0.5f;
        step.nesterov = flag;
        b.sgd_step(step);
        for (Index i = 0; i < size; ++i) p[i] += 2 * v[i];
        return p;
      };
      const auto adam = [&](const Backend& b) {
        Tensor p = start(1), m = start(2), v = start(3);
        const Tensor g = start(4);
        for (Index i = 0; i < size; ++i) v[i] = std::abs(v[i]);
        b.adam_step({.parameter = p.view(),
                     .gradient = g.view(),
                     .mean = m.view(),
                     .mean_square = v.view(),
                     .learning_rate = 0.1f,
                     .beta1 = 0.9f,
                     .beta2 = 0.99f,
                     .epsilon = 1e-3f,
                     .weight_decay = 0.1f,
                     .correction1 = 0.3f,
                     .correction2 = 0.4f,
                     .gradient_scale = 2,
                     .decoupled = flag});
        for (Index i = 0; i < size; ++i) p[i] += 2 * v[i] + 4 * m[i];
        return p;
      };
      EXPECT_LE(distance(bits_of(sgd), sgd(reference_)), kTolerance);
      EXPECT_LE(distance(bits_of(adam), adam(reference_)), 2 * kTolerance);
    }
    const auto rmsprop = [&](const Backend& b) {
      Tensor p = start(1), s = start(2);
      const Tensor g = start(3);
      for (Index i = 0; i < size; ++i) s[i] = std::abs(s[i]);
      b.rmsprop_step({.parameter = p.view(),
                      .gradient = g.view(),
                      .mean_square = s.view(),
                      .learning_rate = 0.1f,
                      .decay = 0.9f,
                      .epsilon = 1e-3f,
                      .weight_decay = 0.1f,
                      .gradient_scale = 2});
      for (Index i = 0; i < size; ++i) p[i] += 2 * s[i];
      return p;
    };
    EXPECT_LE(distance(bits_of(rmsprop), rmsprop(reference_)), 2 * kTolerance);
  }
}

TEST_P(NativeKernels, NormsAndClippingAgreeWithReference) {
  for (Index size : {0, 1, 3, 63, 64, 65, 1000, 200001}) {
    Tensor x = random_tensor({size}, 1);
    const double norm = backend(2).sum_of_squares(x.view());
    EXPECT_NEAR(norm, reference_.sum_of_squares(x.view()), 1e-12 * (1 + norm));
    for (int threads : {1, 3, 8}) EXPECT_EQ(norm, backend(threads).sum_of_squares(x.view()));
    const auto clip = [&](const Backend& b) {
      Tensor y = x;
      if (size > 2) y[2] = NAN;
      b.clip(y.view(), 0.25f);
      return y;
    };
    EXPECT_TRUE(bits_equal(bits_of(clip), clip(reference_)));
    const auto fill = [&](const Backend& b) {
      Tensor y = x;
      b.fill(y.view(), 0.5f);
      return y;
    };
    EXPECT_TRUE(bits_equal(bits_of(fill), fill(reference_)));
    if (size > 0) {
      x[size - 1] = INFINITY;
      EXPECT_FALSE(std::isfinite(backend().sum_of_squares(x.view())));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, NativeKernels, testing::ValuesIn(NativeBackend::targets()),
                         [](const auto& target) { return target.param; });

}  // namespace
}  // namespace rnn::test
