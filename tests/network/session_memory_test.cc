// An Inference in the memory of a Session: the same bits as in its own, whatever ran there before,
// and no mark on the training.
#include <gtest/gtest.h>

#include "rnn/error.h"
#include "rnn/session.h"
#include "support/compare.h"
#include "support/for_each_backend.h"
#include "support/toy_network.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::random_batch;

constexpr Index kSymbols = 9, kClasses = 200;

/// A batch with one target a sequence.
Batch labelled(Index time, Index batch, std::vector<std::int32_t> lengths, std::uint64_t seed) {
  Batch made = random_batch(time, batch, kSymbols, seed);
  made.lengths = std::move(lengths);
  made.targets.resize(static_cast<std::size_t>(batch));
  return made;
}

class SessionMemory : public ::testing::TestWithParam<std::string> {
 protected:
  void step(std::int64_t number, const Batch& batch) {
    State state = network_.zero_state(batch.batch, *backend_);
    session_.begin_step(number);
    session_.zero_gradients();
    session_.forward(batch, state);
    session_.backward();
  }

  std::shared_ptr<const Backend> backend_ =
      make_backend({.name = GetParam(), .threads = {.threads = 2, .least_work = 0}});
  Sequential network_{Embedding({.input_dim = kSymbols, .output_dim = 8}),
                      LSTM({.units = 8, .return_sequences = false}), Dropout({.rate = 0.3f}),
                      Softmax({.units = kClasses})};
  Parameters parameters_ = network_.initial_parameters(1, *backend_);
  Session session_{network_, parameters_, backend_};
};

TEST_P(SessionMemory, HoldsInferencesThatAgreeWithThoseInTheirOwn) {
  Parameters other = network_.initial_parameters(2, *backend_);
  Inference here(session_, parameters_), other_here(session_, other);
  Inference alone(network_, parameters_, backend_), other_alone(network_, other, backend_);
  const std::vector<Batch> batches{
      labelled(7, 5, {}, 1),  labelled(4, 6, {0, 0, 0, 0, 0, 0}, 2), labelled(7, 5, {}, 3),
      labelled(6, 70, {}, 4), labelled(5, 3, {5, 0, 2}, 5),          labelled(1, 1, {}, 6)};
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < batches.size(); ++i) {
      SCOPED_TRACE(testing::Message() << "round " << round << ", batch " << i);
      if (i % 2 == 0) step(static_cast<std::int64_t>(i), batches[0]);
      const auto agree = [&](Inference& shared, Inference& own) {
        State a = network_.zero_state(batches[i].batch, *backend_), b = a;
        EXPECT_EQ(shared.evaluate(batches[i], a).nats, own.evaluate(batches[i], b).nats);
        EXPECT_TRUE(bits_equal(shared.predictions(), own.predictions()));
        for (std::size_t s = 0; s < a.size(); ++s) EXPECT_TRUE(bits_equal(a[s], b[s]));
      };
      agree(here, alone);
      agree(other_here, other_alone);
      agree(here, alone);
    }
  }
}

TEST_P(SessionMemory, TrainsTheSameBitsWithInferencesBetweenItsSteps) {
  Session quiet(network_, parameters_, backend_);
  Inference inference(session_, parameters_);
  for (std::int64_t number = 0; number < 4; ++number) {
    const Batch batch = labelled(6, 4, {6, 1, 3, 6}, 10 + static_cast<std::uint64_t>(number));
    step(number, batch);
    State state = network_.zero_state(4, *backend_);
    quiet.begin_step(number);
    quiet.zero_gradients();
    quiet.forward(batch, state);
    quiet.backward();
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      EXPECT_TRUE(bits_equal(session_.gradients()[i], quiet.gradients()[i])) << number;
    }
    State other = network_.zero_state(9, *backend_);
    inference.evaluate(labelled(8, 9, {}, 20), other);
  }
}

TEST_P(SessionMemory, LosesAForwardToAnInference) {
  Inference inference(session_, parameters_);
  const Batch batch = labelled(3, 2, {}, 1);
  State state = network_.zero_state(2, *backend_);
  session_.forward(batch, state);
  inference.evaluate(batch, state);
  EXPECT_THROW(session_.backward(), ConfigError);
  step(1, batch);
}

TEST_P(SessionMemory, IsNotTakenFromInsideAStep) {
  Inference inference(session_, parameters_);
  const Batch batch = labelled(3, 2, {}, 1);
  State state = network_.zero_state(2, *backend_), other = state;
  session_.observe([&](const LayerEvent&) { inference.evaluate(batch, other); });
  EXPECT_THROW(session_.forward(batch, state), ConfigError);
  session_.observe({});
  state.fill(0);
  session_.forward(batch, state);
  session_.backward();
}

INSTANTIATE_TEST_SUITE_P(Backends, SessionMemory, ::testing::ValuesIn(test::float_backends()),
                         [](const auto& backend) { return backend.param; });

}  // namespace
}  // namespace rnn
