// Every gradient of every recurrent cell against complex step: the proof that the backward formulas
// are those of the forward ones, to near the last digit.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "kernels/reference/reference_backend.h"
#include "support/cells.h"
#include "support/compare.h"
#include "support/complex_step.h"
#include "support/random_problem.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::close_to;
using test::Complex;
using test::complex_step;
using test::ProblemOptions;
using test::RecurrentProblem;
using test::steps_of;
using test::with_scratch;

// Relative 1e-10; the absolute part is for sums that happen to cancel.
constexpr test::Tolerance kExact{.relative = 1e-10, .absolute = 1e-13};

std::string describe(const ProblemOptions& options) {
  std::ostringstream text;
  text << name_of(options.cell) << " T=" << options.time;
  for (std::int32_t length : options.lengths) text << ' ' << length;
  text << (options.go_backwards ? " backwards" : "") << (options.bias ? "" : " without bias")
       << (options.initial_state ? "" : " from zeros");
  return text.str();
}

/// Runs both passes in double and checks each gradient against complex step of the forward pass.
void expect_exact_gradients(const ProblemOptions& options) {
  SCOPED_TRACE(describe(options));
  RecurrentProblem<double> real(options);
  const ReferenceBackend<double> backend;
  real.forward(backend);
  real.backward(backend);

  RecurrentProblem<Complex> imaginary(options);
  const ReferenceBackend<Complex> oracle;
  const auto loss = [&] {
    imaginary.forward(oracle);
    return imaginary.loss();
  };
  // Where a loss does not read padding, its complex-step derivative there is zero, as dx must be.
  EXPECT_TRUE(close_to(real.dx, complex_step(imaginary.x, loss), kExact)) << "dx";
  const auto expected = imaginary.parameters();
  const auto actual = real.parameters();
  for (std::size_t p = 0; p < actual.size(); ++p) {
    EXPECT_TRUE(close_to(*actual[p].gradient, complex_step(*expected[p].value, loss), kExact))
        << actual[p].name;
  }
  // Without initial state the gradient is still wanted: that at zeros.
  if (!options.initial_state) {
    imaginary.h0 = BasicTensor<Complex>({options.batch, real.state_width()});
    if (has_cell_state(options.cell)) {
      imaginary.c0 = BasicTensor<Complex>({options.batch, options.units});
    }
  }
  EXPECT_TRUE(close_to(real.dh0, complex_step(imaginary.h0, loss), kExact)) << "dh0";
  if (has_cell_state(options.cell)) {
    EXPECT_TRUE(close_to(real.dc0, complex_step(imaginary.c0, loss), kExact)) << "dc0";
  }
}

class RecurrentGradient : public ::testing::TestWithParam<test::Variant> {};

TEST_P(RecurrentGradient, EqualsComplexStep) {
  for (bool go_backwards : {false, true}) {
    for (std::int32_t time : {1, 2, 5}) {
      const std::int32_t middle = (time + 1) / 2;
      for (const std::vector<std::int32_t>& lengths :
           {std::vector<std::int32_t>{}, {time, 0, middle, time}, {0, middle, 1, 0}}) {
        expect_exact_gradients({.cell = GetParam().cell,
                                .extras = GetParam().extras,
                                .time = time,
                                .batch = 4,
                                .inputs = 2,
                                .units = 3,
                                .lengths = lengths,
                                .go_backwards = go_backwards,
                                .seed = static_cast<std::uint64_t>(10 + time)});
      }
    }
  }
}

TEST_P(RecurrentGradient, EqualsComplexStepWithoutBiasOrInitialState) {
  expect_exact_gradients({.cell = GetParam().cell,
                          .extras = GetParam().extras,
                          .time = 3,
                          .batch = 2,
                          .inputs = 3,
                          .units = 2,
                          .bias = false});
  expect_exact_gradients({.cell = GetParam().cell,
                          .extras = GetParam().extras,
                          .time = 3,
                          .batch = 3,
                          .inputs = 3,
                          .units = 2,
                          .lengths = {3, 0, 2},
                          .initial_state = false});
}

TEST_P(RecurrentGradient, OmittedSeedsAreZeros) {
  const ProblemOptions options{.cell = GetParam().cell,
                               .extras = GetParam().extras,
                               .time = 3,
                               .batch = 2,
                               .inputs = 3,
                               .units = 5,
                               .lengths = {2, 3}};
  const ReferenceBackend<double> backend;
  RecurrentProblem<double> given(options), omitted(options);
  given.dy.fill(0);
  given.dcn.fill(0);
  given.forward(backend);
  given.backward(backend);
  omitted.forward(backend);
  auto args = omitted.backward_args();
  args.dy = args.dcn = {};
  with_scratch(backend, args, [&](const auto& a) { backend.recurrent_backward(a); });
  EXPECT_TRUE(bits_equal(omitted.dx, given.dx)) << "dx";
  EXPECT_TRUE(bits_equal(omitted.dkernel, given.dkernel)) << "dkernel";
  EXPECT_TRUE(bits_equal(omitted.dh0, given.dh0)) << "dh0";

  given.dhn.fill(0);
  given.dy = omitted.dy;
  given.prepare();
  given.forward(backend);
  given.backward(backend);
  omitted.prepare();
  omitted.forward(backend);
  args = omitted.backward_args();
  args.dhn = args.dcn = {};
  with_scratch(backend, args, [&](const auto& a) { backend.recurrent_backward(a); });
  EXPECT_TRUE(bits_equal(omitted.dx, given.dx)) << "dx";
  EXPECT_TRUE(bits_equal(omitted.dkernel, given.dkernel)) << "dkernel";
  EXPECT_TRUE(bits_equal(omitted.dh0, given.dh0)) << "dh0";
}

