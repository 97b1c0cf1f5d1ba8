// int8 on every SIMD target, with and without an instruction for it: what is computed, and the
// promises about bits.
#include <gtest/gtest.h>

#include "kernels/int8_weights.h"
#include "support/native_problem.h"

namespace rnn::test {
namespace {

TEST(Int8Weights, QuantizingWhatWasQuantizedChangesNothing) {
  const Random random(3);
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const float largest = std::ldexp(0.5f + random.uniform(2 * i), static_cast<int>(i % 160) - 80);
    const float scale = int8_scale(largest);
    const float weight = largest * (2 * random.uniform(2 * i + 1) - 1);
    const auto q = int8_value(weight, scale);
    EXPECT_EQ(int8_scale(127 * scale), scale);
    EXPECT_EQ(int8_value(static_cast<float>(q) * scale, scale), q);
    EXPECT_EQ(int8_value(largest, scale), 127);
    EXPECT_LE(std::abs(weight - static_cast<float>(q) * scale), 0.5001f * scale);
  }
  EXPECT_EQ(int8_scale(0), 0);
  EXPECT_EQ(int8_value(0, 0), 0);
  EXPECT_TRUE(std::isnan(int8_scale(INFINITY)));
  EXPECT_TRUE(std::isnan(int8_larger(3, NAN)));
}

constexpr Cell kEveryCell[] = {Cell::kLstm,           Cell::kLstmCoupled, Cell::kGru,
                               Cell::kGruResetBefore, Cell::kRnnTanh,     Cell::kRnnRelu};

class NativeInt8 : public testing::TestWithParam<std::string> {
 protected:
  static NativeBackend backend(int threads = 2) {
    return NativeBackend({.threads = threads}, GetParam(), Precision::kInt8);
  }
};

/// A matrix as int8 sees it: columns are outputs, or rows where it is `transposed`.
BasicTensor<double> rounded_weights(const Tensor& w, bool transposed = false) {
  BasicTensor<double> result(w.shape());
  const Index rows = w.extent(0), columns = w.extent(1);
  for (Index n = 0; n < (transposed ? rows : columns); ++n) {
    const Index size = transposed ? columns : rows;
    const auto at = [&](Index k) { return transposed ? n * columns + k : k * columns + n; };
    float largest = 0;
    for (Index k = 0; k < size; ++k) largest = int8_larger(largest, w[at(k)]);
    const float scale = int8_scale(largest);
    for (Index k = 0; k < size; ++k) {
      result[at(k)] = static_cast<double>(scale) * int8_value(w[at(k)], scale);
    }
  }
  return result;
}

/// A row as int8 sees it.
std::vector<double> rounded_row(const float* x, Index size) {
  float largest = 0;
  for (Index k = 0; k < size; ++k) largest = std::max(largest, std::abs(x[k]));
  std::vector<double> result(static_cast<std::size_t>(size));
  for (Index k = 0; largest > 0 && k < size; ++k) {
    result[static_cast<std::size_t>(k)] =
        static_cast<double>(largest) / 127 *
        static_cast<double>(std::nearbyint(x[k] * (127 / largest)));
  }
  return result;
}

struct DenseShape {
  Index T, B, F, U;
  bool transposed = false, bias = true;
  std::vector<std::int32_t> lengths{};
};

Tensor run_dense(const Backend& backend, const DenseShape& s, const Tensor& x, const Tensor& kernel,
                 const Tensor& bias, int calls = 1) {
  Tensor y({s.T, s.B, s.U});
  DenseForward<float> f;
  f.x = x.view();
  f.lengths = s.lengths;
  f.kernel = kernel.view();
  f.transposed = s.transposed;
  if (s.bias) f.bias = bias.view();
  f.y = y.view();
  f.weights_version = calls > 1 ? 7 : 0;
  auto scratch = scratch_of(backend.scratch_bytes(f));
  f.scratch = scratch;
  for (int call = 0; call < calls; ++call) {
    y.fill(NAN);
    backend.dense_forward(f);
  }
  return y;
}

TEST_P(NativeInt8, DenseMultipliesWholeNumbers) {
  std::vector<DenseShape> shapes{{5, 4, 30, 41, false, true, {5, 0, 2, 4}}, {1, 1, 300, 401}};
  for (Index size : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 71}) {
    for (bool transposed : {false, true}) {
      shapes.push_back({2, 3, size, 19, transposed});
      shapes.push_back({2, 3, 18, size, transposed, false});
      shapes.push_back({1, size, 20, 21, transposed});
    }
  }
  for (const DenseShape& s : shapes) {
    SCOPED_TRACE(testing::Message() << s.T << ' ' << s.B << ' ' << s.F << ' ' << s.U);
    const Tensor x = random_tensor({s.T, s.B, s.F}, 1), bias = random_tensor({s.U}, 3);
    const Tensor kernel = random_tensor(s.transposed ? Shape{s.U, s.F} : Shape{s.F, s.U}, 2, 0.5f);
    const Tensor y = run_dense(backend(), s, x, kernel, bias);
    const auto weights = rounded_weights(kernel, s.transposed);
    for (Index row = 0; row < s.T * s.B; ++row) {
      const bool padding = row / s.B >= length_of(s.lengths, row % s.B, s.T);
      const auto in = rounded_row(x.data() + row * s.F, s.F);
      for (Index u = 0; u < s.U; ++u) {
        double sum = s.bias ? static_cast<double>(bias[u]) : 0;
        for (Index k = 0; k < s.F; ++k) {
          sum +=
              in[static_cast<std::size_t>(k)] * weights[s.transposed ? u * s.F + k : k * s.U + u];
        }
        ASSERT_NEAR(static_cast<double>(y[row * s.U + u]), padding ? 0 : sum,
                    2e-6 * (1 + std::abs(sum)))
            << row << ' ' << u;
      }
    }
    EXPECT_TRUE(bits_equal(y, run_dense(backend(), s, x, kernel, bias, 3)));
    for (int threads : {1, 3, 8}) {
      const NativeBackend other({.threads = threads, .least_work = 0}, GetParam(),
                                Precision::kInt8);
      EXPECT_TRUE(bits_equal(y, run_dense(other, s, x, kernel, bias)));
    }
  }
}

