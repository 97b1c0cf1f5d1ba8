// The options of the recurrent cells on every path (SIMD target and precision): agreement with the
// reference, and the promises about bits.
#include <gtest/gtest.h>

#include "support/compare.h"
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

TEST_P(NativeOptions, BitsDoNotDependOnThreads) {
  const NativeBackend one = backend(1), two = backend(2), five = backend(5);
  for (const Variant& variant : option_variants()) {
    // Work enough for a team; few rows and many units are divided by units, the other by rows.
    ProblemOptions by_units{.cell = variant.cell,
                            .extras = variant.extras,
                            .time = 3,
                            .batch = 5,
                            .inputs = 120,
                            .units = 83,
                            .lengths = {3, 0, 2, 3, 1}};
    ProblemOptions by_rows{.cell = variant.cell,
                           .extras = variant.extras,
                           .time = 3,
                           .batch = 40,
                           .inputs = 60,
                           .units = 35};
    for (const ProblemOptions& options : {by_units, by_rows}) {
      SCOPED_TRACE(variant.name + " H " + std::to_string(options.units));
      RecurrentProblem<float> expected(options);
      run(one, expected);
      for (const NativeBackend* backend : {&two, &five}) {
        RecurrentProblem<float> actual(options);
        run(*backend, actual);
        EXPECT_TRUE(same_bits(actual.y, expected.y));
        EXPECT_TRUE(same_bits(actual.dx, expected.dx));
        EXPECT_TRUE(same_bits(actual.dh0, expected.dh0));
        for (std::size_t p = 0; p < actual.parameters().size(); ++p) {
          EXPECT_TRUE(
              same_bits(*actual.parameters()[p].gradient, *expected.parameters()[p].gradient))
              << actual.parameters()[p].name;
        }
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
      EXPECT_TRUE(same_bits(problem.y, y));
      EXPECT_TRUE(same_bits(problem.hn, hn));
      EXPECT_TRUE(same_bits(problem.cn, cn));
    }
  }
}

// Promises 2 and 3 in bf16; in fp32 promises_test.cc has them.
TEST_P(NativeOptions, AloneAndStepByStepTheBitsAreTheSame) {
  const NativeBackend native = backend(2);
  for (const Variant& variant : option_variants()) {
    SCOPED_TRACE(variant.name);
    RecurrentProblem<float> whole({.cell = variant.cell,
                                   .extras = variant.extras,
                                   .time = 5,
                                   .batch = 11,
                                   .inputs = 7,
                                   .units = 19,
                                   .lengths = {5, 1, 0, 4, 5, 2, 3, 5, 4, 1, 5}});
    run(native, whole);
    for (const Index b : {0, 3, 5, 9}) {
      const Index length = whole.length(b);
      RecurrentProblem<float> alone = select(whole, {b}, length);
      run(native, alone);
      EXPECT_TRUE(bits_equal(steps_of(alone.y, 0, 0, length), steps_of(whole.y, b, 0, length)))
          << b;
      EXPECT_TRUE(bits_equal(steps_of(alone.dx, 0, 0, length), steps_of(whole.dx, b, 0, length)))
          << b;
      EXPECT_TRUE(bits_equal(row_of(alone.hn, 0), row_of(whole.hn, b))) << b;
      EXPECT_TRUE(bits_equal(row_of(alone.dh0, 0), row_of(whole.dh0, b))) << b;
    }
    Tensor h = whole.h0, c = whole.c0;
    for (Index t = 0; t < whole.options.time; ++t) {
      RecurrentProblem<float> step = window(whole, t, 1);
      RecurrentForward<float> args = step.inference_args();
      args.h0 = h;  // the state is carried in place
      args.hn = h;
      args.c0 = c;
      args.cn = c;
      with_scratch(native, args, [&](const auto& a) { native.recurrent_forward(a); });
      for (Index b = 0; b < whole.options.batch; ++b) {
        EXPECT_TRUE(bits_equal(steps_of(step.y, b, 0, step.length(b)),
                               steps_of(whole.y, b, t, step.length(b))));
      }
    }
    EXPECT_TRUE(same_bits(h, whole.hn));
    EXPECT_TRUE(same_bits(c, whole.cn));
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
