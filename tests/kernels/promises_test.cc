// The promises of the library that rest on kernels, bit by bit, for every backend and cell:
//   1. the same bits for any number of threads;
//   2. a sequence's outputs, final states and their gradients do not depend on its batch mates, its
//      place in the batch or padding;
//   3. step by step or in windows with carried state: the same bits as in one call.
// And small integers with a linear activation are exact.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "support/cells.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/random_problem.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::for_each_backend;
using test::ProblemOptions;
using test::random_values;
using test::row_of;
using test::steps_of;
using test::with_scratch;
using Problem = test::RecurrentProblem<float>;

class Promises : public ::testing::TestWithParam<test::Variant> {
 protected:
  /// Ragged problems of sizes around those of vector registers and tiles.
  static std::vector<ProblemOptions> ragged() {
    std::vector<ProblemOptions> all;
    for (bool go_backwards : {false, true}) {
      for (const auto& [inputs, units] :
           {std::pair<Index, Index>{1, 1}, {3, 5}, {17, 8}, {7, 33}, {33, 16}}) {
        all.push_back({.cell = GetParam().cell,
                       .extras = GetParam().extras,
                       .time = 7,
                       .batch = 11,
                       .inputs = inputs,
                       .units = units,
                       .lengths = {7, 0, 3, 7, 1, 6, 2, 7, 0, 5, 4},
                       .go_backwards = go_backwards});
      }
    }
    return all;
  }
  static std::vector<ProblemOptions> even() {
    std::vector<ProblemOptions> all = ragged();
    for (ProblemOptions& options : all) options.lengths.clear();
    return all;
  }
};

void run(const Backend& backend, Problem& problem) {
  problem.forward(backend);
  problem.backward(backend);
}

/// What promise 2 speaks of, for sequence j of one problem and b of another.
void expect_same_sequence(const Problem& actual, Index j, const Problem& expected, Index b) {
  const Index length = expected.length(b);
  EXPECT_TRUE(bits_equal(steps_of(actual.y, j, 0, length), steps_of(expected.y, b, 0, length)))
      << "y";
  EXPECT_TRUE(bits_equal(steps_of(actual.dx, j, 0, length), steps_of(expected.dx, b, 0, length)))
      << "dx";
  EXPECT_TRUE(bits_equal(row_of(actual.hn, j), row_of(expected.hn, b))) << "hn";
  EXPECT_TRUE(bits_equal(row_of(actual.dh0, j), row_of(expected.dh0, b))) << "dh0";
  if (has_cell_state(expected.options.cell)) {
    EXPECT_TRUE(bits_equal(row_of(actual.cn, j), row_of(expected.cn, b))) << "cn";
    EXPECT_TRUE(bits_equal(row_of(actual.dc0, j), row_of(expected.dc0, b))) << "dc0";
  }
}

void expect_same_bits(Problem& actual, Problem& expected) {
  for (Index b = 0; b < expected.options.batch; ++b) expect_same_sequence(actual, b, expected, b);
  const auto ours = actual.parameters(), theirs = expected.parameters();
  for (std::size_t p = 0; p < ours.size(); ++p) {
    EXPECT_TRUE(bits_equal(*ours[p].gradient, *theirs[p].gradient)) << ours[p].name;
  }
}

TEST_P(Promises, AnyNumberOfThreadsGivesTheSameBits) {
  for (const std::string& name : test::float_backends()) {
    SCOPED_TRACE("backend " + name);
    const auto one = make_backend({.name = name, .threads = {.threads = 1}});
    for (int threads : {2, 3, 5}) {
      const auto several =
          make_backend({.name = name, .threads = {.threads = threads, .least_work = 0}});
      for (const auto& options : {ragged()[3], even()[3], ragged()[8]}) {
        Problem expected(options), actual(options);
        run(*one, expected);
        run(*several, actual);
        expect_same_bits(actual, expected);
      }
    }
  }
}

