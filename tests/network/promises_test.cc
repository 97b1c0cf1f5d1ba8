// Promises 1 to 3 of the library at the level of a whole network, bit by bit; kernels/promises_test
// has them for the kernels.
#include <gtest/gtest.h>

#include "rnn/session.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/toy_network.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::random_batch;

class NetworkPromises : public ::testing::TestWithParam<Cell> {
 protected:
  const Sequential network_ = test::toy_network(
      {.cell = GetParam(), .symbols = 9, .units = 7, .layers = 2, .dropout = 0.2f});
};

Batch ragged(Index symbols) {
  Batch batch = random_batch(6, 5, symbols, 2);
  batch.lengths = {6, 0, 2, 5, 1};
  return batch;
}

/// Sequence b of a batch, alone and without padding.
Batch alone(const Batch& whole, Index b, Index length) {
  Batch one{.time = length, .batch = 1};
  one.examples = {whole.examples[static_cast<std::size_t>(b)]};
  for (Index t = 0; t < length; ++t) {
    one.ids.push_back(whole.ids[static_cast<std::size_t>(t * whole.batch + b)]);
    one.targets.push_back(whole.targets[static_cast<std::size_t>(t * whole.batch + b)]);
  }
  return one;
}

TEST_P(NetworkPromises, AnyNumberOfThreadsGivesTheSameBits) {
  for (const std::string& name : test::float_backends()) {
    const auto train = [&](int threads) {
      const auto backend =
          make_backend({.name = name, .threads = {.threads = threads, .least_work = 0}});
      const Parameters parameters = network_.initial_parameters(1, *backend);
      Session session(network_, parameters, backend, {.seed = 3});
      State state = network_.zero_state(5, *backend);
      const Batch batch = ragged(9);
      const double nats = session.forward(batch, state).nats;
      session.backward();
      return std::tuple(nats, session.gradients(), state);
    };
    const auto [nats, gradients, state] = train(1);
    for (int threads : {2, 3}) {
      const auto [other_nats, other_gradients, other_state] = train(threads);
      EXPECT_EQ(other_nats, nats);
      for (std::size_t p = 0; p < gradients.size(); ++p) {
        EXPECT_TRUE(bits_equal(other_gradients[p], gradients[p])) << gradients.name(p);
      }
      for (std::size_t s = 0; s < state.size(); ++s) {
        EXPECT_TRUE(bits_equal(other_state[s], state[s]));
      }
    }
  }
}

TEST_P(NetworkPromises, MatesPlaceAndPaddingDoNotMatter) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    const Parameters parameters = network_.initial_parameters(1, *backend);
    Inference inference(network_, parameters, backend);
    const Batch batch = ragged(9);
    State state = network_.zero_state(5, *backend);
    inference.evaluate(batch, state);
    Tensor nats(Shape{6, 5});
    std::copy_n(inference.nats().data(), 30, nats.data());
    for (Index b = 0; b < 5; ++b) {
      const Index length = batch.lengths[static_cast<std::size_t>(b)];
      if (length == 0) continue;
      State own = network_.zero_state(1, *backend);
      inference.evaluate(alone(batch, b, length), own);
      for (Index t = 0; t < length; ++t) EXPECT_EQ(inference.nats()[t], nats.view()(t, b));
      for (Index t = length; t < 6; ++t) EXPECT_EQ(nats.view()(t, b), 0);
      for (std::size_t s = 0; s < state.size(); ++s) {
        for (Index u = 0; u < state[s].extent(1); ++u) {
          EXPECT_EQ(own[s].view()(0, u), state[s].view()(b, u));
        }
      }
    }
  }
}

TEST_P(NetworkPromises, TokenByTokenGivesTheBitsOfTheWhole) {
  for (const std::string& name : test::float_backends()) {
    const auto backend = make_backend({.name = name});
    const Parameters parameters = network_.initial_parameters(1, *backend);
    Inference inference(network_, parameters, backend);
    const Batch batch = random_batch(7, 3, 9, 2);
    State whole_state = network_.zero_state(3, *backend);
    const View<const float> p = inference.predict(batch, whole_state);
    Tensor whole(p.shape());
    std::copy(p.begin(), p.end(), whole.data());
    for (Index steps : {1, 2, 3}) {
      State state = network_.zero_state(3, *backend);
      for (Index start = 0; start < 7; start += steps) {
        const Index here = std::min(steps, 7 - start);
        const View<const float> part =
            inference.predict(test::window_of(batch, start, here), state);
        const View<const float> expected(whole.data() + start * 3 * 9, {here, 3, 9});
        EXPECT_TRUE(bits_equal(part, expected)) << start << " by " << steps;
      }
      for (std::size_t s = 0; s < state.size(); ++s) {
        EXPECT_TRUE(bits_equal(state[s], whole_state[s]));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cells, NetworkPromises, ::testing::ValuesIn(test::kAllCells),
                         test::cell_name);

}  // namespace
}  // namespace rnn
