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
    return NativeBackend({.threads = threads}, GetParam());
  }
  /// What `run` makes with two threads, after checking that other numbers make the same bits.
  static Tensor bits_of(const std::function<Tensor(const Backend&)>& run) {
    const Tensor result = run(backend(2));
    for (int threads : {1, 3, 8}) EXPECT_TRUE(same_bits(result, run(backend(threads)))) << threads;
    return result;
  }
  const ReferenceBackend<float> reference_{};
  const ReferenceBackend<double> exact_{};
};

const Index kSizes[] = {1, 3, 4, 5, 15, 16, 17, 33, 67, 130};

// --- dense ------------------------------------------------------------------------------------

struct DenseShape {
  Index T, B, F, U;
  bool transposed = false;
  std::vector<std::int32_t> lengths{};
};

/// y, dx, dkernel and dbias in one tensor after another.
template <class T>
std::vector<BasicTensor<T>> run_dense(const BasicBackend<T>& backend, const DenseShape& s,
                                      std::uint64_t version = 0) {
  const Shape kernel_shape = s.transposed ? Shape{s.U, s.F} : Shape{s.F, s.U};
  auto x = random_tensor<T>({s.T, s.B, s.F}, 1), kernel = random_tensor<T>(kernel_shape, 2);
  auto bias = random_tensor<T>({s.U}, 3), dy = random_tensor<T>({s.T, s.B, s.U}, 4);
  BasicTensor<T> y({s.T, s.B, s.U}), dx({s.T, s.B, s.F});
  auto dkernel = random_tensor<T>(kernel_shape, 5), dbias = random_tensor<T>({s.U}, 6);
  DenseForward<T> f;
  f.x = x.view();
  f.lengths = s.lengths;
  f.kernel = kernel.view();
  f.transposed = s.transposed;
  f.bias = bias.view();
  f.y = y.view();
  f.weights_version = version;
  auto scratch = scratch_of(backend.scratch_bytes(f));
  f.scratch = scratch;
  backend.dense_forward(f);
  if (version != 0) {  // again, from what stayed packed
    y.fill(T(7));
    backend.dense_forward(f);
  }
  DenseBackward<T> g;
  g.x = f.x;
  g.lengths = s.lengths;
  g.kernel = f.kernel;
  g.transposed = s.transposed;
  g.dy = dy.view();
  g.dx = dx.view();
  g.dkernel = dkernel.view();
  g.dbias = dbias.view();
  auto more = scratch_of(backend.scratch_bytes(g));
  g.scratch = more;
  backend.dense_backward(g);
  return {y, dx, dkernel, dbias};
}

TEST_P(NativeKernels, DenseAgreesWithReference) {
  std::vector<DenseShape> shapes;
  for (Index size : kSizes) {
    for (bool transposed : {false, true}) {
      shapes.push_back({2, 3, size, 19, transposed});
      shapes.push_back({2, 3, 18, size, transposed});
      shapes.push_back({1, size, 20, 21, transposed, {}});
    }
  }
  for (bool transposed : {false, true}) {
    shapes.push_back({5, 4, 30, 41, transposed, {5, 0, 2, 4}});
    shapes.push_back({6, 50, 300, 401, transposed, {}});  // deeper than a packed block
    shapes.push_back({6, 50, 17, 801, transposed, {}});   // more rows of the gradient than a block
    shapes.push_back({6, 50, 801, 17, transposed, {}});
    shapes.push_back({7, 150, 23, 19, transposed, {}});  // deeper than two
  }
  for (const DenseShape& s : shapes) {
    SCOPED_TRACE(testing::Message()
                 << s.T << ' ' << s.B << ' ' << s.F << ' ' << s.U << ' ' << s.transposed);
    const auto truth = run_dense<double>(exact_, s);
    const auto ours = run_dense<float>(backend(2), s);
    const auto kept = run_dense<float>(backend(2), s, 3);
    for (std::size_t i = 0; i < truth.size(); ++i) {
      EXPECT_LE(distance(ours[i], truth[i]), kTolerance) << i;
      EXPECT_TRUE(same_bits(ours[i], kept[i])) << i;
      for (int threads : {1, 3, 8}) {
        EXPECT_TRUE(same_bits(ours[i], run_dense<float>(backend(threads), s)[i])) << i;
      }
    }
  }
}

TEST_P(NativeKernels, DenseRowsDoNotDependOnBatchMates) {
  const NativeBackend native = backend(2);
  const Tensor x = random_tensor({1, 40, 90}, 1), kernel = random_tensor({90, 150}, 2);
  const auto run = [&](Index first, Index rows, Tensor& y) {
    DenseForward<float> f;
    f.x = View<const float>(x.data() + first * 90, {1, rows, 90});
    f.kernel = kernel.view();
    f.y = View<float>(y.data() + first * 150, {1, rows, 150});
    auto scratch = scratch_of(native.scratch_bytes(f));
    f.scratch = scratch;
    native.dense_forward(f);
  };
  Tensor together({1, 40, 150}), apart({1, 40, 150});
  run(0, 40, together);
  for (Index row = 0; row < 9; ++row) run(row, 1, apart);
  run(9, 31, apart);
  EXPECT_TRUE(same_bits(together, apart));
}