TEST_P(NativeInt8, WhatIsNotFiniteShowsAndStaysInItsRow) {
  const DenseShape s{1, 3, 40, 33};
  Tensor x = random_tensor({1, 3, 40}, 1), kernel = random_tensor({40, 33}, 2);
  const Tensor bias = random_tensor({33}, 3);
  const Tensor before = run_dense(backend(), s, x, kernel, bias);
  for (float bad : {NAN, INFINITY}) {
    x[40 + 7] = bad;
    std::fill_n(x.data() + 80, 40, 0.0f);
    const Tensor y = run_dense(backend(), s, x, kernel, bias);
    for (Index u = 0; u < 33; ++u) {
      EXPECT_EQ(y[u], before[u]);
      EXPECT_TRUE(std::isnan(y[33 + u]));
      EXPECT_EQ(y[66 + u], bias[u]);  // a row of zeros
    }
  }
  kernel[5] = NAN;  // column 5
  const Tensor y = run_dense(backend(), s, random_tensor({1, 3, 40}, 1), kernel, bias);
  EXPECT_TRUE(std::isnan(y[5]));
  EXPECT_FALSE(std::isnan(y[6]));
}

struct States {
  Tensor y, h, c;
};

/// Inference over steps [0, T) in calls of `cuts` steps.
States infer(const Backend& backend, const RecurrentInputs<float>& in, std::vector<Index> cuts = {},
             std::uint64_t version = 0) {
  const RecurrentShape& s = in.shape;
  if (cuts.empty()) cuts = {s.T};
  States out{Tensor({s.T, s.B, s.H}), in.h0, in.c0};
  out.y.fill(NAN);
  std::vector<std::byte> scratch;
  Index t = 0;
  for (Index steps : cuts) {
    RecurrentForward<float> f;
    f.cell = s.cell;
    f.go_backwards = s.go_backwards;
    f.x = View<const float>(in.x.data() + t * s.B * s.I, {steps, s.B, s.I});
    f.lengths = s.lengths;
    f.kernel = in.kernel.view();
    f.recurrent_kernel = in.recurrent_kernel.view();
    if (s.bias) f.bias = in.bias.view();
    f.h0 = out.h.view();
    f.hn = out.h.view();
    if (is_lstm(s.cell)) {
      f.c0 = out.c.view();
      f.cn = out.c.view();
    }
    f.y = View<float>(out.y.data() + t * s.B * s.H, {steps, s.B, s.H});
    f.weights_version = version;
    if (scratch.size() < backend.scratch_bytes(f)) scratch = scratch_of(backend.scratch_bytes(f));
    f.scratch = scratch;
    backend.recurrent_forward(f);
    t += steps;
  }
  return out;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// One step of row b by the equations of cells.h, with rounded operands in products: h, then c.
std::pair<std::vector<double>, std::vector<double>> step_of(const RecurrentInputs<float>& in,
                                                            Index b) {
  const RecurrentShape& s = in.shape;
  const Index H = s.H, width = gates_of(s.cell) * H;
  const auto W = rounded_weights(in.kernel), U = rounded_weights(in.recurrent_kernel);
  const auto x = rounded_row(in.x.data() + b * s.I, s.I);
  const float* h = in.h0.data() + b * H;
  const auto product = [&](const std::vector<double>& row, const BasicTensor<double>& m, Index j) {
    double sum = 0;
    for (std::size_t k = 0; k < row.size(); ++k)
      sum += row[k] * m[static_cast<Index>(k) * width + j];
    return sum;
  };
  const auto bias = [&](Index j) { return static_cast<double>(in.bias[j]); };
  const auto input = [&](Index gate, Index u) {
    return bias(gate * H + u) + product(x, W, gate * H + u);
  };
  const auto q = rounded_row(h, H);
  const auto state = [&](Index gate, Index u) { return product(q, U, gate * H + u); };
  std::vector<double> next(static_cast<std::size_t>(H)), c(next);
  std::vector<float> reset(static_cast<std::size_t>(H));
  for (Index u = 0; s.cell == Cell::kGruResetBefore && u < H; ++u) {
    reset[static_cast<std::size_t>(u)] =
        static_cast<float>(sigmoid(input(0, u) + state(0, u))) * h[u];
  }
  const auto q_reset = rounded_row(reset.data(), H);
  for (Index u = 0; u < H; ++u) {
    const auto i = static_cast<std::size_t>(u);
    const double before = static_cast<double>(h[u]);
    switch (s.cell) {
      case Cell::kLstm:
        c[i] = sigmoid(input(1, u) + state(1, u)) * static_cast<double>(in.c0[b * H + u]) +
               sigmoid(input(0, u) + state(0, u)) * std::tanh(input(2, u) + state(2, u));
        next[i] = sigmoid(input(3, u) + state(3, u)) * std::tanh(c[i]);
        break;
      case Cell::kLstmCoupled: {
        const double f = sigmoid(input(0, u) + state(0, u));
        c[i] = f * static_cast<double>(in.c0[b * H + u]) +
               (1 - f) * std::tanh(input(1, u) + state(1, u));
        next[i] = sigmoid(input(2, u) + state(2, u)) * std::tanh(c[i]);
        break;
      }
      case Cell::kGru: {
        const double r = sigmoid(input(0, u) + state(0, u) + bias(width + u));
        const double z = sigmoid(input(1, u) + state(1, u) + bias(width + H + u));
        const double n = std::tanh(input(2, u) + r * (state(2, u) + bias(width + 2 * H + u)));
        next[i] = (1 - z) * n + z * before;
        break;
      }
      case Cell::kGruResetBefore: {
        const double z = sigmoid(input(1, u) + state(1, u));
        next[i] = (1 - z) * std::tanh(input(2, u) + product(q_reset, U, 2 * H + u)) + z * before;
        break;
      }
      case Cell::kRnnTanh:
        next[i] = std::tanh(input(0, u) + state(0, u));
        break;
      case Cell::kRnnRelu:
        next[i] = std::max(0.0, input(0, u) + state(0, u));
    }
  }
  return {next, c};
}

TEST_P(NativeInt8, AStepFollowsTheEquationsWithRoundedOperands) {
  for (Cell cell : kEveryCell) {
    // r * h is rounded after a sigmoid that two programs compute a little differently, so a value
    // now and then falls on the other side.
    const double tolerance = cell == Cell::kGruResetBefore ? 5e-3 : 1e-5;
    for (Index H : {1, 4, 16, 17, 37, 67}) {
      for (Index B : {1, 3, 9}) {
        const RecurrentInputs<float> in({.cell = cell, .T = 1, .B = B, .I = H + 2, .H = H});
        SCOPED_TRACE(in.shape.to_string());
        const States out = infer(backend(), in);
        for (Index b = 0; b < B; ++b) {
          const auto [h, c] = step_of(in, b);
          for (Index u = 0; u < H; ++u) {
            const auto i = static_cast<std::size_t>(u);
            ASSERT_NEAR(static_cast<double>(out.y[b * H + u]), h[i], tolerance);
            ASSERT_EQ(out.h[b * H + u], out.y[b * H + u]);
            if (is_lstm(cell)) {
              ASSERT_NEAR(static_cast<double>(out.c[b * H + u]), c[i], tolerance);
            }
          }
        }
      }
    }
  }
}

// Promise 1.
TEST_P(NativeInt8, BitsDoNotDependOnThreads) {
  for (Cell cell : kEveryCell) {
    for (const RecurrentShape& shape :
         {RecurrentShape{.cell = cell, .T = 4, .B = 17, .I = 140, .H = 165},
          RecurrentShape{.cell = cell, .T = 4, .B = 2, .I = 300, .H = 260},
          RecurrentShape{.cell = cell,
          .T = 5,
          .B = 9,
          .I = 270,
          .H = 197,
          .lengths = {5, 1, 0, 5, 5, 2, 3, 5, 4}}}) {
      SCOPED_TRACE(shape.to_string());
      const RecurrentInputs<float> in(shape);
      const States one = infer(backend(1), in);
      for (int threads : {2, 3, 8}) {
        const States other = infer(backend(threads), in);
        EXPECT_TRUE(bits_equal(one.y, other.y)) << threads;
        EXPECT_TRUE(bits_equal(one.h, other.h)) << threads;
        EXPECT_TRUE(bits_equal(one.c, other.c)) << threads;
      }
    }
  }
}

// Promise 2: each sequence alone, without padding.
TEST_P(NativeInt8, BitsDoNotDependOnBatchMatesPlaceOrPadding) {
  for (Cell cell : kEveryCell) {
    for (bool go_backwards : {false, true}) {
      RecurrentShape shape{.cell = cell, .T = 6, .B = 11, .I = 50, .H = 83};
      shape.go_backwards = go_backwards;
      shape.lengths = {6, 3, 0, 6, 5, 1, 2, 4, 6, 6, 3};
      SCOPED_TRACE(shape.to_string());
      const RecurrentInputs<float> in(shape);
      const States together = infer(backend(), in);
      for (Index b = 0; b < shape.B; ++b) {
        RecurrentShape one = shape;
        one.B = 1;
        one.T = shape.lengths[static_cast<std::size_t>(b)];
        one.lengths.clear();
        if (one.T == 0) continue;
        RecurrentInputs<float> alone(one);
        alone.kernel = in.kernel;
        alone.recurrent_kernel = in.recurrent_kernel;
        alone.bias = in.bias;
        std::copy_n(in.h0.data() + b * shape.H, shape.H, alone.h0.data());
        std::copy_n(in.c0.data() + b * shape.H, shape.H, alone.c0.data());
        for (Index t = 0; t < one.T; ++t) {
          std::copy_n(in.x.data() + (t * shape.B + b) * shape.I, shape.I,
                      alone.x.data() + t * shape.I);
        }
        const States out = infer(backend(), alone);
        for (Index u = 0; u < shape.H; ++u) {
          for (Index t = 0; t < one.T; ++t) {
            ASSERT_EQ(together.y[(t * shape.B + b) * shape.H + u], out.y[t * shape.H + u]);
          }
          ASSERT_EQ(together.h[b * shape.H + u], out.h[u]);
          ASSERT_EQ(together.c[b * shape.H + u], out.c[u]);
        }
      }
      for (Index t = 3; t < 6; ++t) EXPECT_EQ(together.y[(t * shape.B + 1) * shape.H], 0.0f);
    }
  }
}

// Promise 3, with and without the packed weights of the call before, also over more rows than a
// chunk has.
TEST_P(NativeInt8, StepByStepGivesTheBitsOfTheWholeWindow) {
  for (Cell cell : kEveryCell) {
    const RecurrentInputs<float> in({.cell = cell, .T = 7, .B = 2, .I = 150, .H = 170});
    const States whole = infer(backend(), in);
    for (const std::vector<Index>& cuts :
         {std::vector<Index>{1, 1, 1, 1, 1, 1, 1}, {3, 4}, {1, 5, 1}}) {
      for (std::uint64_t version : {0, 5}) {
        const States parts = infer(backend(), in, cuts, version);
        EXPECT_TRUE(bits_equal(parts.y, whole.y));
        EXPECT_TRUE(bits_equal(parts.h, whole.h));
        EXPECT_TRUE(bits_equal(parts.c, whole.c));
      }
    }
  }
  const RecurrentInputs<float> text({.T = 600, .B = 2, .I = 3, .H = 5});
  EXPECT_TRUE(bits_equal(infer(backend(), text).y, infer(backend(), text, {255, 300, 45}).y));
}

TEST_P(NativeInt8, RoundedWeightsGiveTheBitsOfTheOriginal) {
  RecurrentInputs<float> in({.cell = Cell::kGru, .T = 4, .B = 3, .I = 33, .H = 50});
  const States before = infer(backend(), in);
  for (Tensor* weights : {&in.kernel, &in.recurrent_kernel}) {
    const auto rounded = rounded_weights(*weights);
    for (Index i = 0; i < rounded.size(); ++i) (*weights)[i] = static_cast<float>(rounded[i]);
  }
  EXPECT_TRUE(bits_equal(before.y, infer(backend(), in).y));
}

/// The backend in fp32 on the same registers.
NativeBackend in_fp32(const std::string& target, int threads = 2) {
  return NativeBackend({.threads = threads}, target == "AVX3_VNNI" ? "AVX3" : target,
                       Precision::kFp32);
}

TEST_P(NativeInt8, WhatItLacksRunsInFp32AndSaysSo) {
  const std::string fp32 = in_fp32(GetParam()).supports({}).path;
  EXPECT_NE(backend().supports({}).path, fp32);
  const auto expect_fp32 = [&](const RecurrentForward<float>& f, const std::string& why) {
    const KernelPath path = backend().supports(f);
    EXPECT_EQ(path.path, fp32);
    EXPECT_NE(path.reason.find("fp32"), std::string::npos) << path.reason;
    EXPECT_NE(path.reason.find(why), std::string::npos) << path.reason;
  };
  float none = 0;
  RecurrentForward<float> zoneout, training, deep;
  zoneout.options.zoneout_h_rate = 0.1f;
  expect_fp32(zoneout, "zoneout");
  training.gates = {&none, {1, 1, 4}};
  expect_fp32(training, "inference");
  deep.x = {&none, {1, 1, 132105}};
  expect_fp32(deep, "132104");
  deep.x = {&none, {1, 1, 132104}};
  EXPECT_NE(backend().supports(deep).path, fp32);
  deep.y = {&none, {1, 1, 132105}};
  expect_fp32(deep, "132104");
}

// A sum of 32 bits holds so many products of 8 bits and not one more.
TEST_P(NativeInt8, TheDeepestProductDoesNotOverflowAndADeeperOneIsMadeInFp32) {
  for (const float sign : {1.0f, -1.0f}) {
    const DenseShape deepest{1, 1, 132104, 2, false, false};
    Tensor x({1, 1, 132104}), kernel({132104, 2});
    x.fill(1);
    kernel.fill(sign);
    const Tensor y = run_dense(backend(), deepest, x, kernel, Tensor());
    EXPECT_NEAR(y[0], sign * 132104.0f, 2.0f);  // a scale has 17 bits
    EXPECT_EQ(y[1], y[0]);
  }
  const DenseShape deeper{1, 1, 132105, 2, false, false};
  const Tensor x = random_tensor({1, 1, 132105}, 1), kernel = random_tensor({132105, 2}, 2);
  EXPECT_TRUE(bits_equal(run_dense(backend(), deeper, x, kernel, Tensor(), 2),
                         run_dense(in_fp32(GetParam()), deeper, x, kernel, Tensor(), 2)));
}

INSTANTIATE_TEST_SUITE_P(Targets, NativeInt8,
                         testing::ValuesIn(NativeBackend::targets(Precision::kInt8)),
                         [](const auto& target) { return target.param; });

}  // namespace
}  // namespace rnn::test
