// The native recurrent kernels on every path (SIMD target and precision): agreement with the
// reference, and the promises about bits.
#include <gtest/gtest.h>

#include "support/native_problem.h"

namespace rnn::test {
namespace {

class NativeRecurrent : public testing::TestWithParam<NativePath> {
 protected:
  static NativeBackend backend(int threads = 2) { return GetParam().backend(threads); }
  static Index lanes() { return GetParam().lanes(); }
};

// Of the largest value. A bf16 has 8 bits of significand, so an operand is wrong by up to 2^-9 of
// itself; errors of a sum's terms mostly cancel, those of steps add up.
constexpr double kBf16Tolerance = 0.04;

void expect_agreement(const NativeBackend& native, const RecurrentShape& shape) {
  SCOPED_TRACE(shape.to_string());
  const auto ours = run_recurrent<float>(native, RecurrentInputs<float>(shape));
  const auto truth =
      run_recurrent<double>(ReferenceBackend<double>(), RecurrentInputs<double>(shape));
  const bool bf16 = native.precision() == Precision::kBf16;
  const double tolerance =
      bf16 ? kBf16Tolerance : 2e-6 * std::sqrt(static_cast<double>(shape.T + 4)) * 4;
  EXPECT_LE(distance(ours.y, truth.y), tolerance);
  EXPECT_TRUE(bits_equal(ours.y, ours.y_inference));
  EXPECT_LE(distance(ours.hn, truth.hn), tolerance);
  EXPECT_LE(distance(ours.cn, truth.cn), tolerance);
  // Where max(0, x) has its step, the least error turns a gradient on or off; see the test with
  // integers.
  if (bf16 && shape.cell == Cell::kRnnRelu) return;
  EXPECT_LE(distance(ours.dx, truth.dx), tolerance);
  EXPECT_LE(distance(ours.dh0, truth.dh0), tolerance);
  EXPECT_LE(distance(ours.dc0, truth.dc0), tolerance);
  EXPECT_LE(distance(ours.dkernel, truth.dkernel), tolerance);
  EXPECT_LE(distance(ours.drecurrent_kernel, truth.drecurrent_kernel), tolerance);
  EXPECT_LE(distance(ours.dbias, truth.dbias), tolerance);
}

TEST_P(NativeRecurrent, AgreesWithReferenceAtAwkwardSizes) {
  const NativeBackend native = backend();
  for (Cell cell : kCells) {
    for (Index H : {Index{1}, lanes() - 1, lanes(), lanes() + 1, 4 * lanes() + 3, Index{71}}) {
      if (H == 0) continue;
      expect_agreement(native, {.cell = cell, .T = 4, .B = 3, .I = 5, .H = H});
    }
    for (Index B : {1, 2, 7, 20}) {
      expect_agreement(native, {.cell = cell, .T = 3, .B = B, .I = 13, .H = 37});
    }
    for (Index T : {1, 2, 9}) {
      expect_agreement(native, {.cell = cell, .T = T, .B = 5, .I = 1, .H = 33});
    }
    // Wide enough for several panels and a team of threads; then deeper than a packed block, in
    // bf16 too.
    expect_agreement(native, {.cell = cell, .T = 3, .B = 13, .I = 600, .H = 139});
    expect_agreement(native, {.cell = cell, .T = 2, .B = 3, .I = 2100, .H = 9});
  }
}

TEST_P(NativeRecurrent, AgreesWithReferenceOnEveryOption) {
  const NativeBackend native = backend(3);
  for (Cell cell : kCells) {
    for (bool go_backwards : {false, true}) {
      for (const std::vector<std::int32_t>& lengths :
           {std::vector<std::int32_t>{}, {7, 0, 3, 1, 7, 6}, {0, 0, 2, 0, 1, 0}}) {
        RecurrentShape shape{.cell = cell, .T = 7, .B = 6, .I = 6, .H = 21};
        shape.go_backwards = go_backwards;
        shape.lengths = lengths;
        expect_agreement(native, shape);
        shape.bias = shape.initial_state = shape.final_gradient = false;
        expect_agreement(native, shape);
      }
    }
    expect_agreement(native, {.cell = cell, .T = 3, .B = 2, .I = 4, .H = 8, .lengths = {0, 0}});
  }
}

void expect_same(const RecurrentOutputs<float>& a, const RecurrentOutputs<float>& b) {
  EXPECT_TRUE(bits_equal(a.y, b.y));
  EXPECT_TRUE(bits_equal(a.hn, b.hn));
  EXPECT_TRUE(bits_equal(a.cn, b.cn));
  EXPECT_TRUE(bits_equal(a.dx, b.dx));
  EXPECT_TRUE(bits_equal(a.dh0, b.dh0));
  EXPECT_TRUE(bits_equal(a.dc0, b.dc0));
  EXPECT_TRUE(bits_equal(a.dkernel, b.dkernel));
  EXPECT_TRUE(bits_equal(a.drecurrent_kernel, b.drecurrent_kernel));
  EXPECT_TRUE(bits_equal(a.dbias, b.dbias));
}

// Promise 1. The shapes make some thread counts divide units and others divide the batch.
TEST_P(NativeRecurrent, BitsDoNotDependOnThreads) {
  for (Cell cell : kCells) {
    for (const RecurrentShape& shape :
         {RecurrentShape{.cell = cell, .T = 5, .B = 16, .I = 40, .H = 65},
          RecurrentShape{.cell = cell, .T = 5, .B = 3, .I = 100, .H = 160},
          RecurrentShape{.cell = cell,
          .T = 6,
          .B = 9,
          .I = 70,
          .H = 97,
          .lengths = {6, 1, 0, 5, 6, 2, 3, 6, 4}}}) {
      SCOPED_TRACE(shape.to_string());
      const RecurrentInputs<float> inputs(shape);
      const auto one = run_recurrent<float>(backend(1), inputs);
      for (int threads : {2, 3, 8}) {
        SCOPED_TRACE(threads);
        expect_same(run_recurrent<float>(backend(threads), inputs), one);
      }
    }
  }
}

/// A problem with sequence `from` of `inputs` alone, or repeated among others.
RecurrentInputs<float> pick(const RecurrentInputs<float>& inputs, const std::vector<Index>& from,
                            Index T) {
  RecurrentShape shape = inputs.shape;
  shape.B = static_cast<Index>(from.size());
  shape.T = T;
  shape.lengths.clear();
  for (Index b : from) {
    shape.lengths.push_back(
        static_cast<std::int32_t>(length_of(inputs.shape.lengths, b, inputs.shape.T)));
  }
  RecurrentInputs<float> picked(shape);
  picked.kernel = inputs.kernel;
  picked.recurrent_kernel = inputs.recurrent_kernel;
  picked.bias = inputs.bias;
  const auto copy_sequence = [&](const Tensor& source, Tensor& to, Index b, Index place) {
    const Index width = source.extent(2);
    for (Index t = 0; t < shape.lengths[static_cast<std::size_t>(place)]; ++t) {
      std::copy_n(source.data() + (t * inputs.shape.B + b) * width, width,
                  to.data() + (t * shape.B + place) * width);
    }
  };
  const auto copy_row = [&](const Tensor& source, Tensor& to, Index b, Index place) {
    std::copy_n(source.data() + b * shape.H, shape.H, to.data() + place * shape.H);
  };
  for (Index place = 0; place < shape.B; ++place) {
    const Index b = from[static_cast<std::size_t>(place)];
    copy_sequence(inputs.x, picked.x, b, place);
    copy_sequence(inputs.dy, picked.dy, b, place);
    copy_row(inputs.h0, picked.h0, b, place);
    copy_row(inputs.c0, picked.c0, b, place);
    copy_row(inputs.dhn, picked.dhn, b, place);
    copy_row(inputs.dcn, picked.dcn, b, place);
  }
  return picked;
}

// Promise 2.
TEST_P(NativeRecurrent, BitsDoNotDependOnBatchMatesPlaceOrPadding) {
  const NativeBackend native = backend(2);
  for (Cell cell : kCells) {
    for (bool go_backwards : {false, true}) {
      RecurrentShape shape{.cell = cell, .T = 6, .B = 11, .I = 50, .H = 83};
      shape.go_backwards = go_backwards;
      shape.lengths = {6, 3, 0, 6, 5, 1, 2, 4, 6, 6, 3};
      SCOPED_TRACE(shape.to_string());
      const RecurrentInputs<float> inputs(shape);
      const auto together = run_recurrent<float>(native, inputs);
      const auto expect_row = [&](const RecurrentOutputs<float>& other, const RecurrentShape& s,
                                  Index b, Index place) {
        for (Index t = 0; t < shape.lengths[static_cast<std::size_t>(b)]; ++t) {
          EXPECT_EQ(0, std::memcmp(&together.y[(t * shape.B + b) * shape.H],
                                   &other.y[(t * s.B + place) * s.H],
                                   static_cast<std::size_t>(s.H) * sizeof(float)));
          EXPECT_EQ(0, std::memcmp(&together.dx[(t * shape.B + b) * shape.I],
                                   &other.dx[(t * s.B + place) * s.I],
                                   static_cast<std::size_t>(s.I) * sizeof(float)));
        }
        for (const auto& [ours, theirs] : {std::pair{&together.hn, &other.hn},
                                           {&together.cn, &other.cn},
                                           {&together.dh0, &other.dh0},
                                           {&together.dc0, &other.dc0}}) {
          EXPECT_EQ(0, std::memcmp(ours->data() + b * shape.H, theirs->data() + place * s.H,
                                   static_cast<std::size_t>(s.H) * sizeof(float)));
        }
      };
      for (Index b = 0; b < shape.B; ++b) {
        SCOPED_TRACE(b);
        const auto alone = pick(inputs, {b}, std::max<Index>(1, shape.lengths[b]));
        expect_row(run_recurrent<float>(native, alone), alone.shape, b, 0);
      }
      const auto shuffled = pick(inputs, {4, 9, 9, 0, 7, 1}, 9);
      const auto out = run_recurrent<float>(native, shuffled);
      expect_row(out, shuffled.shape, 4, 0);
      expect_row(out, shuffled.shape, 9, 2);
      expect_row(out, shuffled.shape, 1, 5);
    }
  }
}

// Promise 3, with and without the packed weights of the call before.
TEST_P(NativeRecurrent, StepByStepGivesTheBitsOfTheWholeWindow) {
  const NativeBackend native = backend(2);
  for (Cell cell : kCells) {
    const RecurrentShape shape{.cell = cell, .T = 7, .B = 2, .I = 150, .H = 170};
    const RecurrentInputs<float> inputs(shape);
    const auto whole = run_recurrent<float>(native, inputs);
    for (const std::vector<Index>& cuts :
         {std::vector<Index>{1, 1, 1, 1, 1, 1, 1}, {3, 4}, {1, 5, 1}}) {
      for (std::uint64_t version : {0, 5}) {
        Tensor h = inputs.h0, c = inputs.c0, y(Shape{shape.T, shape.B, shape.H});
        std::vector<std::byte> scratch;
        Index t = 0;
        for (Index steps : cuts) {
          RecurrentForward<float> f;
          f.cell = cell;
          f.x =
              View<const float>(inputs.x.data() + t * shape.B * shape.I, {steps, shape.B, shape.I});
          f.kernel = inputs.kernel.view();
          f.recurrent_kernel = inputs.recurrent_kernel.view();
          f.bias = inputs.bias.view();
          f.h0 = f.hn = h.view();
          f.h0 = h.view();
          if (has_cell_state(cell)) {
            f.c0 = c.view();
            f.cn = c.view();
          }
          f.y = View<float>(y.data() + t * shape.B * shape.H, {steps, shape.B, shape.H});
          f.weights_version = version;
          if (scratch.size() < native.scratch_bytes(f)) {
            scratch = scratch_of(native.scratch_bytes(f));
          }
          f.scratch = scratch;
          native.recurrent_forward(f);
          t += steps;
        }
        EXPECT_TRUE(bits_equal(y, whole.y));
        EXPECT_TRUE(bits_equal(h, whole.hn));
        if (has_cell_state(cell)) {
          EXPECT_TRUE(bits_equal(c, whole.cn));
        }
      }
    }
  }
}

// A text longer than one chunk of inference.
TEST_P(NativeRecurrent, LongInferenceGivesTheBitsOfTraining) {
  const NativeBackend native = backend(2);
  const RecurrentShape shape{
      .cell = Cell::kLstm, .T = 300, .B = 4, .I = 3, .H = 5, .lengths = {300, 7, 0, 299}};
  const auto out = run_recurrent<float>(native, RecurrentInputs<float>(shape));
  EXPECT_TRUE(bits_equal(out.y, out.y_inference));
}

TEST_P(NativeRecurrent, NewWeightsUnderANewVersionAreUsed) {
  const NativeBackend native = backend(1);
  const RecurrentShape shape{.T = 1, .B = 1, .I = 4, .H = 6};
  RecurrentInputs<float> inputs(shape);
  Tensor first(Shape{1, 1, 6}), second(Shape{1, 1, 6});
  RecurrentForward<float> f;
  f.x = inputs.x.view();
  f.kernel = inputs.kernel.view();
  f.recurrent_kernel = inputs.recurrent_kernel.view();
  f.y = first.view();
  auto scratch = scratch_of(native.scratch_bytes(f));
  f.scratch = scratch;
  f.weights_version = 1;
  native.recurrent_forward(f);
  for (Index i = 0; i < inputs.kernel.size(); ++i) inputs.kernel[i] *= -1;
  f.y = second.view();
  f.weights_version = 2;
  native.recurrent_forward(f);
  EXPECT_GT(distance(second, first), 1e-3);
}

// Step by step, and with operands that are bf16 already, rounding changes nothing in what one step
// multiplies: sums of products that are exact in fp32 are as near to the truth as fp32's.
TEST_P(NativeRecurrent, OneStepOfRoundedNumbersIsAsExactAsFp32) {
  for (Cell cell : kCells) {
    if (cell == Cell::kGruResetBefore) continue;  // r * h' is an operand too
    const RecurrentShape shape{.cell = cell, .T = 1, .B = 9, .I = 75, .H = 41};
    RecurrentInputs<float> inputs(shape);
    RecurrentInputs<double> exact(shape);
    for (Tensor* operand : {&inputs.x, &inputs.h0, &inputs.kernel, &inputs.recurrent_kernel}) {
      round_to_bf16(*operand);
    }
    for (auto* operand : {&exact.x, &exact.h0, &exact.kernel, &exact.recurrent_kernel}) {
      round_to_bf16(*operand);
    }
    const auto ours = run_recurrent<float>(backend(), inputs);
    const auto truth = run_recurrent<double>(ReferenceBackend<double>(), exact);
    EXPECT_LE(distance(ours.y, truth.y), 2e-5) << name_of(cell);
    EXPECT_LE(distance(ours.cn, truth.cn), 2e-5) << name_of(cell);
  }
}

// Whole numbers up to 256 are bf16, and a rectified simple RNN makes such of such: nothing may be
// lost, forward or backward.
TEST_P(NativeRecurrent, SmallIntegersThroughARectifiedRnnAreExact) {
  const auto make_whole = [](Tensor& tensor, float limit) {
    for (Index i = 0; i < tensor.size(); ++i) tensor[i] = std::round(tensor[i] * limit);
  };
  for (const auto& [I, H] : {std::pair<Index, Index>{5, 3}, {9, 17}, {1, 8}, {35, 33}}) {
    RecurrentInputs<float> inputs(
        {.cell = Cell::kRnnRelu, .T = 3, .B = 7, .I = I, .H = H, .lengths = {3, 1, 0, 2, 3, 3, 2}});
    for (Tensor* tensor : {&inputs.x, &inputs.h0, &inputs.dy, &inputs.dhn, &inputs.bias}) {
      make_whole(*tensor, 2);
    }
    make_whole(inputs.kernel, 1.5f);
    make_whole(inputs.recurrent_kernel, std::sqrt(static_cast<float>(H)));
    const auto ours = run_recurrent<float>(backend(), inputs);
    const auto truth = run_recurrent<float>(ReferenceBackend<float>(), inputs);
    for (Index i = 0; i < truth.y.size(); ++i) ASSERT_LE(std::abs(truth.y[i]), 256);
    EXPECT_EQ(distance(ours.y, truth.y), 0);
    EXPECT_EQ(distance(ours.dx, truth.dx), 0);
    EXPECT_EQ(distance(ours.dh0, truth.dh0), 0);
    // These are added to numbers that are not whole.
    EXPECT_LE(distance(ours.dkernel, truth.dkernel), 1e-6);
    EXPECT_LE(distance(ours.drecurrent_kernel, truth.drecurrent_kernel), 1e-6);
    EXPECT_LE(distance(ours.dbias, truth.dbias), 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, NativeRecurrent, testing::ValuesIn(native_paths()), path_name);

}  // namespace
}  // namespace rnn::test