// Many rows pack nothing but overwrite what few rows had packed into the same scratch: a call with
// few after one with many once took that for weights.
TEST_P(NativeKernels, FewRowsAfterManyInTheSameScratch) {
  const NativeBackend native = backend(2);
  const Tensor x = random_tensor({1, 100, 40}, 1), kernel = random_tensor({40, 70}, 2);
  std::vector<std::byte> scratch;
  const auto run = [&](Index rows, std::uint64_t version) {
    Tensor y({1, rows, 70});
    DenseForward<float> f;
    f.x = View<const float>(x.data(), {1, rows, 40});
    f.kernel = kernel.view();
    f.y = y.view();
    f.weights_version = version;
    scratch.resize(std::max(scratch.size(), native.scratch_bytes(f)));
    f.scratch = scratch;
    native.dense_forward(f);
    y.resize({1, 3, 70});
    return y;
  };
  run(100, 1);  // takes the memory
  const Tensor expected = run(3, 0);
  for (Index rows : {3, 100, 3, 3, 100, 5}) EXPECT_TRUE(same_bits(expected, run(rows, 7))) << rows;
}

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
    EXPECT_TRUE(same_bits(bits_of(forward), forward(reference_)));
    EXPECT_TRUE(same_bits(bits_of(backward), backward(reference_)));
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
        EXPECT_TRUE(same_bits(bits_of(run), run(reference_))) << F;
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
  for (Index V : {1, 3, 4, 5, 15, 16, 17, 64, 67, 1001}) {
    const Index N = 7;
    Tensor logits = random_tensor({N, V}, 1, 10);
    for (Index v = 0; v < V; ++v) logits[V + v] -= 1000;  // far from zero
    BasicTensor<std::int32_t> targets({N});
    for (Index n = 0; n < N; ++n) targets[n] = static_cast<std::int32_t>(n == 3 ? -1 : n * 5 % V);
    const auto nats = [&](const Backend& b) {
      Tensor out({2, N});
      b.cross_entropy_forward(
          {logits.view(), targets.view(), {out.data(), {N}}, {out.data() + N, {N}}});
      return out;
    };
    const auto gradient = [&](const Backend& b) {
      Tensor normalizer({N}), loss({N}), out = logits;
      b.cross_entropy_forward({logits.view(), targets.view(), loss.view(), normalizer.view()});
      b.cross_entropy_backward({.logits = out.view(),
                                .targets = targets.view(),
                                .log_normalizer = normalizer.view(),
                                .scale = 0.25f,
                                .dlogits = out.view()});
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

TEST_P(NativeKernels, DivergedLogitsGiveNaN) {
  for (Index V : {5, 40}) {
    Tensor logits = random_tensor({1, V}, 1), out({2});
    logits[2] = NAN;
    BasicTensor<std::int32_t> target({1});
    backend().cross_entropy_forward(
        {logits.view(), target.view(), {out.data(), {1}}, {out.data() + 1, {1}}});
    EXPECT_TRUE(std::isnan(out[0]));
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
    EXPECT_TRUE(same_bits(bits_of(clip), clip(reference_)));
    const auto fill = [&](const Backend& b) {
      Tensor y = x;
      b.fill(y.view(), 0.5f);
      return y;
    };
    EXPECT_TRUE(same_bits(bits_of(fill), fill(reference_)));
    if (size > 0) {
      x[size - 1] = INFINITY;
      EXPECT_FALSE(std::isfinite(backend().sum_of_squares(x.view())));
    }
  }
}

// --- small integers, where floating point is exact ----------------------------------------------

TEST_P(NativeKernels, IntegersComeOutExactly) {
  const auto integers = [](const Shape& shape, std::uint64_t seed) {
    Tensor tensor = random_tensor(shape, seed, 8);
    for (Index i = 0; i < tensor.size(); ++i) tensor[i] = std::round(tensor[i]);
    return tensor;
  };
  const Tensor x = integers({3, 5, 37}, 1), kernel = integers({37, 53}, 2);
  const auto run = [&](const Backend& b) {
    Tensor y({3, 5, 53});
    DenseForward<float> f;
    f.x = x.view();
    f.kernel = kernel.view();
    f.y = y.view();
    auto scratch = scratch_of(b.scratch_bytes(f));
    f.scratch = scratch;
    b.dense_forward(f);
    return y;
  };
  EXPECT_TRUE(same_bits(bits_of(run), run(reference_)));
}

INSTANTIATE_TEST_SUITE_P(Targets, NativeKernels, testing::ValuesIn(NativeBackend::targets()),
                         [](const auto& target) { return target.param; });

}  // namespace
}  // namespace rnn::test
