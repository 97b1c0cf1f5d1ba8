// Recurrent layers against PyTorch's numbers; tests/golden/make_recurrent.py tells how these were
// made. Random weights and four different sizes, so that a swapped gate or axis cannot hide.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/reference/reference_backend.h"
#include "support/cells.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/golden.h"
#include "support/random_problem.h"

namespace rnn {
namespace {

using test::close_to;
using test::Golden;
using test::RecurrentProblem;
using test::Tolerance;

template <class T>
void assign(BasicTensor<T>& to, const BasicTensor<double>& from) {
  to.resize(from.shape());
  for (Index i = 0; i < from.size(); ++i) to[i] = static_cast<T>(from[i]);
}

template <class T>
RecurrentProblem<T> problem_of(const Golden& golden, Cell cell, bool go_backwards) {
  const Shape x = golden.at("x").shape();
  RecurrentProblem<T> problem({.cell = cell,
                               .time = x[0],
                               .batch = x[1],
                               .inputs = x[2],
                               .units = golden.at("h0").extent(1),
                               .lengths = {5, 2, 4},
                               .go_backwards = go_backwards});
  assign(problem.x, golden.at("x"));
  assign(problem.kernel, golden.at("kernel"));
  assign(problem.recurrent_kernel, golden.at("recurrent_kernel"));
  assign(problem.bias, golden.at("bias"));
  assign(problem.h0, golden.at("h0"));
  assign(problem.dy, golden.at("dy"));
  assign(problem.dhn, golden.at("dhn"));
  if (has_cell_state(cell)) {
    assign(problem.c0, golden.at("c0"));
    assign(problem.dcn, golden.at("dcn"));
  }
  problem.prepare();
  return problem;
}

template <class T>
void expect_golden(const BasicBackend<T>& backend, Cell cell, const Tolerance& tolerance) {
  for (bool go_backwards : {false, true}) {
    const std::string file =
        "recurrent_" + std::string(name_of(cell)) + (go_backwards ? "_backwards" : "") + ".txt";
    SCOPED_TRACE(file);
    const Golden golden = test::read_golden(file);
    RecurrentProblem<T> problem = problem_of<T>(golden, cell, go_backwards);
    problem.forward(backend);
    EXPECT_TRUE(close_to(problem.y, golden.at("y"), tolerance)) << "y";
    EXPECT_TRUE(close_to(problem.hn, golden.at("hn"), tolerance)) << "hn";
    problem.backward(backend);
    EXPECT_TRUE(close_to(problem.dx, golden.at("dx"), tolerance)) << "dx";
    EXPECT_TRUE(close_to(problem.dh0, golden.at("dh0"), tolerance)) << "dh0";
    EXPECT_TRUE(close_to(problem.dkernel, golden.at("dkernel"), tolerance)) << "dkernel";
    EXPECT_TRUE(close_to(problem.drecurrent_kernel, golden.at("drecurrent_kernel"), tolerance))
        << "drecurrent_kernel";
    EXPECT_TRUE(close_to(problem.dbias, golden.at("dbias"), tolerance)) << "dbias";
    if (has_cell_state(cell)) {
      EXPECT_TRUE(close_to(problem.cn, golden.at("cn"), tolerance)) << "cn";
      EXPECT_TRUE(close_to(problem.dc0, golden.at("dc0"), tolerance)) << "dc0";
    }
  }
}

class RecurrentGolden : public ::testing::TestWithParam<Cell> {};

TEST_P(RecurrentGolden, DoublePrecision) {
  expect_golden(ReferenceBackend<double>(), GetParam(), {.relative = 1e-12, .absolute = 1e-13});
}

TEST_P(RecurrentGolden, EveryBackend) {
  test::for_each_backend([](const Backend& backend) {
    expect_golden(backend, GetParam(), {.relative = 1e-5, .absolute = 2e-6});
  });
}

INSTANTIATE_TEST_SUITE_P(Cells, RecurrentGolden, ::testing::ValuesIn(test::kAllCells),
                         test::cell_name);

}  // namespace
}  // namespace rnn
