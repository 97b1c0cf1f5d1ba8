// Promises 1 to 3 (see promises_test.cc) for every cell with every option on every execution path
// of the native backend: each SIMD target in fp32, bf16 and, as far as inference goes, int8. What
// is compared is computed by different numbers of threads, so that a whole batch divided by
// sequences meets parts of it divided by units, or not divided at all.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/compare.h"
#include "support/native_problem.h"
#include "support/random_problem.h"

namespace rnn::test {
namespace {

using Problem = RecurrentProblem<float>;

class NativePromises : public testing::TestWithParam<NativePath> {
 protected:
  /// Every problem is worth all threads.
  const NativeBackend& backend(int threads) {
    std::unique_ptr<NativeBackend>& made = backends_[threads];
    if (!made) {
      made = std::make_unique<NativeBackend>(ThreadPoolOptions{.threads = threads, .least_work = 0},
                                             GetParam().target, GetParam().precision);
    }
    return *made;
  }

  void infer(int threads, Problem& problem) {
    with_scratch(backend(threads), problem.inference_args(),
                 [&](const auto& a) { backend(threads).recurrent_forward(a); });
  }

  /// Forward and backward, or where there is no training inference.
  void run(int threads, Problem& problem) {
    if (!GetParam().trains()) return infer(threads, problem);
    problem.forward(backend(threads));
    problem.backward(backend(threads));
  }

  /// What promise 2 speaks of, for sequence j of one problem and b of another.
  static void expect_same_sequence(const Problem& actual, Index j, const Problem& expected,
                                   Index b) {
    const Index length = expected.length(b);
    const bool with_c = has_cell_state(expected.options.cell);
    const auto steps = [&](const Tensor& ours, const Tensor& theirs, const char* name) {
      EXPECT_TRUE(bits_equal(steps_of(ours, j, 0, length), steps_of(theirs, b, 0, length)))
          << name << " of sequence " << b;
    };
    const auto row = [&](const Tensor& ours, const Tensor& theirs, const char* name) {
      EXPECT_TRUE(bits_equal(row_of(ours, j), row_of(theirs, b))) << name << " of sequence " << b;
    };
    steps(actual.y, expected.y, "y");
    row(actual.hn, expected.hn, "hn");
    if (with_c) row(actual.cn, expected.cn, "cn");
    if (!GetParam().trains()) return;
    steps(actual.dx, expected.dx, "dx");
    row(actual.dh0, expected.dh0, "dh0");
    if (with_c) row(actual.dc0, expected.dc0, "dc0");
  }

  static void expect_same_bits(Problem& actual, Problem& expected) {
    for (Index b = 0; b < expected.options.batch; ++b) expect_same_sequence(actual, b, expected, b);
    if (!GetParam().trains()) return;
    const auto ours = actual.parameters(), theirs = expected.parameters();
    for (std::size_t p = 0; p < ours.size(); ++p) {
      EXPECT_TRUE(bits_equal(*ours[p].gradient, *theirs[p].gradient)) << ours[p].name;
    }
  }

  static std::string name_of(const Variant& variant, const ProblemOptions& options) {
    return variant.name + " I " + std::to_string(options.inputs) + " H " +
           std::to_string(options.units) + (options.go_backwards ? " backwards" : "");
  }

  /// Few rows and many units, which threads divide by units; and the other way.
  static std::vector<ProblemOptions> problems(const Variant& variant) {
    ProblemOptions by_units{.cell = variant.cell,
                            .extras = variant.extras,
                            .time = 4,
                            .batch = 5,
                            .inputs = 37,
                            .units = 83,
                            .lengths = {4, 0, 2, 3, 1}};
    ProblemOptions by_sequences{.cell = variant.cell,
                                .extras = variant.extras,
                                .time = 3,
                                .batch = 40,
                                .inputs = 9,
                                .units = 19};
    for (Index b = 0; b < 40; ++b) {
      by_sequences.lengths.push_back(static_cast<std::int32_t>((b * 7 + 3) % 4));
    }
    ProblemOptions mirrored = by_units;
    mirrored.go_backwards = true;
    return {by_units, by_sequences, mirrored};
  }

 private:
  std::map<int, std::unique_ptr<NativeBackend>> backends_;
};

TEST_P(NativePromises, AnyNumberOfThreadsGivesTheSameBits) {
  for (const Variant& variant : all_variants()) {
    for (const ProblemOptions& options : problems(variant)) {
      SCOPED_TRACE(name_of(variant, options));
      Problem expected(options);
      run(1, expected);
      for (int threads : {2, 5}) {
        SCOPED_TRACE(threads);
        Problem actual(options);
        run(threads, actual);
        expect_same_bits(actual, expected);
      }
    }
  }
}

TEST_P(NativePromises, MatesPlaceAndPaddingDoNotMatter) {
  for (const Variant& variant : all_variants()) {
    for (const ProblemOptions& options : problems(variant)) {
      SCOPED_TRACE(name_of(variant, options));
      Problem whole(options);
      run(2, whole);
      for (const Index b : {0, 1, 2, 3}) {  // alone, without padding
        Problem alone = select(whole, {b}, std::max<Index>(whole.length(b), 1));
        if (whole.length(b) > 0) alone.options.lengths.clear();
        run(b % 2 == 0 ? 3 : 1, alone);
        expect_same_sequence(alone, 0, whole, b);
      }
      // Another order, some twice, some left out, more padding.
      const std::vector<Index> which{4, 2, 1, 4, 0, 3, 2, 3, 0};
      Problem other = select(whole, which, 6);
      run(3, other);
      for (std::size_t j = 0; j < which.size(); ++j) {
        expect_same_sequence(other, static_cast<Index>(j), whole, which[j]);
      }
    }
  }
}

TEST_P(NativePromises, WindowsAndSingleStepsGiveTheBitsOfTheWhole) {
  for (const Variant& variant : all_variants()) {
    for (const ProblemOptions& options : problems(variant)) {
      if (options.go_backwards) continue;
      SCOPED_TRACE(name_of(variant, options));
      Problem whole(options);
      run(2, whole);
      for (const Index steps : {1, 2, 3}) {
        Tensor h = whole.h0, c = whole.c0;
        for (Index start = 0; start < options.time; start += steps) {
          Problem part = window(whole, start, std::min(steps, options.time - start));
          RecurrentForward<float> args = part.inference_args();
          args.h0 = h;  // the state is carried in place
          args.hn = h;
          args.c0 = c;
          args.cn = c;
          const NativeBackend& native = backend(static_cast<int>(start % 3) + 1);
          with_scratch(native, args, [&](const auto& a) { native.recurrent_forward(a); });
          for (Index b = 0; b < options.batch; ++b) {
            const Index length = part.length(b);
            EXPECT_TRUE(
                bits_equal(steps_of(part.y, b, 0, length), steps_of(whole.y, b, start, length)))
                << "sequence " << b << ", window at " << start << " of " << steps;
          }
        }
        EXPECT_TRUE(bits_equal(h, whole.hn)) << "hn";
        EXPECT_TRUE(bits_equal(c, whole.cn)) << "cn";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, NativePromises, testing::ValuesIn(all_native_paths()), path_name);

}  // namespace
}  // namespace rnn::test
