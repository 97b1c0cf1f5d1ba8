// Small integers are exact in float, whatever the order of sums: a simple RNN with max(0, x) must
// give the very numbers that integer arithmetic gives, forward and backward, on every backend.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/random_problem.h"

namespace rnn {
namespace {

using test::ProblemOptions;
using Integers = BasicTensor<std::int64_t>;
using Problem = test::RecurrentProblem<float>;

/// Random integers in [-limit, limit].
Integers integers(const Shape& shape, const Random& random, int limit) {
  Integers values(shape);
  for (Index i = 0; i < values.size(); ++i) {
    const float uniform = random.uniform(static_cast<std::uint64_t>(i));
    values[i] = static_cast<std::int64_t>(uniform * static_cast<float>(2 * limit + 1)) - limit;
  }
  return values;
}

/// The numbers as floats. Checks that they fit, so that exact means exact.
Tensor floats(const Integers& values) {
  Tensor result(values.shape());
  for (Index i = 0; i < values.size(); ++i) {
    EXPECT_LT(std::abs(values[i]), 1 << 24);
    result[i] = static_cast<float>(values[i]);
  }
  return result;
}

/// y_t = max(0, x_t W + y_(t-1) U + b) and its gradients in integers.
struct IntegerRnn {
  explicit IntegerRnn(const ProblemOptions& o)
      : x(integers({o.time, o.batch, o.inputs}, Random(1), 2)),
        W(integers({o.inputs, o.units}, Random(2), 1)),
        U(integers({o.units, o.units}, Random(3), 1)),
        b(integers({o.units}, Random(4), 2)),
        h0(integers({o.batch, o.units}, Random(5), 2)),
        dy(integers({o.time, o.batch, o.units}, Random(6), 2)),
        y({o.time, o.batch, o.units}),
        dx({o.time, o.batch, o.inputs}),
        dh0({o.batch, o.units}),
        dW(W.shape()),
        dU(U.shape()),
        db(b.shape()) {
    for (Index s = 0; s < o.batch; ++s) {
      const Index length = length_of(o.lengths, s, o.time);
      for (Index t = 0; t < length; ++t) forward(t, s);
      std::vector<std::int64_t> dh(static_cast<std::size_t>(o.units));
      for (Index t = length - 1; t >= 0; --t) backward(t, s, dh);
      for (Index u = 0; u < o.units; ++u) dh0.view()(s, u) = dh[static_cast<std::size_t>(u)];
    }
  }

  std::int64_t before(Index t, Index s, Index u) const {
    return t > 0 ? y.view()(t - 1, s, u) : h0.view()(s, u);
  }
  void forward(Index t, Index s) {
    for (Index u = 0; u < b.size(); ++u) {
      std::int64_t sum = b[u];
      for (Index i = 0; i < W.extent(0); ++i) sum += x.view()(t, s, i) * W.view()(i, u);
      for (Index k = 0; k < b.size(); ++k) sum += before(t, s, k) * U.view()(k, u);
      y.view()(t, s, u) = sum > 0 ? sum : 0;
    }
  }
  void backward(Index t, Index s, std::vector<std::int64_t>& dh) {
    std::vector<std::int64_t> next(dh.size());
    for (Index u = 0; u < b.size(); ++u) {
      if (y.view()(t, s, u) <= 0) continue;
      const std::int64_t d = dh[static_cast<std::size_t>(u)] + dy.view()(t, s, u);
      db[u] += d;
      for (Index i = 0; i < W.extent(0); ++i) {
        dW.view()(i, u) += d * x.view()(t, s, i);
        dx.view()(t, s, i) += d * W.view()(i, u);
      }
      for (Index k = 0; k < b.size(); ++k) {
        dU.view()(k, u) += d * before(t, s, k);
        next[static_cast<std::size_t>(k)] += d * U.view()(k, u);
      }
    }
    dh = next;
  }

  Integers x, W, U, b, h0, dy, y, dx, dh0, dW, dU, db;
};

TEST(Exactness, SmallIntegersThroughARectifiedRnn) {
  test::for_each_backend([](const Backend& backend) {
    for (const auto& [inputs, units] : {std::pair<Index, Index>{5, 3}, {9, 17}, {1, 8}, {35, 33}}) {
      const ProblemOptions options{.cell = Cell::kRnnRelu,
                                   .time = 3,
                                   .batch = 7,
                                   .inputs = inputs,
                                   .units = units,
                                   .lengths = {3, 1, 0, 2, 3, 3, 2}};
      const IntegerRnn expected(options);
      Problem problem(options);
      problem.x = floats(expected.x);
      problem.kernel = floats(expected.W);
      problem.recurrent_kernel = floats(expected.U);
      problem.bias = floats(expected.b);
      problem.h0 = floats(expected.h0);
      problem.dy = floats(expected.dy);
      problem.dhn.fill(0);
      problem.prepare();
      problem.forward(backend);
      problem.backward(backend);
      // Compared as numbers: -0 is a correct 0 here.
      const test::Tolerance kNone{};
      EXPECT_TRUE(close_to(problem.y, floats(expected.y), kNone)) << "y";
      EXPECT_TRUE(close_to(problem.dx, floats(expected.dx), kNone)) << "dx";
      EXPECT_TRUE(close_to(problem.dh0, floats(expected.dh0), kNone)) << "dh0";
      EXPECT_TRUE(close_to(problem.dkernel, floats(expected.dW), kNone)) << "dkernel";
      EXPECT_TRUE(close_to(problem.drecurrent_kernel, floats(expected.dU), kNone)) << "drecurrent";
      EXPECT_TRUE(close_to(problem.dbias, floats(expected.db), kNone)) << "dbias";
    }
  });
}

}  // namespace
}  // namespace rnn
