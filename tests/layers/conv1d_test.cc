#include "rnn/conv1d.h"

#include "support/layer_contract.h"

namespace rnn {
namespace {

using test::LayerBench;
using test::LayerInput;
using test::LayerOutput;

constexpr Index kInputs = 2;
constexpr Padding kPaddings[] = {Padding::kValid, Padding::kSame, Padding::kCausal};

test::LayerCase conv(const Conv1DOptions& options) {
  const auto layer = std::make_shared<Conv1D>(options);
  return {.layer = layer,
          .input = Signal::vectors(kInputs),
          .streams = options.padding == Padding::kCausal && options.strides == 1,
          .keeps = false,
          .steps = [layer](Index time) { return std::max<Index>(1, layer->places(time)); }};
}

TEST(Conv1D, KeepsTheContractWithEveryPaddingStrideAndDilation) {
  for (Padding padding : kPaddings) {
    for (Index strides : {1, 2}) {
      for (Index dilation_rate : {1, 2}) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(padding) << strides << dilation_rate);
        test::check_layer_contract(conv({.filters = 3,
                                         .kernel_size = 2,
                                         .strides = strides,
                                         .dilation_rate = dilation_rate,
                                         .padding = padding}));
      }
    }
  }
}

TEST(Conv1D, KeepsTheContractWithActivationsAndWithoutBias) {
  for (Activation activation : {Activation::kTanh, Activation::kSigmoid}) {
    test::check_layer_contract(conv(
        {.filters = 3, .kernel_size = 3, .padding = Padding::kCausal, .activation = activation}));
  }
  test::check_layer_contract(conv({.filters = 3, .kernel_size = 3, .use_bias = false}));
  test::check_layer_contract(conv({.filters = 3, .kernel_size = 1, .padding = Padding::kCausal}));
}

/// A convolution written as its definition, over one sequence.
TEST(Conv1D, IsTheSumOverWhatEachPlaceSees) {
  test::for_each_backend([](const Backend& backend) {
    for (Padding padding : kPaddings) {
      const Index K = 3, stride = 2, dilation = 2, span = 5, length = 8;
      const test::LayerCase made = conv({.filters = 4,
                                         .kernel_size = K,
                                         .strides = stride,
                                         .dilation_rate = dilation,
                                         .padding = padding});
      const LayerBench bench(made.layer, made.input, backend, 3);
      const LayerInput in = bench.input(9, 2, {9, 8});
      const LayerOutput out = bench.run(in, {});
      const Index left = padding == Padding::kValid ? 0 : padding == Padding::kSame ? 2 : span - 1;
      ASSERT_EQ(out.length(1), padding == Padding::kValid ? 2 : 4);
      for (Index t = 0; t < out.length(1); ++t) {
        for (Index u = 0; u < 4; ++u) {
          double y = bench.parameters[1][u];
          for (Index k = 0; k < K; ++k) {
            const Index s = t * stride - left + k * dilation;
            for (Index f = 0; f < kInputs && s >= 0 && s < length; ++f) {
              y += double{in.values.view()(s, 1, f)} *
                   double{bench.parameters[0].view()(k * kInputs + f, u)};
            }
          }
          EXPECT_NEAR(out.y.view()(t, 1, u), y, 1e-6) << t << ' ' << u;
        }
      }
    }
  });
}

TEST(Conv1D, CountsPlacesByTheFormulas) {
  const auto places = [](Padding padding, Index strides, Index length) {
    return Conv1D({.filters = 1,
                   .kernel_size = 3,
                   .strides = strides,
                   .dilation_rate = 2,
                   .padding = padding})
        .places(length);
  };
  EXPECT_EQ(places(Padding::kValid, 1, 4), 0);
  EXPECT_EQ(places(Padding::kValid, 1, 5), 1);
  EXPECT_EQ(places(Padding::kValid, 2, 8), 2);
  EXPECT_EQ(places(Padding::kValid, 2, 9), 3);
  EXPECT_EQ(places(Padding::kSame, 1, 4), 4);
  EXPECT_EQ(places(Padding::kSame, 3, 4), 2);
  EXPECT_EQ(places(Padding::kCausal, 3, 0), 0);
}

TEST(Conv1D, GivesOneStepOfPaddingWhenEverySequenceIsTooShort) {
  test::for_each_backend([](const Backend& backend) {
    const test::LayerCase made = conv({.filters = 2, .kernel_size = 5, .padding = Padding::kValid});
    const LayerBench bench(made.layer, made.input, backend, 1);
    LayerInput in = bench.input(3, 2);
    bench.add_dy(in);
    const LayerOutput out = bench.run(in, {});
    EXPECT_EQ(out.y.extent(0), 1);
    EXPECT_EQ(out.lengths, (std::vector<std::int32_t>{0, 0}));
    for (float y : out.y.view()) EXPECT_EQ(y, 0);
    for (float dx : out.dx.view()) EXPECT_EQ(dx, 0);
  });
}

TEST(Conv1D, RefusesBadOptionsAndInputs) {
  EXPECT_THROW(Conv1D({.filters = 0, .kernel_size = 1}), ConfigError);
  EXPECT_THROW(Conv1D({.filters = 1, .kernel_size = 0}), ConfigError);
  EXPECT_THROW(Conv1D({.filters = 1, .kernel_size = 1, .strides = 0}), ConfigError);
  EXPECT_THROW(Conv1D({.filters = 1, .kernel_size = 1, .dilation_rate = 0}), ConfigError);
  EXPECT_THROW(Conv1D({.filters = 1, .kernel_size = 1}).output(Signal::symbols(4)), ConfigError);
  // Whose products would be beyond every limit, or beyond 64 bits.
  constexpr Index kMost = Index{1} << 28;
  EXPECT_THROW(Conv1D({.filters = 1, .kernel_size = 2}).output(Signal::vectors(kMost)),
               ConfigError);
  const Conv1D dilated(
      {.filters = 1, .kernel_size = 3, .dilation_rate = kMost, .padding = Padding::kCausal});
  EXPECT_THROW(dilated.output(Signal::vectors(1)), ConfigError);
  EXPECT_EQ(Conv1D({.filters = 2, .kernel_size = 2}).output(Signal::vectors(kMost / 2)),
            Signal::vectors(2));
}

}  // namespace
}  // namespace rnn
