// Gradients of several batches make one update: that of one large batch.
#include <gtest/gtest.h>

#include "rnn/error.h"
#include "rnn/model.h"
#include "support/compare.h"
#include "support/toy_source.h"

namespace rnn {
namespace {

/// Sequences of one batch of twelve, in batches of `rows`.
class Parts : public BatchSource {
 public:
  explicit Parts(Index rows) : rows_(rows) {}
  bool next(Batch& batch) override {
    const Index first = place_.batch * rows_;
    if (first >= 12) return false;
    const Index count = std::min(rows_, 12 - first);
    batch.clear();
    batch.time = whole_.time;
    batch.batch = count;
    for (Index t = 0; t < whole_.time; ++t) {
      for (Index b = first; b < first + count; ++b) {
        const auto at = static_cast<std::size_t>(t * 12 + b);
        batch.ids.push_back(whole_.ids[at]);
        // Fewer and fewer targets, so that a mean of means would be another number.
        batch.targets.push_back(t < b ? whole_.targets[at] : -1);
        if (t == 0) batch.examples.push_back(static_cast<std::uint32_t>(b));
        batch.weights.push_back(0.5f + static_cast<float>(b % 3));
      }
    }
    ++place_.batch;
    return true;
  }
  void seek(const Position& position) override { place_ = position; }
  Position position() const override { return place_; }

 private:
  Index rows_;
  Batch whole_ = test::random_batch(14, 12, 6, 1);
  Position place_{};
};

Model trained(Index rows, std::int64_t accumulate, float clip_norm, float clip_value) {
  Model model(test::toy_network());
  model.compile({.optimizer = SGD{.learning_rate = 1, .momentum = 0.5f},
                 .clip_norm = clip_norm,
                 .clip_value = clip_value,
                 .gradient_accumulation_steps = accumulate});
  Parts data(rows);
  model.fit(data, {.epochs = 3});
  return model;
}

TEST(Accumulation, OfPartsIsTheUpdateOfTheWhole) {
  for (const auto& [norm, value] : {std::pair(0.0f, 0.0f), std::pair(0.3f, 0.0f),
                                    std::pair(0.0f, 0.02f), std::pair(0.05f, 0.02f)}) {
    const Model whole = trained(12, 1, norm, value);
    for (const auto& [rows, accumulate] : {std::pair(4, 3), std::pair(5, 3), std::pair(1, 12)}) {
      const Model parts = trained(rows, accumulate, norm, value);
      EXPECT_EQ(parts.history().epochs.back().steps, 3);
      EXPECT_EQ(parts.history().epochs.back().tokens, whole.history().epochs.back().tokens);
      EXPECT_NEAR(parts.history().epochs.back().train.mean(),
                  whole.history().epochs.back().train.mean(), 1e-5);
      EXPECT_NEAR(parts.history().epochs.back().gradient_norm,
                  whole.history().epochs.back().gradient_norm, 1e-4);
      for (std::size_t p = 0; p < whole.parameters().size(); ++p) {
        EXPECT_TRUE(test::close_to(parts.parameters()[p], whole.parameters()[p], {1e-3, 2e-5}))
            << rows << ' ' << whole.parameters().name(p);
      }
    }
  }
}

TEST(Accumulation, TheLastUpdateOfAnEpochMayHaveFewerBatches) {
  Model model(test::toy_network());
  model.compile({.gradient_accumulation_steps = 2});
  Parts data(4);  // three batches
  std::vector<std::int64_t> batches;
  OnStep watch([&](Model&, const StepRecord& record) { batches.push_back(record.batch); });
  model.fit(data, {.epochs = 2, .callbacks = {&watch}});
  EXPECT_EQ(batches, (std::vector<std::int64_t>{2, 3, 2, 3}));
  EXPECT_EQ(model.history().epochs.back().steps, 4);
  EXPECT_THROW(model.compile({.gradient_accumulation_steps = 0}), ConfigError);
}

}  // namespace
}  // namespace rnn
