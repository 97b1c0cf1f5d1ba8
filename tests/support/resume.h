// A small training that is interrupted, and what it must be like in the end.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "rnn/model.h"
#include "support/compare.h"
#include "support/temporary_folder.h"
#include "support/toy_source.h"

namespace rnn {

inline constexpr std::int64_t kEpochs = 3, kBatches = 4;

inline CompileOptions recipe(const Optimizer& optimizer, Schedule::Kind kind) {
  return {.optimizer = optimizer,
          .schedule = {.kind = kind, .warmup = 3, .after = 5, .every = 2, .factor = 0.5},
          .clip_norm = 0.5f,
          .seed = 7};
}

inline Model compiled(const CompileOptions& options) {
  Model model(test::toy_network({.layers = 2, .dropout = 0.3f}));
  model.compile(options);
  return model;
}

/// Trains up to the last epoch; data and callbacks as each of the tests wants them.
inline void train(Model& model, std::vector<Callback*> callbacks = {}) {
  test::ToySource data = test::random_source(6, 1), valid = test::random_source(6, 2);
  model.fit(data, {.epochs = kEpochs,
                   .validation = &valid,
                   .state = StatePolicy::kCarry,
                   .callbacks = std::move(callbacks)});
}

inline void expect_same(const Model& actual, const Model& expected) {
  for (std::size_t p = 0; p < expected.parameters().size(); ++p) {
    EXPECT_TRUE(test::bits_equal(actual.parameters()[p], expected.parameters()[p]))
        << expected.parameters().name(p);
  }
  ASSERT_EQ(actual.history().epochs.size(), expected.history().epochs.size());
  for (std::size_t e = 0; e < expected.history().epochs.size(); ++e) {
    const EpochRecord &a = actual.history().epochs[e], &x = expected.history().epochs[e];
    EXPECT_EQ(a.epoch, x.epoch);
    EXPECT_EQ(a.steps, x.steps);
    EXPECT_EQ(a.tokens, x.tokens);
    EXPECT_EQ(a.learning_rate, x.learning_rate);
    EXPECT_EQ(a.gradient_norm, x.gradient_norm);
    EXPECT_EQ(a.train.nats, x.train.nats);
    EXPECT_EQ(a.train.targets, x.train.targets);
    ASSERT_EQ(a.validation.has_value(), x.validation.has_value());
    EXPECT_EQ(a.validation->nats, x.validation->nats);
  }
}

class Resume : public ::testing::Test {
 protected:
  test::TemporaryFolder folder_;
  const std::string path_ = folder_.file("checkpoint.safetensors");

  /// Another process and this one go on from where `interrupted` is, to what `whole` is.
  void expect_goes_on(Model& interrupted, const CompileOptions& options, const Model& whole) {
    ASSERT_EQ(interrupted.stopped(), "interrupted");
    interrupted.save_checkpoint(path_);
    Model second = compiled(options);
    second.load_checkpoint(path_);
    train(second);
    expect_same(second, whole);
    train(interrupted);
    expect_same(interrupted, whole);
  }
};

}  // namespace rnn
