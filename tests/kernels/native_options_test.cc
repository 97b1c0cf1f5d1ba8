// The options of the recurrent cells on every SIMD target: agreement with the reference, and the
// same bits for any number of threads and in inference.
#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/native_problem.h"
#include "support/random_problem.h"

namespace rnn::test {
namespace {

class NativeOptions : public testing::TestWithParam<std::string> {
 protected:
  static NativeBackend backend(int threads) {
    return NativeBackend({.threads = threads, .least_work = 0}, GetParam());
  }
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

/// distance() without padding, which is NaN in the inputs of one side and zero in no output.
template <class A, class B>
void expect_near(const BasicTensor<A>& actual, const BasicTensor<B>& expected, const char* name) {
  ASSERT_EQ(actual.shape(), expected.shape()) << name;
  EXPECT_LE(distance(actual, expected), 4e-5) << name;
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
      expect_near(ours.y, truth.y, "y");
      expect_near(ours.hn, truth.hn, "hn");
      expect_near(ours.dx, truth.dx, "dx");
      expect_near(ours.dh0, truth.dh0, "dh0");
      if (has_cell_state(options.cell)) {
        expect_near(ours.cn, truth.cn, "cn");
        expect_near(ours.dc0, truth.dc0, "dc0");
      }
      const auto actual = ours.parameters();
      const auto expected = truth.parameters();
      for (std::size_t p = 0; p < actual.size(); ++p) {
        expect_near(*actual[p].gradient, *expected[p].gradient, actual[p].name);
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

TEST_P(NativeOptions, AreNativeAndSayNoReasonOtherwise) {
  const NativeBackend native = backend(1);
  for (const Variant& variant : option_variants()) {
    RecurrentProblem<float> problem({.cell = variant.cell, .extras = variant.extras, .units = 3});
    const KernelPath path = native.supports(problem.forward_args());
    EXPECT_EQ(path.path, "native/" + GetParam()) << variant.name;
    EXPECT_EQ(path.reason, "") << variant.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, NativeOptions, testing::ValuesIn(NativeBackend::targets()),
                         [](const auto& target) { return target.param; });

}  // namespace
}  // namespace rnn::test
