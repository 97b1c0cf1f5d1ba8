// Clipping by value and by norm, seen in what one step of plain gradient descent does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "rnn/model.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

class Clipping : public ::testing::Test {
 protected:
  struct Step {
    TensorList moved;  ///< the gradient as the optimiser saw it: before - after, at a rate of 1
    double norm = 0;   ///< as reported
    Parameters after;
  };

  static Step step(float clip_norm, float clip_value) {
    Model model(test::toy_network());
    model.compile(
        {.optimizer = SGD{.learning_rate = 1}, .clip_norm = clip_norm, .clip_value = clip_value});
    const Parameters before = model.parameters();
    Step made;
    OnStep watch([&](Model&, const StepRecord& record) { made.norm = record.gradient_norm; });
    test::ToySource data = test::random_source(6, 1, 4, 4);
    model.fit(data, {.callbacks = {&watch}});
    made.after = model.parameters();
    made.moved = before;
    for (std::size_t p = 0; p < before.size(); ++p) {
      for (Index i = 0; i < before[p].size(); ++i) made.moved[p][i] -= made.after[p][i];
    }
    return made;
  }

  static double norm_of(const TensorList& tensors) {
    double squares = 0;
    for (const NamedTensor& entry : tensors) {
      for (float value : entry.tensor.view()) squares += double{value} * double{value};
    }
    return std::sqrt(squares);
  }
};

TEST_F(Clipping, ByNormScalesAllGradientsTogether) {
  const Step free = step(0, 0);
  ASSERT_NEAR(norm_of(free.moved), free.norm, 1e-4);
  const double limit = free.norm / 3;
  const Step cut = step(static_cast<float>(limit), 0);
  EXPECT_EQ(cut.norm, free.norm) << "the norm before clipping is what is reported";
  EXPECT_NEAR(norm_of(cut.moved), limit, 1e-5);
  for (std::size_t p = 0; p < free.moved.size(); ++p) {
    Tensor expected = free.moved[p];
    for (float& value : expected.view()) value /= 3;
    EXPECT_TRUE(test::close_to(cut.moved[p], expected, {1e-3, 1e-6}));
  }
}

TEST_F(Clipping, BeyondTheNormChangesNoBit) {
  const Step free = step(0, 0), loose = step(static_cast<float>(free.norm * 1.01), 1e3f);
  for (std::size_t p = 0; p < free.after.size(); ++p) {
    EXPECT_TRUE(test::bits_equal(loose.after[p], free.after[p]));
  }
}

TEST_F(Clipping, ByValueCutsEachElement) {
  const Step free = step(0, 0);
  const float limit = 0.01f;
  const Step cut = step(0, limit);
  EXPECT_EQ(cut.norm, free.norm) << "the norm before clipping is what is reported";
  int beyond = 0;
  for (std::size_t p = 0; p < free.moved.size(); ++p) {
    Tensor expected = free.moved[p];
    for (float& value : expected.view()) {
      beyond += std::abs(value) > limit;
      value = std::clamp(value, -limit, limit);
    }
    EXPECT_TRUE(test::close_to(cut.moved[p], expected, {1e-3, 1e-6}));
  }
  EXPECT_GT(beyond, 5);
}

TEST_F(Clipping, ByValueComesBeforeTheNorm) {
  const Step by_value = step(0, 0.01f);
  const double limit = norm_of(by_value.moved) / 2;
  const Step both = step(static_cast<float>(limit), 0.01f);
  EXPECT_NEAR(norm_of(both.moved), limit, 1e-5);
  for (std::size_t p = 0; p < both.moved.size(); ++p) {
    Tensor expected = by_value.moved[p];
    for (float& value : expected.view()) value /= 2;
    EXPECT_TRUE(test::close_to(both.moved[p], expected, {1e-3, 1e-6}));
  }
}

TEST_F(Clipping, RefusesLimitsThatAreNone) {
  Model model(test::toy_network());
  for (float bad : {-1.0f, std::nanf("")}) {
    EXPECT_THROW(model.compile({.clip_norm = bad}), ConfigError);
    EXPECT_THROW(model.compile({.clip_value = bad}), ConfigError);
  }
}

}  // namespace
}  // namespace rnn
