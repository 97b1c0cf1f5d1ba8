// Promises 1 to 3 of the library at the level of a whole network, bit by bit, for the reference and
// on every execution path of the native backend (SIMD target and precision);
// kernels/promises_test.cc and kernels/native_promises_test.cc have them for the kernels.
#include <gtest/gtest.h>

#include "rnn/session.h"
#include "support/compare.h"
#include "support/native_paths.h"
#include "support/toy_network.h"

namespace rnn {
namespace {

using test::bits_equal;
using test::random_batch;

/// A network of two recurrent layers, and its name as a parameter of tests.
struct NamedNetwork {
  std::string name;
  Sequential network;
};
void PrintTo(const NamedNetwork& named, std::ostream* out) { *out << named.name; }

constexpr Index kSymbols = 9;

/// Every cell, and the cells that have options with all of them.
std::vector<NamedNetwork> networks() {
  std::vector<NamedNetwork> all;
  for (Cell cell : test::kAllCells) {
    std::string name(name_of(cell));
    std::replace(name.begin(), name.end(), '-', '_');
    all.push_back(
        {name, test::toy_network(
                   {.cell = cell, .symbols = kSymbols, .units = 7, .layers = 2, .dropout = 0.2f})});
  }
  const auto add = [&](const std::string& name, const Part& first, const Part& second) {
    all.push_back({name, Sequential({Embedding({.input_dim = kSymbols, .output_dim = 7}), first,
                                     second, Softmax({.units = kSymbols})})});
  };
  const LSTMOptions lstm{.units = 7,
                         .dropout = 0.2f,
                         .recurrent_dropout = 0.2f,
                         .weight_drop = 0.2f,
                         .zoneout_h = 0.1f,
                         .zoneout_c = 0.1f,
                         .layer_normalization = true,
                         .peepholes = true,
                         .coupled_gates = true,
                         .projection = 5};
  const GRUOptions gru{.units = 7,
                       .dropout = 0.2f,
                       .recurrent_dropout = 0.2f,
                       .weight_drop = 0.2f,
                       .zoneout_h = 0.1f,
                       .layer_normalization = true};
  add("lstm_options", LSTM(lstm), LSTM({.units = 7, .peepholes = true, .coupled_gates = true}));
  add("gru_options", GRU(gru),
      GRU({.units = 7, .reset_after = false, .recurrent_dropout = 0.2f, .zoneout_h = 0.1f}));
  return all;
}

class NetworkPromises : public ::testing::TestWithParam<NamedNetwork> {
 protected:
  const Sequential& network_ = GetParam().network;

  /// body(make) for each path, where make(threads) gives a backend to whose threads all work is
  /// divided.
  template <class Body>
  static void for_each_path(const std::vector<test::NativePath>& paths, const Body& body) {
    {
      SCOPED_TRACE("reference");
      body([](int) { return make_backend({.name = "reference"}); });
    }
    for (const test::NativePath& path : paths) {
      SCOPED_TRACE(name_of(path));
      body([&](int threads) -> std::shared_ptr<const Backend> {
        return std::make_shared<NativeBackend>(
            ThreadPoolOptions{.threads = threads, .least_work = 0}, path.target, path.precision);
      });
    }
  }
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

TEST_P(NetworkPromises, AnyNumberOfThreadsGivesTheSameBitsInTraining) {
  for_each_path(test::native_paths(), [&](const auto& make) {
    const auto train = [&](int threads) {
      const std::shared_ptr<const Backend> backend = make(threads);
      const Parameters parameters = network_.initial_parameters(1, *backend);
      Session session(network_, parameters, backend, {.seed = 3});
      State state = network_.zero_state(5, *backend);
      const Batch batch = ragged(kSymbols);
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
  });
}

TEST_P(NetworkPromises, AnyNumberOfThreadsGivesTheSameBitsInInference) {
  for_each_path(test::all_native_paths(), [&](const auto& make) {
    const auto infer = [&](int threads) {
      const std::shared_ptr<const Backend> backend = make(threads);
      const Parameters parameters = network_.initial_parameters(1, *backend);
      Inference inference(network_, parameters, backend);
      State state = network_.zero_state(5, *backend);
      const View<const float> p = inference.predict(ragged(kSymbols), state);
      Tensor predicted(p.shape());
      std::copy(p.begin(), p.end(), predicted.data());
      return std::pair(predicted, state);
    };
    const auto [predicted, state] = infer(1);
    for (int threads : {2, 3}) {
      const auto [other_predicted, other_state] = infer(threads);
      EXPECT_TRUE(bits_equal(other_predicted, predicted));
      for (std::size_t s = 0; s < state.size(); ++s) {
        EXPECT_TRUE(bits_equal(other_state[s], state[s]));
      }
    }
  });
}

TEST_P(NetworkPromises, MatesPlaceAndPaddingDoNotMatter) {
  for_each_path(test::all_native_paths(), [&](const auto& make) {
    const std::shared_ptr<const Backend> backend = make(2);
    const Parameters parameters = network_.initial_parameters(1, *backend);
    Inference inference(network_, parameters, backend);
    const Batch batch = ragged(kSymbols);
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
  });
}

TEST_P(NetworkPromises, TokenByTokenGivesTheBitsOfTheWhole) {
  for_each_path(test::all_native_paths(), [&](const auto& make) {
    const std::shared_ptr<const Backend> backend = make(2);
    const Parameters parameters = network_.initial_parameters(1, *backend);
    Inference inference(network_, parameters, backend);
    const Batch batch = random_batch(7, 3, kSymbols, 2);
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
        const View<const float> expected(whole.data() + start * 3 * kSymbols, {here, 3, kSymbols});
        EXPECT_TRUE(bits_equal(part, expected)) << start << " by " << steps;
      }
      for (std::size_t s = 0; s < state.size(); ++s) {
        EXPECT_TRUE(bits_equal(state[s], whole_state[s]));
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Networks, NetworkPromises, ::testing::ValuesIn(networks()),
                         [](const auto& named) { return named.param.name; });

}  // namespace
}  // namespace rnn