TEST_P(Promises, ASequenceAloneGivesTheSameBits) {
  for_each_backend([](const Backend& backend) {
    for (const ProblemOptions& options : ragged()) {
      Problem whole(options);
      run(backend, whole);
      for (Index b = 0; b < options.batch; ++b) {
        SCOPED_TRACE("sequence " + std::to_string(b));
        const Index length = whole.length(b);
        Problem alone = select(whole, {b}, std::max<Index>(length, 1));
        if (length > 0) alone.options.lengths.clear();  // no padding at all
        run(backend, alone);
        expect_same_sequence(alone, 0, whole, b);
      }
    }
  });
}

TEST_P(Promises, MatesPlaceAndPaddingDoNotMatter) {
  for_each_backend([](const Backend& backend) {
    for (const ProblemOptions& options : ragged()) {
      Problem whole(options);
      run(backend, whole);
      // Another order, some twice, some left out, more padding.
      const std::vector<Index> which{5, 10, 1, 0, 5, 9, 4};
      Problem other = select(whole, which, 9);
      run(backend, other);
      for (std::size_t j = 0; j < which.size(); ++j) {
        SCOPED_TRACE("sequence " + std::to_string(which[j]));
        expect_same_sequence(other, static_cast<Index>(j), whole, which[j]);
      }
    }
  });
}

TEST_P(Promises, PaddingIsWrittenAsZerosAndEmptySequencesKeepTheirState) {
  for_each_backend([](const Backend& backend) {
    for (const ProblemOptions& options : ragged()) {
      Problem problem(options);
      run(backend, problem);
      for (Index b = 0; b < options.batch; ++b) {
        const Index length = problem.length(b), padding = options.time - length;
        EXPECT_TRUE(bits_equal(steps_of(problem.y, b, length, padding),
                               Tensor(Shape{padding, problem.state_width()})));
        EXPECT_TRUE(bits_equal(steps_of(problem.dx, b, length, padding),
                               Tensor(Shape{padding, options.inputs})));
        if (length > 0) continue;
        EXPECT_TRUE(bits_equal(row_of(problem.hn, b), row_of(problem.h0, b)));
        EXPECT_TRUE(bits_equal(row_of(problem.dh0, b), row_of(problem.dhn, b)));
        if (!has_cell_state(options.cell)) continue;
        EXPECT_TRUE(bits_equal(row_of(problem.cn, b), row_of(problem.c0, b)));
        EXPECT_TRUE(bits_equal(row_of(problem.dc0, b), row_of(problem.dcn, b)));
      }
    }
  });
}

TEST_P(Promises, WindowsAndSingleStepsGiveTheBitsOfTheWhole) {
  for_each_backend([](const Backend& backend) {
    std::vector<ProblemOptions> all = ragged(), unpadded = even();
    all.insert(all.end(), unpadded.begin(), unpadded.end());
    for (const ProblemOptions& options : all) {
      if (options.go_backwards) continue;
      Problem whole(options);
      whole.forward(backend);
      for (Index steps : {1, 2, 3}) {
        Tensor h = whole.h0, c = whole.c0;
        for (Index start = 0; start < options.time; start += steps) {
          const Index here = std::min(steps, options.time - start);
          Problem part = window(whole, start, here);
          RecurrentForward<float> args = part.inference_args();
          args.h0 = h;  // the state is carried in place
          args.hn = h;
          args.c0 = c;
          args.cn = c;
          with_scratch(backend, args, [&](const auto& a) { backend.recurrent_forward(a); });
          for (Index b = 0; b < options.batch; ++b) {
            const Index length = part.length(b);
            EXPECT_TRUE(
                bits_equal(steps_of(part.y, b, 0, length), steps_of(whole.y, b, start, length)))
                << "window at " << start << " of " << steps;
          }
        }
        EXPECT_TRUE(bits_equal(h, whole.hn)) << "hn";
        EXPECT_TRUE(bits_equal(c, whole.cn)) << "cn";
      }
    }
  });
}

