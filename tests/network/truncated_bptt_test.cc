// Truncated back-propagation through time: the state is carried over a window's end, the gradient
// is not.
#include <gtest/gtest.h>

#include <cmath>

#include "rnn/session.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/toy_network.h"

namespace rnn {
namespace {

using test::bits_equal;

constexpr Index kTime = 8, kBatch = 2, kSymbols = 6;

class TruncatedBptt : public ::testing::TestWithParam<Cell> {
 protected:
  struct Result {
    double nats = 0;
    TensorList gradients{};
    State state{};
    std::vector<State> before{};  // each window
  };

  /// Walks through the text in windows; gradients of the summed loss.
  Result train(Index window) {
    Result result;
    Session session(network_, parameters_, backend_);
    result.state = network_.zero_state(kBatch, *backend_);
    for (Index start = 0; start < kTime; start += window) {
      result.before.push_back(result.state);
      const Batch part = test::window_of(text_, start, std::min(window, kTime - start));
      result.nats += session.forward(part, result.state).nats;
      session.backward(1);
    }
    result.gradients = session.gradients();
    return result;
  }

  const Sequential network_ = test::toy_network({.cell = GetParam(), .symbols = kSymbols});
  const std::shared_ptr<const Backend> backend_ = make_backend();
  Parameters parameters_ = network_.initial_parameters(3, *backend_);
  const Batch text_ = test::random_batch(kTime, kBatch, kSymbols, 5);
};

TEST_P(TruncatedBptt, AWindowAsLongAsTheTextIsFullBptt) {
  Session session(network_, parameters_, backend_);
  State state = network_.zero_state(kBatch, *backend_);
  const double nats = session.forward(text_, state).nats;
  session.backward(1);
  for (Index window : {kTime, kTime + 5}) {
    const Result result = train(window);
    EXPECT_EQ(result.nats, nats);
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      EXPECT_TRUE(bits_equal(result.gradients[p], session.gradients()[p]));
    }
  }
}

TEST_P(TruncatedBptt, CarriesTheState) {
  const Result full = train(kTime);
  for (Index window : {1, 3, 4}) {
    const Result cut = train(window);
    EXPECT_NEAR(cut.nats, full.nats, 1e-9);  // the same numbers, added up in other groups
    for (std::size_t s = 0; s < full.state.size(); ++s) {
      EXPECT_TRUE(bits_equal(cut.state[s], full.state[s])) << "window of " << window;
    }
  }
}

TEST_P(TruncatedBptt, CutsTheGradientAtTheWindow) {
  const Index window = 3;
  const Result full = train(kTime), cut = train(window);
  // The derivative of the windows' losses with each window's first state held fast.
  const std::size_t p = parameters_.find(network_.nodes()[1].name + "/recurrent_kernel");
  ASSERT_LT(p, parameters_.size());
  double largest = 0, apart = 0;
  for (Index i = 0; i < cut.gradients[p].size(); ++i) {
    largest = std::max(largest, std::abs(double{cut.gradients[p][i]}));
    apart = std::max(apart, std::abs(double{full.gradients[p][i]} - double{cut.gradients[p][i]}));
  }
  EXPECT_GT(apart, 0.03 * largest) << "nothing was cut";
  Inference inference(network_, parameters_, backend_);
  const auto loss_at = [&](Index i, float value) {
    const float kept = parameters_[p][i];
    parameters_[p][i] = value;
    parameters_.changed();
    double nats = 0;
    for (std::size_t w = 0; w < cut.before.size(); ++w) {
      const Index start = static_cast<Index>(w) * window;
      State state = cut.before[w];
      nats +=
          inference.evaluate(test::window_of(text_, start, std::min(window, kTime - start)), state)
              .nats;
    }
    parameters_[p][i] = kept;
    parameters_.changed();
    return nats;
  };
  const float step = GetParam() == Cell::kRnnRelu ? 2e-3f : 1e-2f;
  for (Index i = 0; i < cut.gradients[p].size(); ++i) {
    const float value = parameters_[p][i];
    const double expected =
        (loss_at(i, value + step) - loss_at(i, value - step)) / (2 * double{step});
    EXPECT_NEAR(double{cut.gradients[p][i]}, expected, 1e-2 * std::abs(expected) + 5e-3 * largest)
        << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Cells, TruncatedBptt, ::testing::ValuesIn(test::kAllCells),
                         test::cell_name);

}  // namespace
}  // namespace rnn
