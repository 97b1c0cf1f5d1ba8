#include "rnn/pooling.h"

#include "support/layer_contract.h"

namespace rnn {
namespace {

std::shared_ptr<const Layer> pool(const PoolOverTimeOptions& options) {
  return std::make_shared<PoolOverTime>(options);
}

TEST(PoolOverTime, KeepsTheContractInEveryWay) {
  const Signal input = Signal::vectors(3);
  for (Pooling pooling : {Pooling::kMax, Pooling::kMean, Pooling::kLast}) {
    test::check_layer_contract(
        {.layer = pool({.pooling = pooling}), .input = input, .streams = false, .step = 1e-3f});
  }
  for (Index units : {0, 5}) {
    test::check_layer_contract(
        {.layer = pool({.pooling = Pooling::kAttention, .attention_units = units}),
         .input = input,
         .streams = false});
  }
}

TEST(PoolOverTime, AnEmptySequenceGivesZerosAndNoGradient) {
  test::for_each_backend([](const Backend& backend) {
    for (Pooling pooling :
         {Pooling::kMax, Pooling::kMean, Pooling::kLast, Pooling::kAttention, Pooling::kSum}) {
      const test::LayerBench bench(pool({.pooling = pooling}), Signal::vectors(3), backend, 1);
      test::LayerInput in = bench.input(2, 2, {0, 2});
      bench.add_dy(in);
      const test::LayerOutput out = bench.run(in, {});
      for (Index f = 0; f < 3; ++f) {
        EXPECT_EQ(out.y.view()(0, 0, f), 0);
        EXPECT_EQ(out.dx.view()(0, 0, f), 0);
        EXPECT_NE(out.y.view()(0, 1, f), 0);
      }
    }
  });
}

TEST(PoolOverTime, AttentionLooksWhereTheScoreIsLarge) {
  test::for_each_backend([](const Backend& backend) {
    test::LayerBench bench(pool({.pooling = Pooling::kAttention, .attention_units = 1}),
                           Signal::vectors(2), backend, 1);
    // The score is 50 * tanh(first feature): the step where that is large is the result.
    bench.parameters[0].fill(0);
    bench.parameters[0][0] = 1;
    bench.parameters[1].fill(0);
    bench.parameters[2].fill(50);
    test::LayerInput in = bench.input(3, 1);
    for (Index t = 0; t < 3; ++t) in.values.view()(t, 0, 0) = t == 1 ? 2.0f : -2.0f;
    const test::LayerOutput out = bench.run(in, {});
    EXPECT_FLOAT_EQ(out.y[0], 2);
    EXPECT_FLOAT_EQ(out.y[1], in.values.view()(1, 0, 1));
  });
}

TEST(PoolOverTime, RefusesBadOptionsAndInputs) {
  EXPECT_THROW(PoolOverTime({.attention_units = -1}), ConfigError);
  EXPECT_THROW(PoolOverTime({}).output(Signal::symbols(4)), ConfigError);
}

}  // namespace
}  // namespace rnn
