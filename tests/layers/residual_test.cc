#include "rnn/residual.h"

#include "rnn/bidirectional.h"
#include "rnn/dropout.h"
#include "rnn/recurrent.h"
#include "support/layer_contract.h"

namespace rnn {
namespace {

std::shared_ptr<const Layer> round(const ResidualOptions& options) {
  return std::make_shared<Residual>(options);
}

TEST(Residual, KeepsTheContract) {
  const Signal input = Signal::vectors(4);
  test::check_layer_contract({.layer = round({.layer = LSTM({.units = 4})}), .input = input});
  test::check_layer_contract(
      {.layer = round({.layer = GRU({.units = 3}), .merge = Merge::kConcat}), .input = input});
  test::check_layer_contract(
      {.layer = round({.layer = Bidirectional({.layer = LSTM({.units = 2})})}),
       .input = input,
       .streams = false});
  test::check_layer_contract(
      {.layer = round({.layer = Dropout({.rate = 0.5f})}), .input = input, .steady = false});
}

TEST(Residual, AddsTheInputOrPutsItBeside) {
  test::for_each_backend([](const Backend& backend) {
    for (Merge merge : {Merge::kSum, Merge::kConcat}) {
      const LSTM lstm({.units = 4});
      const test::LayerBench bench(round({.layer = lstm, .merge = merge}), Signal::vectors(4),
                                   backend, 1);
      const test::LayerBench inner(std::make_shared<LSTM>(lstm), Signal::vectors(4), backend, 1);
      const test::LayerInput in = bench.input(3, 2);
      const Tensor y = bench.run(in, {}).y, expected = inner.run(in, {}).y;
      for (Index i = 0; i < expected.size(); ++i) {
        if (merge == Merge::kSum) {
          EXPECT_EQ(y[i], in.values[i] + expected[i]);
        } else {
          EXPECT_EQ(y[i / 4 * 8 + i % 4], in.values[i]);
          EXPECT_EQ(y[i / 4 * 8 + 4 + i % 4], expected[i]);
        }
      }
    }
  });
}

TEST(Residual, RefusesWhatDoesNotFit) {
  EXPECT_THROW(Residual({}), ConfigError);
  EXPECT_THROW(Residual({.layer = LSTM({.units = 2}), .merge = Merge::kMul}), ConfigError);
  EXPECT_THROW(Residual({.layer = LSTM({.units = 2})}).output(Signal::vectors(3)), ConfigError);
  test::for_each_backend([](const Backend& backend) {
    const test::LayerBench bench(round({.layer = LSTM({.units = 2, .return_sequences = false})}),
                                 Signal::vectors(2), backend, 1);
    EXPECT_THROW(bench.run(bench.input(3, 2), {}), ShapeError);
  });
}

}  // namespace
}  // namespace rnn