TEST_P(Promises, ZeroInitialStateIsNoInitialState) {
  for_each_backend([](const Backend& backend) {
    for (ProblemOptions options : ragged()) {
      options.initial_state = false;
      Problem null(options), zeros(options);
      zeros.h0 = Tensor(Shape{options.batch, zeros.state_width()});
      if (has_cell_state(options.cell)) zeros.c0 = Tensor(Shape{options.batch, options.units});
      run(backend, null);
      run(backend, zeros);
      expect_same_bits(null, zeros);
    }
  });
}

TEST_P(Promises, GoingBackwardsIsGoingForwardsThroughTheMirror) {
  for_each_backend([](const Backend& backend) {
    for (const ProblemOptions& options : ragged()) {
      if (options.go_backwards) continue;
      Problem forwards(options), backwards(options);
      backwards.options.go_backwards = true;
      for (Index b = 0; b < options.batch; ++b) {
        for (Index t = 0; t < forwards.length(b); ++t) {
          const Index mirrored = forwards.length(b) - 1 - t;
          std::copy_n(&forwards.x.view()(t, b, 0), options.inputs,
                      &backwards.x.view()(mirrored, b, 0));
          const auto mirror = [&](const Tensor& from, Tensor& to) {
            if (from.empty()) return;
            std::copy_n(&from.view()(t, b, 0), from.extent(2), &to.view()(mirrored, b, 0));
          };
          mirror(forwards.dy, backwards.dy);
          mirror(forwards.zoneout_h, backwards.zoneout_h);
          mirror(forwards.zoneout_c, backwards.zoneout_c);
        }
      }
      run(backend, forwards);
      run(backend, backwards);
      EXPECT_TRUE(bits_equal(backwards.hn, forwards.hn));
      EXPECT_TRUE(bits_equal(backwards.dh0, forwards.dh0));
      for (Index b = 0; b < options.batch; ++b) {
        for (Index t = 0; t < forwards.length(b); ++t) {
          const Index mirrored = forwards.length(b) - 1 - t;
          EXPECT_TRUE(
              bits_equal(steps_of(backwards.y, b, mirrored, 1), steps_of(forwards.y, b, t, 1)));
          EXPECT_TRUE(
              bits_equal(steps_of(backwards.dx, b, mirrored, 1), steps_of(forwards.dx, b, t, 1)));
        }
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Cells, Promises, ::testing::ValuesIn(test::all_variants()),
                         test::variant_name);

TEST(DensePromise, ARowDoesNotDependOnItsMates) {
  for_each_backend([](const Backend& backend) {
    const Index rows = 13, F = 33, U = 35;
    for (bool transposed : {false, true}) {
      const Tensor x = random_values<float>({1, rows, F}, Random(1));
      const Tensor kernel = random_values<float>(transposed ? Shape{U, F} : Shape{F, U}, Random(2));
      const Tensor bias = random_values<float>({U}, Random(3));
      const Tensor dy = random_values<float>({1, rows, U}, Random(4));
      Tensor y({1, rows, U}), dx({1, rows, F}), alone_y({1, U}), alone_dx({1, F});
      const auto apply = [&](View<const float> in, View<const float> seed, View<float> out,
                             View<float> back) {
        with_scratch(
            backend,
            DenseForward<float>{
                .x = in, .kernel = kernel, .transposed = transposed, .bias = bias, .y = out},
            [&](const auto& a) { backend.dense_forward(a); });
        with_scratch(
            backend,
            DenseBackward<float>{
                .x = in, .kernel = kernel, .transposed = transposed, .dy = seed, .dx = back},
            [&](const auto& a) { backend.dense_backward(a); });
      };
      apply(x, dy, y, dx);
      for (Index b = 0; b < rows; ++b) {
        apply({&x.view()(0, b, 0), {1, 1, F}}, {&dy.view()(0, b, 0), {1, 1, U}},
              alone_y.view().reshaped({1, 1, U}), alone_dx.view().reshaped({1, 1, F}));
        EXPECT_TRUE(bits_equal(alone_y, steps_of(y, b, 0, 1)));
        EXPECT_TRUE(bits_equal(alone_dx, steps_of(dx, b, 0, 1)));
      }
    }
  });
}

}  // namespace
}  // namespace rnn