TEST_P(RecurrentGradient, ParametersAddToWhatIsThere) {
  const ProblemOptions options{.cell = GetParam().cell,
                               .extras = GetParam().extras,
                               .time = 3,
                               .batch = 2,
                               .inputs = 3,
                               .units = 5};
  const ReferenceBackend<double> backend;
  RecurrentProblem<double> once(options), twice(options);
  once.forward(backend);
  once.backward(backend);
  for (int pass = 0; pass < 2; ++pass) {
    twice.forward(backend);
    twice.backward(backend);
  }
  const auto actual = twice.parameters();
  for (std::size_t p = 0; p < actual.size(); ++p) {
    BasicTensor<double>& expected = *once.parameters()[p].gradient;
    for (double& value : expected.view()) value *= 2;
    EXPECT_TRUE(close_to(*actual[p].gradient, expected, kExact)) << actual[p].name;
  }
  EXPECT_TRUE(bits_equal(twice.dx, once.dx));
}

TEST_P(RecurrentGradient, FrozenParametersLeaveTheOthersAlone) {
  const ProblemOptions options{.cell = GetParam().cell,
                               .extras = GetParam().extras,
                               .time = 3,
                               .batch = 2,
                               .inputs = 3,
                               .units = 5};
  const ReferenceBackend<double> backend;
  RecurrentProblem<double> all(options), frozen(options);
  all.forward(backend);
  all.backward(backend);
  frozen.forward(backend);
  auto args = frozen.backward_args();
  args.dkernel = args.drecurrent_kernel = args.dbias = {};
  args.doptions = {};
  args.dh0 = args.dc0 = {};
  with_scratch(backend, args, [&](const auto& a) { backend.recurrent_backward(a); });
  EXPECT_TRUE(bits_equal(frozen.dx, all.dx));

  frozen.forward(backend);
  args = frozen.backward_args();
  args.dx = args.dh0 = args.dc0 = {};
  with_scratch(backend, args, [&](const auto& a) { backend.recurrent_backward(a); });
  for (std::size_t p = 0; p < all.parameters().size(); ++p) {
    EXPECT_TRUE(bits_equal(*frozen.parameters()[p].gradient, *all.parameters()[p].gradient));
  }
}

// Back-propagation through windows that hand dh0, dc0 on to the window before is back-propagation
// through the whole.
TEST_P(RecurrentGradient, ChainedWindowsEqualTheWhole) {
  const ReferenceBackend<double> backend;
  RecurrentProblem<double> whole({.cell = GetParam().cell,
                                  .extras = GetParam().extras,
                                  .time = 5,
                                  .batch = 4,
                                  .inputs = 2,
                                  .units = 3,
                                  .lengths = {5, 1, 0, 3}});
  whole.forward(backend);
  whole.backward(backend);
  RecurrentProblem<double> first = window(whole, 0, 2), second = window(whole, 2, 3);
  first.forward(backend);
  second.h0 = first.hn;
  second.c0 = first.cn;
  second.forward(backend);
  second.backward(backend);
  first.dhn = second.dh0;
  first.dcn = second.dc0;
  for (std::size_t p = 0; p < first.parameters().size(); ++p) {
    *first.parameters()[p].gradient = *second.parameters()[p].gradient;
  }
  first.backward(backend);
  for (Index b = 0; b < whole.options.batch; ++b) {
    EXPECT_TRUE(close_to(steps_of(first.dx, b, 0, 2), steps_of(whole.dx, b, 0, 2), kExact));
    EXPECT_TRUE(close_to(steps_of(second.dx, b, 0, 3), steps_of(whole.dx, b, 2, 3), kExact));
  }
  EXPECT_TRUE(close_to(first.dh0, whole.dh0, kExact));
  EXPECT_TRUE(close_to(first.dc0, whole.dc0, kExact));
  for (std::size_t p = 0; p < whole.parameters().size(); ++p) {
    EXPECT_TRUE(close_to(*first.parameters()[p].gradient, *whole.parameters()[p].gradient, kExact));
  }
}

INSTANTIATE_TEST_SUITE_P(Cells, RecurrentGradient, ::testing::ValuesIn(test::all_variants()),
                         test::variant_name);

}  // namespace
}  // namespace rnn
