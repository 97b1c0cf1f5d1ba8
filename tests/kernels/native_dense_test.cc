// The native dense kernels on every path (SIMD target and precision): agreement with the reference
// at awkward sizes, and the promises about bits.
#include <gtest/gtest.h>

#include "support/native_problem.h"

namespace rnn::test {
namespace {

class NativeDense : public testing::TestWithParam<NativePath> {
 protected:
  static NativeBackend backend(int threads = 2) { return GetParam().backend(threads); }
};

constexpr double kTolerance = 5e-6;
const Index kSizes[] = {1, 3, 4, 5, 15, 16, 17, 33, 67, 130};

struct DenseShape {
  Index T, B, F, U;
  bool transposed = false;
  std::vector<std::int32_t> lengths{};
};

/// y, dx, dkernel and dbias in one tensor after another. `rounded`: of operands rounded to bf16.
template <class T>
std::vector<BasicTensor<T>> run_dense(const BasicBackend<T>& backend, const DenseShape& s,
                                      std::uint64_t version = 0, bool rounded = false) {
  const Shape kernel_shape = s.transposed ? Shape{s.U, s.F} : Shape{s.F, s.U};
  auto x = random_tensor<T>({s.T, s.B, s.F}, 1), kernel = random_tensor<T>(kernel_shape, 2);
  auto bias = random_tensor<T>({s.U}, 3), dy = random_tensor<T>({s.T, s.B, s.U}, 4);
  if (rounded) {
    for (auto* operand : {&x, &kernel, &dy}) round_to_bf16(*operand);
  }
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

std::vector<DenseShape> shapes() {
  std::vector<DenseShape> all;
  for (Index size : kSizes) {
    for (bool transposed : {false, true}) {
      all.push_back({2, 3, size, 19, transposed});
      all.push_back({2, 3, 18, size, transposed});
      all.push_back({1, size, 20, 21, transposed, {}});
    }
  }
  for (bool transposed : {false, true}) {
    all.push_back({5, 4, 30, 41, transposed, {5, 0, 2, 4}});
    all.push_back({6, 50, 300, 401, transposed, {}});
    // Deeper than a packed block, and in bf16 too.
    all.push_back({3, 7, 2100, 19, transposed, {}});
    all.push_back({3, 7, 19, 2100, transposed, {}});
    all.push_back({7, 150, 401, 33, transposed, {}});  // by teams divided otherwise
    all.push_back({6, 50, 17, 801, transposed, {}});   // more rows of the gradient than a block
    all.push_back({6, 50, 801, 17, transposed, {}});
    all.push_back({7, 150, 23, 19, transposed, {}});  // deeper than two
  }
  return all;
}

// A product of two bf16 is exact in fp32, so on rounded operands bf16 is as exact as fp32. The bias
// is no product: its gradient sums what was not rounded.
TEST_P(NativeDense, AgreesWithReference) {
  const ReferenceBackend<double> exact;
  for (const DenseShape& s : shapes()) {
    SCOPED_TRACE(testing::Message()
                 << s.T << ' ' << s.B << ' ' << s.F << ' ' << s.U << ' ' << s.transposed);
    auto truth = run_dense<double>(exact, s, 0, GetParam().bf16());
    if (GetParam().bf16()) truth[3] = run_dense<double>(exact, s)[3];
    const auto ours = run_dense<float>(backend(2), s);
    const auto kept = run_dense<float>(backend(2), s, 3);
    for (std::size_t i = 0; i < truth.size(); ++i) {
      EXPECT_LE(distance(ours[i], truth[i]), kTolerance) << i;
      EXPECT_TRUE(bits_equal(ours[i], kept[i])) << i;
      for (int threads : {1, 3, 8}) {
        EXPECT_TRUE(bits_equal(ours[i], run_dense<float>(backend(threads), s)[i])) << i;
      }
    }
  }
}

TEST_P(NativeDense, RowsDoNotDependOnBatchMates) {
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
  EXPECT_TRUE(bits_equal(together, apart));
}

/// Dense layers of one kernel [40,70] whose calls share scratch, as those of one layer do.
class SharedScratch {
 public:
  explicit SharedScratch(const NativeBackend& native) : native_(native) {}
  /// The scratch that a call needs; what stood there stays.
  template <class Args>
  std::span<std::byte> take(const Args& args) {
    bytes_.resize(std::max(bytes_.size(), native_.scratch_bytes(args)));
    return bytes_;
  }
  Tensor forward(View<const float> x, std::uint64_t version) {
    Tensor y({x.extent(0), x.extent(1), 70});
    DenseForward<float> f;
    f.x = x;
    f.kernel = kernel.view();
    f.y = y.view();
    f.weights_version = version;
    f.scratch = take(f);
    native_.dense_forward(f);
    return y;
  }

  const Tensor kernel = random_tensor({40, 70}, 2);

 private:
  const NativeBackend& native_;
  std::vector<std::byte> bytes_;
};

// Many rows pack nothing but overwrite what few rows had packed into the same scratch: a call with
// few after one with many once took that for weights.
TEST_P(NativeDense, FewRowsAfterManyInTheSameScratch) {
  const NativeBackend native = backend(2);
  SharedScratch shared(native);
  const Tensor x = random_tensor({1, 100, 40}, 1);
  const auto run = [&](Index rows, std::uint64_t version) {
    Tensor y = shared.forward({x.data(), {1, rows, 40}}, version);
    y.resize({1, 3, 70});
    return y;
  };
  run(100, 1);  // takes the memory
  const Tensor expected = run(3, 0);
  for (Index rows : {3, 100, 3, 3, 100, 5}) EXPECT_TRUE(bits_equal(expected, run(rows, 7))) << rows;
}

// So does a backward pass, also one that has no valid row.
TEST_P(NativeDense, ABackwardPassInTheSameScratchForgetsWhatWasPacked) {
  const NativeBackend native = backend(2);
  SharedScratch shared(native);
  const Tensor x = random_tensor({2, 3, 40}, 1), dy = random_tensor({2, 3, 70}, 3);
  for (const std::vector<std::int32_t>& lengths :
       {std::vector<std::int32_t>{0, 0, 0}, {2, 0, 1}, {}}) {
    Tensor dx({2, 3, 40}), dkernel({40, 70});
    DenseBackward<float> g;
    g.x = x.view();
    g.lengths = lengths;
    g.kernel = shared.kernel.view();
    g.dy = dy.view();
    g.dx = dx.view();
    g.dkernel = dkernel.view();
    shared.take(g);
    const Tensor expected = shared.forward(x, 0);
    EXPECT_TRUE(bits_equal(expected, shared.forward(x, 7)));
    g.scratch = shared.take(g);
    native.dense_backward(g);
    EXPECT_TRUE(bits_equal(expected, shared.forward(x, 7))) << lengths.size();
  }
}

TEST_P(NativeDense, IntegersComeOutExactly) {
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
  EXPECT_TRUE(bits_equal(run(backend()), run(ReferenceBackend<float>())));
}

INSTANTIATE_TEST_SUITE_P(Paths, NativeDense, testing::ValuesIn(native_paths()), path_name);

class NativeBf16 : public NativeDense {};

/// What an operand becomes: its product with the number 1.
TEST_P(NativeBf16, OperandsAreRoundedToTheNearest) {
  // Every bf16 that is not tiny, and what lies between it and the next.
  std::vector<float> values;
  for (std::uint32_t upper = 0x0080; upper < 0xFF80; ++upper) {
    if ((upper & 0x7F80) == 0 || (upper & 0x7F80) == 0x7F80) continue;
    for (std::uint32_t lower : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      values.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  const auto rows = static_cast<Index>(values.size());
  const float one = 1;
  Tensor as_x({1, rows, 1}), as_kernel({1, 1, rows});
  const NativeBackend native = backend();
  const auto run = [&](View<const float> x, View<const float> kernel, Tensor& y) {
    DenseForward<float> f;
    f.x = x;
    f.kernel = kernel;
    f.y = y.view();
    auto scratch = scratch_of(native.scratch_bytes(f));
    f.scratch = scratch;
    native.dense_forward(f);
  };
  run({values.data(), {1, rows, 1}}, {&one, {1, 1}}, as_x);
  run({&one, {1, 1, 1}}, {values.data(), {1, rows}}, as_kernel);
  for (Index i = 0; i < rows; ++i) {
    const float expected = to_bf16(values[static_cast<std::size_t>(i)]);
    ASSERT_EQ(as_x[i], expected) << values[static_cast<std::size_t>(i)];
    ASSERT_EQ(as_kernel[i], expected) << values[static_cast<std::size_t>(i)];
  }
}

TEST_P(NativeBf16, InfinityAndNanAreNotHidden) {
  const NativeBackend native = backend();
  for (const float bad : {INFINITY, -INFINITY, NAN, std::bit_cast<float>(0x7F800001u)}) {
    for (const Index place : {Index{0}, Index{4}}) {
      Tensor x({1, 1, 5}), kernel({5, 3}), y({1, 1, 3});
      x.fill(1);
      kernel.fill(1);
      x[place] = bad;
      DenseForward<float> f;
      f.x = x.view();
      f.kernel = kernel.view();
      f.y = y.view();
      auto scratch = scratch_of(native.scratch_bytes(f));
      f.scratch = scratch;
      native.dense_forward(f);
      for (Index u = 0; u < 3; ++u) EXPECT_FALSE(std::isfinite(y[u])) << bad;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, NativeBf16, testing::ValuesIn(native_paths(Precision::kBf16)),
                         path_name);

}  // namespace
}  // namespace rnn::test
