// Recurrent layers with options against PyTorch's numbers and those of the papers' equations;
// tests/golden/make_recurrent_options.py tells how these were made.
#include <gtest/gtest.h>

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

const std::vector<test::Variant> kCases{
    {Cell::kLstm, {.projection = true}, "lstm-projection"},
    {Cell::kLstm, {.peepholes = true}, "lstm-peepholes"},
    {Cell::kLstmCoupled, {}, "lstm-coupled"},
    {Cell::kLstmCoupled, {.peepholes = true}, "lstm-coupled-peepholes"},
    {Cell::kLstm, {.layer_norm = true}, "lstm-layer-norm"},
    {Cell::kLstm, {.zoneout = true}, "lstm-zoneout"},
    {Cell::kGru, {.layer_norm = true}, "gru-layer-norm"},
    {Cell::kGru, {.zoneout = true}, "gru-zoneout"}};

template <class T>
void assign(BasicTensor<T>& to, const Golden& golden, const std::string& name) {
  if (to.empty()) return;
  const BasicTensor<double>& from = golden.at(name);
  ASSERT_EQ(from.shape(), to.shape()) << name;
  for (Index i = 0; i < from.size(); ++i) to[i] = static_cast<T>(from[i]);
}

template <class T>
void expect_golden(const BasicBackend<T>& backend, const test::Variant& variant,
                   const test::Tolerance& tolerance) {
  const Golden golden = test::read_golden("options_" + variant.name + ".txt");
  const Shape x = golden.at("x").shape();
  RecurrentProblem<T> problem({.cell = variant.cell,
                               .extras = variant.extras,
                               .time = x[0],
                               .batch = x[1],
                               .inputs = x[2],
                               .units = 7,
                               .lengths = {5, 2, 4}});
  assign(problem.x, golden, "x");
  assign(problem.h0, golden, "h0");
  assign(problem.c0, golden, "c0");
  assign(problem.zoneout_h, golden, "zoneout_h");
  assign(problem.zoneout_c, golden, "zoneout_c");
  assign(problem.dy, golden, "dy");
  assign(problem.dhn, golden, "dhn");
  assign(problem.dcn, golden, "dcn");
  for (const auto& parameter : problem.parameters()) {
    assign(*parameter.value, golden, parameter.name);
  }
  problem.prepare();
  problem.forward(backend);
  const auto expect = [&](const BasicTensor<T>& actual, const std::string& name) {
    if (!actual.empty()) {
      EXPECT_TRUE(close_to(actual, golden.at(name), tolerance)) << name;
    }
  };
  expect(problem.y, "y");
  expect(problem.hn, "hn");
  expect(problem.cn, "cn");
  problem.backward(backend);
  expect(problem.dx, "dx");
  expect(problem.dh0, "dh0");
  expect(problem.dc0, "dc0");
  for (const auto& parameter : problem.parameters()) {
    expect(*parameter.gradient, std::string("d") + parameter.name);
  }
}

class RecurrentOptionsGolden : public ::testing::TestWithParam<test::Variant> {};

TEST_P(RecurrentOptionsGolden, DoublePrecision) {
  expect_golden(ReferenceBackend<double>(), GetParam(), {.relative = 1e-11, .absolute = 1e-12});
}

TEST_P(RecurrentOptionsGolden, EveryBackend) {
  test::for_each_backend([](const Backend& backend) {
    expect_golden(backend, GetParam(), {.relative = 2e-5, .absolute = 5e-6});
  });
}

INSTANTIATE_TEST_SUITE_P(Options, RecurrentOptionsGolden, ::testing::ValuesIn(kCases),
                         test::variant_name);

}  // namespace
}  // namespace rnn
