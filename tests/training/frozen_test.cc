// Embedding({.trainable = false}): training leaves the vectors as they are, and costs nothing.
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "rnn/error.h"
#include "rnn/model.h"
#include "support/compare.h"
#include "support/temporary_folder.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

Sequential network(bool tied) {
  return Sequential({Embedding({.input_dim = 6, .output_dim = 5, .trainable = false}),
                     LSTM({.units = 5}),
                     Softmax({.units = 6, .tied_to = tied ? "embedding" : ""})});
}

TEST(Frozen, VectorsStayWhateverTheOptimizer) {
  for (const bool tied : {false, true}) {
    for (const Optimizer& optimizer :
         {Optimizer(SGD{.learning_rate = 1, .momentum = 0.9f, .weight_decay = 0.1f}),
          Optimizer(RMSprop{.weight_decay = 0.1f}), Optimizer(AdamW{.learning_rate = 0.1f})}) {
      Model model(network(tied));
      model.compile({.optimizer = optimizer, .clip_norm = 1, .clip_value = 0.1f});
      const Parameters before = model.parameters();
      test::ToySource data = test::random_source(6, 1);
      model.fit(data, {.epochs = 2});
      for (std::size_t p = 0; p < before.size(); ++p) {
        EXPECT_EQ(test::bits_equal(model.parameters()[p], before[p]),
                  before.name(p) == "embedding/embeddings")
            << before.name(p);
      }
    }
  }
}

TEST(Frozen, ATrainingThatFailedLeavesNothingFrozenOrHeldOut) {
  Model model(network(false));
  model.compile({.optimizer = SGD{.learning_rate = 1}});
  test::ToySource data = test::random_source(6, 1);
  OnStep fails([](Model&, const StepRecord&) { throw std::runtime_error("enough"); });
  EXPECT_THROW(
      model.fit(data, {.epochs = 1, .frozen_epochs = {{"lstm/kernel", 1}}, .callbacks = {&fails}}),
      std::runtime_error);
  const Tensor before = model.parameters().at("lstm/kernel");
  Batch batch;
  data.seek({});
  ASSERT_TRUE(data.next(batch));
  model.train_on_batch(batch);
  EXPECT_FALSE(test::bits_equal(model.parameters().at("lstm/kernel"), before));
}

// Layers that stand still at first learn from the epoch on that they are told, whatever the
// optimiser, and a training that goes on knows which still do.
TEST(Frozen, LayersStandStillForSomeEpochsAndThenLearn) {
  const auto trainable = [] {
    return Sequential(
        {Embedding({.input_dim = 6, .output_dim = 5}), LSTM({.units = 5}), Softmax({.units = 6})});
  };
  const std::map<std::string, std::int64_t> frozen{{"embedding/embeddings", 2}, {"lstm/kernel", 1}};
  for (const Optimizer& optimizer :
       {Optimizer(SGD{.learning_rate = 1, .momentum = 0.9f, .weight_decay = 0.1f}),
        Optimizer(RMSprop{.weight_decay = 0.1f}), Optimizer(AdamW{.learning_rate = 0.1f})}) {
    const CompileOptions options{.optimizer = optimizer, .clip_norm = 1};
    const test::TemporaryFolder folder;
    Model whole(trainable());
    whole.compile(options);
    Parameters last;
    test::ToySource data = test::random_source(6, 1);
    for (std::int64_t epochs = 1; epochs <= 3; ++epochs) {
      Model parts(trainable());
      parts.compile(options);
      if (epochs > 1) parts.load_checkpoint(folder.file("c"));
      const Parameters before = parts.parameters();
      parts.fit(data, {.epochs = epochs, .frozen_epochs = frozen});
      parts.save_checkpoint(folder.file("c"));
      for (std::size_t p = 0; p < before.size(); ++p) {
        const auto found = frozen.find(before.name(p));
        EXPECT_EQ(test::bits_equal(parts.parameters()[p], before[p]),
                  found != frozen.end() && epochs <= found->second)
            << before.name(p) << " in epoch " << epochs;
      }
      last = parts.parameters();
    }
    whole.fit(data, {.epochs = 3, .frozen_epochs = frozen});
    for (std::size_t p = 0; p < whole.parameters().size(); ++p) {
      EXPECT_TRUE(test::bits_equal(last[p], whole.parameters()[p]));
    }
    EXPECT_THROW(whole.fit(data, {.epochs = 4, .frozen_epochs = {{"lstm/x", 1}}}), ConfigError);
  }
}

// Else what begins to learn after many steps would do so with moments that have just begun, and
// with Adam's step up to seven times as long as its rate.
TEST(Frozen, TheOptimizerGoesOnAveragingWhatStandsStill) {
  const auto backend = make_backend({});
  const auto pairs = std::to_array<std::pair<Optimizer, Optimizer>>(
      {{SGD{.momentum = 0.9f}, SGD{.momentum = 0.9f, .weight_decay = 0.1f}},
       {RMSprop{}, RMSprop{.weight_decay = 0.1f}},
       {Adam{}, Adam{.weight_decay = 0.1f}},
       {AdamW{}, AdamW{.weight_decay = 0.1f}}});
  for (const auto& [plain, decaying] : pairs) {
    const Sequential small({Embedding({.input_dim = 3, .output_dim = 2}), Softmax({.units = 3})});
    Parameters moved = small.initial_parameters(1, *backend), still = moved;
    const Parameters before = moved;
    TensorList gradients = before;
    for (NamedTensor& gradient : gradients) gradient.tensor.fill(0.5f);
    OptimizerState of_moved, of_still;
    const std::vector<std::uint8_t> frozen(before.size(), 1);
    for (int step = 0; step < 3; ++step) {
      apply(plain, 0.1f, 1, gradients, moved, of_moved, *backend);
      apply(decaying, 0.1f, 1, gradients, still, of_still, *backend, frozen);
      for (std::size_t slot = 0; slot < of_moved.slots.size(); ++slot) {
        for (std::size_t p = 0; p < before.size(); ++p) {
          EXPECT_TRUE(test::bits_equal(of_still.slots[slot][p], of_moved.slots[slot][p]));
        }
      }
    }
    for (std::size_t p = 0; p < before.size(); ++p) {
      EXPECT_TRUE(test::bits_equal(still[p], before[p])) << before.name(p);
      EXPECT_FALSE(test::bits_equal(moved[p], before[p])) << before.name(p);
    }
  }
}

TEST(Frozen, ResumesExactly) {
  const test::TemporaryFolder folder;
  const auto compiled = [] {
    Model model(network(false));
    model.compile({.optimizer = Adam{}});
    return model;
  };
  Model whole = compiled(), first = compiled(), second = compiled();
  test::ToySource data = test::random_source(6, 1);
  whole.fit(data, {.epochs = 2});
  first.fit(data, {.epochs = 1});
  first.save_checkpoint(folder.file("c"));
  second.load_checkpoint(folder.file("c"));
  second.fit(data, {.epochs = 2});
  for (std::size_t p = 0; p < whole.parameters().size(); ++p) {
    EXPECT_TRUE(test::bits_equal(second.parameters()[p], whole.parameters()[p]));
  }
}

}  // namespace
}  // namespace rnn
