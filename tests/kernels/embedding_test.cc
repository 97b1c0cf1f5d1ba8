#include <gtest/gtest.h>

#include <vector>

#include "kernels/reference/reference_backend.h"
#include "support/compare.h"
#include "support/complex_step.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::close_to;
using test::Complex;
using test::complex_step;
using test::poison_padding;
using test::poisoned;
using test::random_values;

constexpr Index kTime = 3, kBatch = 4, kRows = 5, kWidth = 7;
constexpr std::int32_t kUnused = 3;  // stands in padding only

/// Ids with repeats, one id without a row (-1), and padding as `lengths` has it.
struct Problem {
  std::vector<std::int32_t> ids{4, 0, 2, 2, 4, kUnused, -1, 2, 1, kUnused, 2, kUnused};
  std::vector<std::int32_t> lengths{3, 1, 3, 2};

  View<const std::int32_t> view() const { return {ids.data(), {kTime, kBatch}}; }
  bool is_row(Index t, Index b) const {
    return t < lengths[static_cast<std::size_t>(b)] && view()(t, b) >= 0;
  }
};

TEST(Embedding, CopiesRows) {
  test::for_each_backend([](const Backend& backend) {
    const Problem problem;
    const Tensor table = random_values<float>({kRows, kWidth}, Random(1));
    Tensor y = poisoned<float>({kTime, kBatch, kWidth}), expected(y.shape());
    for (Index t = 0; t < kTime; ++t) {
      for (Index b = 0; b < kBatch; ++b) {
        for (Index e = 0; e < kWidth && problem.is_row(t, b); ++e) {
          expected.view()(t, b, e) = table.view()(problem.view()(t, b), e);
        }
      }
    }
    backend.embedding_forward(
        {.ids = problem.view(), .lengths = problem.lengths, .table = table, .y = y});
    EXPECT_TRUE(bits_equal(y, expected));
  });
}

TEST(Embedding, WithoutLengthsEveryIdCounts) {
  test::for_each_backend([](const Backend& backend) {
    const std::vector<std::int32_t> ids{1, 0, 1, 2};
    const Tensor table = random_values<float>({3, 2}, Random(1));
    Tensor y = poisoned<float>({2, 2, 2});
    backend.embedding_forward({.ids = {ids.data(), {2, 2}}, .table = table, .y = y});
    for (Index i = 0; i < 4; ++i) {
      EXPECT_EQ(y[2 * i], table.view()(ids[static_cast<std::size_t>(i)], 0));
      EXPECT_EQ(y[2 * i + 1], table.view()(ids[static_cast<std::size_t>(i)], 1));
    }
  });
}

TEST(Embedding, GradientEqualsComplexStep) {
  const Problem problem;
  auto dy = random_values<double>({kTime, kBatch, kWidth}, Random(2));
  poison_padding(dy, problem.lengths);
  BasicTensor<double> dtable({kRows, kWidth});
  const ReferenceBackend<double> backend;
  backend.embedding_backward(
      {.ids = problem.view(), .lengths = problem.lengths, .dy = dy, .dtable = dtable});

  auto table = random_values<Complex>({kRows, kWidth}, Random(1));
  BasicTensor<Complex> y({kTime, kBatch, kWidth});
  const auto loss = [&] {
    ReferenceBackend<Complex>().embedding_forward(
        {.ids = problem.view(), .lengths = problem.lengths, .table = table, .y = y});
    Complex sum = 0;
    for (Index t = 0; t < kTime; ++t) {
      for (Index b = 0; b < kBatch; ++b) {
        for (Index e = 0; e < kWidth && problem.is_row(t, b); ++e) {
          sum += dy.view()(t, b, e) * y.view()(t, b, e);
        }
      }
    }
    return sum;
  };
  EXPECT_TRUE(close_to(dtable, complex_step(table, loss), {1e-12, 1e-14}));
  for (Index e = 0; e < kWidth; ++e) EXPECT_EQ(dtable.view()(kUnused, e), 0.0);
}

TEST(Embedding, GradientAddsToWhatIsThere) {
  test::for_each_backend([](const Backend& backend) {
    const Problem problem;
    Tensor dy({kTime, kBatch, kWidth});
    dy.fill(1);
    poison_padding(dy, problem.lengths);
    Tensor dtable({kRows, kWidth});
    dtable.fill(10);
    backend.embedding_backward(
        {.ids = problem.view(), .lengths = problem.lengths, .dy = dy, .dtable = dtable});
    const float counts[kRows] = {1, 1, 4, 0, 2};  // how often each id stands in the sequences
    for (Index row = 0; row < kRows; ++row) {
      for (Index e = 0; e < kWidth; ++e) EXPECT_EQ(dtable.view()(row, e), 10 + counts[row]);
    }
  });
}

// Dropout of rows: a symbol has one fate in a call, the same for every backend and in backward.
TEST(Embedding, DropoutIsOfWholeRowsWhereverTheyOccur) {
  test::for_each_backend([](const Backend& backend) {
    const Index rows = 400;
    std::vector<std::int32_t> ids;
    for (std::int32_t i = 0; i < 2 * rows; ++i) ids.push_back(i % static_cast<std::int32_t>(rows));
    const View<const std::int32_t> view(ids.data(), {2, rows});  // each at two times, two places
    const Tensor table = random_values<float>({rows, kWidth}, Random(1));
    const Tensor dy = random_values<float>({2, rows, kWidth}, Random(2));
    Tensor y = poisoned<float>(dy.shape()), dtable({rows, kWidth});
    const Random random(7);
    backend.embedding_forward(
        {.ids = view, .table = table, .y = y, .rate = 0.25f, .random = random});
    backend.embedding_backward(
        {.ids = view, .dy = dy, .dtable = dtable, .rate = 0.25f, .random = random});
    Index kept = 0;
    for (Index r = 0; r < rows; ++r) {
      const bool keeps = y.view()(0, r, 0) != 0;
      kept += keeps;
      for (Index e = 0; e < kWidth; ++e) {
        const float scale = keeps ? 1 / 0.75f : 0;
        EXPECT_EQ(y.view()(0, r, e), table.view()(r, e) * scale);
        EXPECT_EQ(y.view()(1, r, e), table.view()(r, e) * scale);
        EXPECT_FLOAT_EQ(dtable.view()(r, e),
                        dy.view()(0, r, e) * scale + dy.view()(1, r, e) * scale);
      }
    }
    EXPECT_NEAR(static_cast<double>(kept), 300, 45);  // five standard deviations are 43
    Tensor other = poisoned<float>(dy.shape());
    backend.embedding_forward(
        {.ids = view, .table = table, .y = other, .rate = 0.25f, .random = Random(8)});
    EXPECT_FALSE(bits_equal(other, y));
  });
}

}  // namespace
}  // namespace rnn
