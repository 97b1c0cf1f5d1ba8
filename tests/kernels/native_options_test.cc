// The options of the recurrent cells on every path (SIMD target and precision): agreement with the
// reference. native_promises_test.cc has the promises about bits.
#include <gtest/gtest.h>

#include "support/native_problem.h"
#include "support/random_problem.h"

namespace rnn::test {
namespace {

class NativeOptions : public testing::TestWithParam<NativePath> {
 protected:
  static NativeBackend backend(int threads) { return GetParam().backend(threads, 0); }
  /// Awkward widths; few rows and many units, which threads divide by units, and the other way.
  static std::vector<ProblemOptions> problems(const Variant& variant) {
    const auto make = [&](Index time, Index batch, Index inputs, Index units) {
      return ProblemOptions{.cell = variant.cell,
                            .extras = variant.extras,
                            .time = time,
                            .batch = batch,
                            .inputs = inputs,
                            .units = units};
    };
    std::vector<ProblemOptions> all{make(3, 2, 3, 1), make(4, 3, 5, 17), make(3, 21, 6, 13)};
    all.push_back(make(6, 9, 7, 35));
    all.back().lengths = {6, 1, 0, 5, 6, 2, 3, 6, 4};
    all.push_back(all.back());
    all.back().go_backwards = true;
    all.back().bias = all.back().initial_state = false;
    return all;
  }
};

void run(const Backend& backend, RecurrentProblem<float>& problem) {
  problem.forward(backend);
  problem.backward(backend);
}

/// Of the largest value: see native_recurrent_test.cc.
double tolerance_of(const NativePath& path) { return path.bf16() ? 0.04 : 4e-5; }

template <class A, class B>
void expect_near(const BasicTensor<A>& actual, const BasicTensor<B>& expected, double tolerance,
                 const char* name) {
  ASSERT_EQ(actual.shape(), expected.shape()) << name;
  EXPECT_LE(distance(actual, expected), tolerance) << name;
}

TEST_P(NativeOptions, AgreeWithTheReference) {
  const NativeBackend native = backend(2);
  for (const Variant& variant : option_variants()) {
    for (const ProblemOptions& options : problems(variant)) {
      SCOPED_TRACE(variant.name + " H " + std::to_string(options.units));
      RecurrentProblem<float> ours(options);
      RecurrentProblem<double> truth(options);
      run(native, ours);
      const ReferenceBackend<double> reference;
      truth.forward(reference);
      truth.backward(reference);
      const double tolerance = tolerance_of(GetParam());
      expect_near(ours.y, truth.y, tolerance, "y");
      expect_near(ours.hn, truth.hn, tolerance, "hn");
      // Where max(0, x) has its step, the least error turns a gradient on or off.
      if (GetParam().bf16() && options.cell == Cell::kRnnRelu) continue;
      expect_near(ours.dx, truth.dx, tolerance, "dx");
      expect_near(ours.dh0, truth.dh0, tolerance, "dh0");
      if (has_cell_state(options.cell)) {
        expect_near(ours.cn, truth.cn, tolerance, "cn");
        expect_near(ours.dc0, truth.dc0, tolerance, "dc0");
      }
      const auto actual = ours.parameters();
      const auto expected = truth.parameters();
      for (std::size_t p = 0; p < actual.size(); ++p) {
        expect_near(*actual[p].gradient, *expected[p].gradient, tolerance, actual[p].name);
      }
    }
  }
}

// What training keeps changes no bit, and a text longer than a chunk of inference is one text.
TEST_P(NativeOptions, InferenceGivesTheBitsOfTraining) {
  const NativeBackend native = backend(2);
  for (const Variant& variant : option_variants()) {
    SCOPED_TRACE(variant.name);
    for (const Index time : {Index{9}, Index{150}}) {
      const auto length = static_cast<std::int32_t>(time);
      RecurrentProblem<float> problem({.cell = variant.cell,
                                       .extras = variant.extras,
                                       .time = time,
                                       .batch = 4,
                                       .inputs = 3,
                                       .units = 19,
                                       .lengths = {length, 7, 0, length - 1}});
      problem.forward(native);
      const Tensor y = problem.y, hn = problem.hn, cn = problem.cn;
      problem.prepare();
      with_scratch(native, problem.inference_args(),
                   [&](const auto& a) { native.recurrent_forward(a); });
      EXPECT_TRUE(bits_equal(problem.y, y));
      EXPECT_TRUE(bits_equal(problem.hn, hn));
      EXPECT_TRUE(bits_equal(problem.cn, cn));
    }
  }
}

TEST_P(NativeOptions, AreNativeAndSayNoReasonOtherwise) {
  const NativeBackend native = backend(1);
  for (const Variant& variant : option_variants()) {
    RecurrentProblem<float> problem({.cell = variant.cell, .extras = variant.extras, .units = 3});
    const KernelPath path = native.supports(problem.forward_args());
    EXPECT_TRUE(path.path.starts_with("native/" + GetParam().target)) << path.path;
    // How bf16 is computed is told; an option is never a reason.
    if (!GetParam().bf16()) {
      EXPECT_EQ(path.reason, "") << variant.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, NativeOptions, testing::ValuesIn(native_paths()), path_name);

}  // namespace
}  // namespace rnn::test
