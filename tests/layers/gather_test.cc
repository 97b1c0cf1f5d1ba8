#include "rnn/gather.h"

#include <gtest/gtest.h>

#include "rnn/error.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/random_values.h"

namespace rnn {
namespace {

const std::vector<std::int32_t> kRows{2, 0, -1, 2, 1, 7, 2, 7};  // [4,2]; the 7s are padding
const std::vector<std::int32_t> kLengths{4, 2};

TEST(Gather, TakesVectorsByNumberAndSumsTheirGradients) {
  test::for_each_backend([](const Backend& backend) {
    const Tensor table = test::random_values<float>({1, 3, 5}, Random(1));
    const Tensor dy = test::random_values<float>({4, 2, 5}, Random(2));
    const std::vector<std::uint32_t> examples{8, 9};
    const std::vector<Sequence> in{{.values = table},
                                   {.ids = View<const std::int32_t>(kRows.data(), {4, 2}),
                                    .lengths = kLengths,
                                    .examples = examples}};
    CallMemory memory;
    Call call{.backend = &backend, .memory = &memory, .training = true};
    const Sequence y = Gather().forward(in, call);
    std::vector<View<const float>> dx(2);
    Gather().backward(in, dy, call, dx);
    Gather().backward(in, dy, call, dx);  // what is there is written over, not added to
    EXPECT_EQ(y.lengths.data(), kLengths.data());
    EXPECT_EQ(y.examples.data(), examples.data());
    Tensor expected(table.shape());
    for (Index t = 0; t < 4; ++t) {
      for (Index b = 0; b < 2; ++b) {
        const std::int32_t row = kRows[static_cast<std::size_t>(2 * t + b)];
        const bool nothing = row < 0 || t >= kLengths[static_cast<std::size_t>(b)];
        for (Index f = 0; f < 5; ++f) {
          EXPECT_EQ(y.values(t, b, f), nothing ? 0 : table.view()(0, row, f));
          if (!nothing) expected.view()(0, row, f) += dy.view()(t, b, f);
        }
      }
    }
    EXPECT_TRUE(test::bits_equal(dx[0], expected.view()));
    EXPECT_FALSE(dx[1]);
  });
}

TEST(Gather, RefusesWhatIsNoTableOrNoRow) {
  EXPECT_THROW(Gather().output(std::vector{Signal::vectors(3)}), ConfigError);
  EXPECT_THROW(Gather().output(std::vector{Signal::symbols(3), Signal::rows()}), ConfigError);
  EXPECT_THROW(Gather().output(std::vector{Signal::vectors(3), Signal::symbols(5)}), ConfigError);
  test::for_each_backend([](const Backend& backend) {
    CallMemory memory;
    Call call{.backend = &backend, .memory = &memory};
    const Sequence rows{.ids = View<const std::int32_t>(kRows.data(), {4, 2}), .lengths = kLengths};
    const Tensor several_steps(Shape{2, 3, 5}), too_few(Shape{1, 2, 5});
    for (const Tensor* table : {&several_steps, &too_few}) {
      const std::vector<Sequence> in{{.values = *table}, rows};
      EXPECT_THROW(Gather().forward(in, call), ShapeError);
    }
  });
}

}  // namespace
}  // namespace rnn
