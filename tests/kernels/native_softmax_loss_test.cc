// The softmax loss over tiles of the vocabulary on every path that trains: agreement with the two
// steps of the reference at awkward sizes, and the promises about bits.
#include <gtest/gtest.h>

#include "support/native_problem.h"

namespace rnn::test {
namespace {

class NativeSoftmaxLoss : public testing::TestWithParam<NativePath> {
 protected:
  static NativeBackend backend(int threads = 2) { return GetParam().backend(threads, 0); }
};

struct LossShape {
  Index T, B, F, V;
  bool transposed = false;
  std::vector<std::int32_t> lengths{};
  float smoothing = 0;
  bool weighted = false, bias = true;
  float spread = 1;  // of the weights
};

/// nats, dx, dkernel and dbias. `rounded`: of operands rounded to bf16.
template <class T>
std::vector<BasicTensor<T>> run_loss(const BasicBackend<T>& backend, const LossShape& s,
                                     bool rounded = false) {
  const Index N = s.T * s.B;
  const Shape kernel_shape = s.transposed ? Shape{s.V, s.F} : Shape{s.F, s.V};
  auto x = random_tensor<T>({s.T, s.B, s.F}, 1);
  auto kernel = random_tensor<T>(kernel_shape, 2, s.spread);
  const auto bias = random_tensor<T>({s.V}, 3), weights = random_tensor<T>({N}, 7);
  if (rounded) {
    for (auto* operand : {&x, &kernel}) round_to_bf16(*operand);
  }
  BasicTensor<std::int32_t> targets({N});
  for (Index n = 0; n < N; ++n) {
    const bool padding = n / s.B >= length_of(s.lengths, n % s.B, s.T);
    targets[n] = static_cast<std::int32_t>(padding || n % 5 == 3 ? -1 : n * 7919 % s.V);
  }
  BasicTensor<T> nats({N}), dx({s.T, s.B, s.F});
  nats.fill(T(7));
  dx.fill(T(7));
  auto dkernel = random_tensor<T>(kernel_shape, 5), dbias = random_tensor<T>({s.V}, 6);
  SoftmaxLossForward<T> f;
  f.x = x.view();
  f.lengths = s.lengths;
  f.kernel = kernel.view();
  f.transposed = s.transposed;
  if (s.bias) f.bias = bias.view();
  f.targets = targets.view();
  f.nats = nats.view();
  f.smoothing = T(s.smoothing);
  BasicTensor<T> kept({backend.kept_floats(f)});
  kept.fill(T(7));
  f.kept = kept.view();
  auto scratch = scratch_of(backend.scratch_bytes(f));
  f.scratch = scratch;
  backend.softmax_loss_forward(f);
  SoftmaxLossBackward<T> g;
  g.x = f.x;
  g.lengths = s.lengths;
  g.kernel = f.kernel;
  g.transposed = s.transposed;
  g.targets = f.targets;
  g.kept = f.kept;
  g.scale = T(0.25f);
  if (s.weighted) g.weights = weights.view();
  g.dx = dx.view();
  g.dkernel = dkernel.view();
  g.dbias = dbias.view();
  g.smoothing = f.smoothing;
  auto more = scratch_of(backend.scratch_bytes(g));
  g.scratch = more;
  backend.softmax_loss_backward(g);
  return {nats, dx, dkernel, dbias};
}

std::vector<LossShape> shapes() {
  std::vector<LossShape> all;
  for (bool transposed : {false, true}) {
    for (Index size : {1, 3, 5, 16, 17, 67, 130}) {
      all.push_back({2, 3, size, 19, transposed});
      all.push_back({2, 3, 18, size, transposed, {}, 0.1f});
      all.push_back({1, size, 20, 65, transposed, {}, 0, true});
    }
    all.push_back({1, 1, 30, 2000, transposed, {}, 0, false, false});
    all.push_back({5, 4, 30, 1500, transposed, {5, 0, 2, 4}, 0.2f, true});
    all.push_back({8, 150, 23, 300, transposed, {}, 0, false, false});  // deeper than a block
    all.push_back({3, 3, 801, 1025, transposed, {0, 0, 0}});
    all.push_back({3, 7, 401, 1281, transposed, {}, 0, false, true, 30});  // far from zero
  }
  return all;
}

std::string text_of(const LossShape& s) {
  std::ostringstream text;
  text << s.T << ' ' << s.B << ' ' << s.F << ' ' << s.V << ' ' << s.transposed;
  return text.str();
}

TEST_P(NativeSoftmaxLoss, AgreesWithReference) {
  const ReferenceBackend<double> exact;
  const bool bf16 = GetParam().bf16();
  for (const LossShape& s : shapes()) {
    SCOPED_TRACE(text_of(s));
    const auto truth = run_loss<double>(exact, s, bf16);
    const auto ours = run_loss<float>(backend(2), s);
    // Logits of some hundreds have an error of their own, and so have their exponentials.
    const double loss = 1e-5, gradient = s.spread > 1 ? 2e-3 : 2e-5;
    EXPECT_LE(distance(ours[0], truth[0]), loss);
    // Under bf16 the gradients of logits are rounded too, except for the bias.
    EXPECT_LE(distance(ours[1], truth[1]), bf16 ? 4e-3 : gradient);
    EXPECT_LE(distance(ours[2], truth[2]), bf16 ? 4e-3 : gradient);
    EXPECT_LE(distance(ours[3], truth[3]), gradient);
    for (int threads : {1, 3, 8}) {
      const auto others = run_loss<float>(backend(threads), s);
      for (std::size_t i = 0; i < ours.size(); ++i) {
        EXPECT_TRUE(bits_equal(ours[i], others[i])) << i << " with " << threads;
      }
    }
  }
}

/// Losses of rows [first, first + rows) of forty; in evaluation, where weights stay packed.
Tensor losses_of(const NativeBackend& native, Index first, Index rows, bool for_backward,
                 std::uint64_t version = 0, std::vector<std::byte>* shared = nullptr) {
  constexpr Index kF = 90, kV = 1100;
  static const Tensor x = random_tensor({1, 40, kF}, 1), kernel = random_tensor({kF, kV}, 2);
  BasicTensor<std::int32_t> targets({rows});
  for (Index n = 0; n < rows; ++n) targets[n] = static_cast<std::int32_t>((first + n) * 27);
  Tensor nats({rows});
  SoftmaxLossForward<float> f;
  f.x = View<const float>(x.data() + first * kF, {1, rows, kF});
  f.kernel = kernel.view();
  f.targets = targets.view();
  f.nats = nats.view();
  f.for_backward = for_backward;
  f.weights_version = version;
  Tensor kept({native.kept_floats(f)});
  f.kept = kept.view();
  std::vector<std::byte> own;
  std::vector<std::byte>& scratch = shared ? *shared : own;
  scratch.resize(std::max(scratch.size(), native.scratch_bytes(f)));
  f.scratch = scratch;
  native.softmax_loss_forward(f);
  return nats;
}

TEST_P(NativeSoftmaxLoss, RowsDoNotDependOnBatchMatesNorOnWhatIsKept) {
  const NativeBackend native = backend();
  const Tensor together = losses_of(native, 0, 40, true);
  EXPECT_TRUE(bits_equal(together, losses_of(native, 0, 40, false)));
  for (Index row = 0; row < 40; ++row) {
    EXPECT_EQ(losses_of(native, row, 1, row % 2 == 0)[0], together[row]) << row;
  }
}

TEST_P(NativeSoftmaxLoss, WeightsStayPackedWhileTheyAreTheSame) {
  const NativeBackend native = backend();
  std::vector<std::byte> scratch;
  const Tensor expected = losses_of(native, 0, 40, false);
  for (int call = 0; call < 3; ++call) {
    EXPECT_TRUE(bits_equal(expected, losses_of(native, 0, 40, false, 7, &scratch))) << call;
  }
}

// Each logarithm of a probability is, bit for bit, minus the loss of its class.
TEST_P(NativeSoftmaxLoss, IsThatOfLogitsThatAreThere) {
  const NativeBackend native = backend();
  constexpr Index kN = 6;
  for (Index V : {19, 1100}) {
    const Tensor x = random_tensor({1, kN, 40}, 1), kernel = random_tensor({40, V}, 2);
    BasicTensor<std::int32_t> targets({kN});
    for (Index n = 0; n < kN; ++n) targets[n] = static_cast<std::int32_t>(n * 3);
    Tensor nats({kN}), expected({kN}), normalizer({kN}), logits({1, kN, V});
    SoftmaxLossForward<float> f{.x = x.view(),
                                .kernel = kernel.view(),
                                .targets = targets.view(),
                                .nats = nats.view(),
                                .for_backward = false};
    auto scratch = scratch_of(native.scratch_bytes(f));
    f.scratch = scratch;
    native.softmax_loss_forward(f);
    DenseForward<float> d{.x = x.view(), .kernel = kernel.view(), .y = logits.view()};
    auto more = scratch_of(native.scratch_bytes(d));
    d.scratch = more;
    native.dense_forward(d);
    native.cross_entropy_forward({.logits = logits.view().reshaped({kN, V}),
                                  .targets = targets.view(),
                                  .nats = expected.view(),
                                  .log_normalizer = normalizer.view()});
    EXPECT_TRUE(bits_equal(nats, expected)) << V;
  }
}

// A class is ruled out by a bias of minus infinity, a whole tile of them too; a NaN shows.
TEST_P(NativeSoftmaxLoss, ClassesThatAreRuledOutAndDivergence) {
  constexpr Index kV = 1100, kF = 5;
  const Tensor x = random_tensor({1, 2, kF}, 1), kernel = random_tensor({kF, kV}, 2);
  for (const bool diverged : {false, true}) {
    Tensor bias = random_tensor({kV}, 3);
    for (Index v = 3; v < 1000; ++v) bias[v] = -INFINITY;
    if (diverged) bias[1099] = NAN;
    BasicTensor<std::int32_t> targets({2});
    targets[0] = 1;
    targets[1] = 1050;
    const auto run = [&](const Backend& b) {
      Tensor nats({2}), dbias({kV}), dkernel({kF, kV});
      SoftmaxLossForward<float> f{.x = x.view(),
                                  .kernel = kernel.view(),
                                  .bias = bias.view(),
                                  .targets = targets.view(),
                                  .nats = nats.view()};
      Tensor kept({b.kept_floats(f)});
      f.kept = kept.view();
      auto scratch = scratch_of(b.scratch_bytes(f));
      f.scratch = scratch;
      b.softmax_loss_forward(f);
      SoftmaxLossBackward<float> g{.x = x.view(),
                                   .kernel = kernel.view(),
                                   .targets = targets.view(),
                                   .kept = kept.view(),
                                   .dkernel = dkernel.view(),
                                   .dbias = dbias.view()};
      auto more = scratch_of(b.scratch_bytes(g));
      g.scratch = more;
      b.softmax_loss_backward(g);
      return std::pair{nats, dbias};
    };
    const auto [nats, dbias] = run(backend());
    if (diverged) {
      EXPECT_TRUE(std::isnan(nats[0]));
      for (Index v = 0; v < kV; ++v) EXPECT_TRUE(std::isnan(dbias[v])) << v;
    } else {
      const auto expected = run(ReferenceBackend<float>());
      const double tolerance = GetParam().bf16() ? 2e-2 : 2e-5;
      EXPECT_LE(distance(nats, expected.first), tolerance);
      EXPECT_LE(distance(dbias, expected.second), tolerance);
      for (Index v = 3; v < 1000; ++v) EXPECT_EQ(dbias[v], 0) << v;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, NativeSoftmaxLoss, testing::ValuesIn(native_paths()), path_name);

}  // namespace
}  // namespace rnn::test
