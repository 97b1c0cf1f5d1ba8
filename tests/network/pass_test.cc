// What a network refuses at its border, where kernels behind it check nothing.
#include "network/pass.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "rnn/error.h"
#include "rnn/session.h"
#include "support/for_each_backend.h"
#include "support/toy_network.h"

namespace rnn {
namespace {

class Refusals : public ::testing::Test {
 protected:
  std::string shape_error(const std::function<void(Batch&, State&)>& spoil) {
    Batch batch = test::random_batch(3, 2, 6, 1);
    State state = network_.zero_state(2, *backend_);
    Inference inference(network_, parameters_, backend_);
    EXPECT_NO_THROW(inference.evaluate(batch, state));
    spoil(batch, state);
    try {
      inference.evaluate(batch, state);
    } catch (const ShapeError& error) {
      return error.what();
    }
    ADD_FAILURE() << "no ShapeError";
    return {};
  }

  Sequential network_ = test::toy_network();
  std::shared_ptr<const Backend> backend_ = make_backend();
  Parameters parameters_ = network_.initial_parameters(1, *backend_);
};

TEST_F(Refusals, BatchesThatDoNotFitTogether) {
  const auto contains = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  contains(shape_error([](Batch& b, State&) { b.ids.pop_back(); }), "got 5");
  contains(shape_error([](Batch& b, State&) { b.ids.clear(); }), "ids");
  contains(shape_error([](Batch& b, State&) { b.targets.pop_back(); }), "targets");
  contains(shape_error([](Batch& b, State&) { b.targets.clear(); }), "targets");
  contains(shape_error([](Batch& b, State&) { b.lengths = {3}; }), "lengths");
  contains(shape_error([](Batch& b, State&) { b.lengths = {3, 4}; }), "got 4");
  contains(shape_error([](Batch& b, State&) { b.lengths = {3, -1}; }), "got -1");
  contains(shape_error([](Batch& b, State&) { b.examples = {1, 2, 3}; }), "examples");
  contains(shape_error([](Batch& b, State&) { b.ids[2] = 6; }), "symbol 6");
  contains(shape_error([](Batch& b, State&) { b.targets[2] = 6; }), "target 6");
  contains(shape_error([](Batch& b, State&) {
             b.time = b.batch = -1;
             b.ids.resize(1);
           }),
           "-1");
}

TEST_F(Refusals, StatesOfAnotherBatchOrNetwork) {
  const auto contains = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  contains(shape_error([&](Batch&, State& s) { s = network_.zero_state(3, *backend_); }), "lstm/h");
  contains(shape_error([](Batch&, State& s) { s = State(); }), "2 parts");
  contains(shape_error([&](Batch&, State& s) {
             s = test::toy_network({.cell = Cell::kGru}).zero_state(2, *backend_);
           }),
           "2 parts");
  contains(shape_error([&](Batch&, State& s) {
             s = test::toy_network({.units = 4}).zero_state(2, *backend_);
           }),
           "[2,5]");
}

TEST_F(Refusals, ParametersOfAnotherNetwork) {
  const Sequential larger = test::toy_network({.units = 6}),
                   deeper = test::toy_network({.layers = 2});
  EXPECT_THROW(Inference(larger, parameters_, backend_), ShapeError);
  EXPECT_THROW(Inference(deeper, parameters_, backend_), ShapeError);
}

TEST_F(Refusals, PaddingIsNeverLookedAt) {
  Batch batch = test::random_batch(3, 2, 6, 1), clean;
  batch.lengths = {3, 1};
  clean = batch;
  batch.ids[3] = batch.ids[5] = std::numeric_limits<std::int32_t>::max();
  batch.targets[3] = batch.targets[5] = std::numeric_limits<std::int32_t>::max();
  Inference inference(network_, parameters_, backend_);
  State one = network_.zero_state(2, *backend_), two = one;
  const LossSum expected = inference.evaluate(clean, one), actual = inference.evaluate(batch, two);
  EXPECT_EQ(actual.nats, expected.nats);
  EXPECT_EQ(actual.targets, 4);
}

}  // namespace
}  // namespace rnn
