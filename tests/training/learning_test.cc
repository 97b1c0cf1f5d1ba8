// What convolution with recurrence, and two directions with a CRF, are for: tasks that cannot be
// had without them, learned by `fit` to a bound that a wrong gradient misses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "rnn/bidirectional.h"
#include "rnn/conv1d.h"
#include "rnn/crf.h"
#include "rnn/dense.h"
#include "rnn/embedding.h"
#include "rnn/model.h"
#include "rnn/recurrent.h"
#include "rnn/sequential.h"
#include "rnn/softmax.h"
#include "support/squared_error.h"

namespace rnn {
namespace {

const BackendOptions kOneThread{.threads = {.threads = 1}};  // as fast as two for so little

/// Draws that belong to one sequence.
class Draws {
 public:
  explicit Draws(Random random) : random_(random) {}
  float uniform() { return random_.uniform(count_++); }
  Index below(Index n) { return static_cast<Index>(uniform() * static_cast<float>(n)); }

 private:
  Random random_;
  std::uint64_t count_ = 0;
};

/// Fresh batches without end, an epoch being so many of them: nothing can be learned by heart.
class Fresh : public BatchSource {
 public:
  using Make = std::function<void(Batch&, Index sequence, Draws draws)>;
  /// `make` writes one sequence of a batch whose shape `empty` has.
  Fresh(Batch empty, std::int64_t batches, std::uint64_t seed, Make make)
      : empty_(std::move(empty)), batches_(batches), seed_(seed), make_(std::move(make)) {}

  bool next(Batch& batch) override {
    if (place_.batch == batches_) return false;
    const auto number = static_cast<std::uint64_t>(place_.epoch * batches_ + place_.batch++);
    batch = empty_;
    for (Index b = 0; b < batch.batch; ++b) {
      make_(batch, b, Draws(Random(seed_).fold(number).fold(static_cast<std::uint64_t>(b))));
    }
    return true;
  }
  void seek(const Position& position) override { place_ = position; }
  Position position() const override { return place_; }

 private:
  Batch empty_;
  std::int64_t batches_;
  std::uint64_t seed_;
  Make make_;
  Position place_{};
};

/// Trains until the validation loss is below `bound`, for at most `epochs`; returns the last one.
double train_below(double bound, std::int64_t epochs, Model& model, Fresh data, Fresh& held_out) {
  OnEpoch watch([&](Model& trained, const History& history) {
    if (history.epochs.back().validation->mean() < bound) trained.stop("learned");
  });
  const History& history =
      model.fit(data, {.epochs = epochs, .validation = &held_out, .callbacks = {&watch}});
  return history.epochs.back().validation->mean();
}

/// Coupled gates and a large forget bias: what comes in is small beside what is kept, from the
/// first step of training on (Tallec and Ollivier 2018, i = 1 - f).
LSTMOptions patient_lstm(Index units) {
  return {.units = units, .return_sequences = false, .forget_bias = 4, .coupled_gates = true};
}

std::size_t at(const Batch& batch, Index t, Index b) {
  return static_cast<std::size_t>(t * batch.batch + b);
}

/// A symbol, a hundred and more steps of others, and then: which was it? The symbol is the one that
/// follows a marker somewhere among the first steps, and its like stand all along the text.
Fresh long_range_copy(std::int64_t batches, std::uint64_t seed) {
  constexpr Index kTime = 120, kBatch = 32;
  Batch empty{.time = kTime, .batch = kBatch};
  empty.ids.resize(kTime * kBatch);
  empty.targets.resize(kBatch);
  return Fresh(std::move(empty), batches, seed, [](Batch& batch, Index b, Draws draws) {
    for (Index t = 0; t < batch.time; ++t) {
      batch.ids[at(batch, t, b)] = static_cast<std::int32_t>(draws.below(4));
    }
    const Index marker = draws.below(batch.time - 101);
    batch.ids[at(batch, marker, b)] = 4;
    batch.targets[static_cast<std::size_t>(b)] = batch.ids[at(batch, marker + 1, b)];
  });
}

TEST(Learning, ConvolutionAndLstmRecallASymbolAfterAHundredSteps) {
  Model model(Sequential(
      {Embedding({.input_dim = 5, .output_dim = 8}),
       Conv1D({.filters = 16, .kernel_size = 4, .strides = 3, .activation = Activation::kRelu}),
       LSTM(patient_lstm(16)), Softmax({.units = 4})}));
  model.compile({.optimizer = Adam{.learning_rate = 0.01f}, .clip_norm = 1, .backend = kOneThread});
  Fresh held_out = long_range_copy(8, 2);
  EXPECT_LT(train_below(0.05, 20, model, long_range_copy(50, 1), held_out), 0.05)
      << "guessing is " << std::log(4.0);
  EXPECT_GT(model.score(held_out), 0.98);
}

/// The adding problem (Hochreiter and Schmidhuber 1997): of 200 numbers in [0, 1) two are marked,
/// one in each half; what is their sum?
Fresh adding_problem(std::int64_t batches, std::uint64_t seed) {
  constexpr Index kTime = 200, kBatch = 32;
  Batch empty{.time = kTime, .batch = kBatch, .values = Tensor(Shape{kTime, kBatch, 2})};
  empty.targets.resize(kBatch);
  return Fresh(std::move(empty), batches, seed, [](Batch& batch, Index b, Draws draws) {
    const View<float> x = batch.values;
    for (Index t = 0; t < batch.time; ++t) x(t, b, 0) = draws.uniform();
    const Index half = batch.time / 2, first = draws.below(half), second = half + draws.below(half);
    x(first, b, 1) = x(second, b, 1) = 1;
    batch.targets[static_cast<std::size_t>(b)] =
        test::SquaredError::target(x(first, b, 0) + x(second, b, 0));
  });
}

TEST(Learning, ConvolutionAndLstmAddTwoNumbersAmongTwoHundred) {
  Model model(Sequential(
      {Conv1D({.filters = 16, .kernel_size = 5, .strides = 5, .activation = Activation::kRelu}),
       LSTM(patient_lstm(24)), Dense({.units = 1}), test::SquaredError()},
      2));
  model.compile({.optimizer = Adam{.learning_rate = 0.01f}, .clip_norm = 1, .backend = kOneThread});
  Fresh held_out = adding_problem(8, 2);
  EXPECT_LT(train_below(0.02, 25, model, adding_problem(50, 1), held_out), 0.02)
      << "always saying 1 is " << 1.0 / 6;
}

/// Brackets of two kinds, nested up to three deep. A pair shows its kind on one of its brackets, or
/// on neither; all brackets are to be told with their kind. An opening bracket may have to wait for
/// its partner, a closing one to remember it: two directions. Where neither shows it, the two can
/// still agree, which only labels that know of each other can: a pair that stands together is one
/// choice of two, not two. `choices` counts those choices, `separate` counts them for a model whose
/// labels know nothing of each other.
struct Brackets {
  static constexpr Index kTime = 16, kBatch = 32;
  enum Symbol : std::int32_t { kOpen, kClose, kOpenA, kOpenB, kCloseA, kCloseB, kSymbols };
  enum Label : std::int32_t { kLabelOpenA, kLabelOpenB, kLabelCloseA, kLabelCloseB, kLabels };

  std::int64_t choices = 0, separate = 0;

  Fresh source(std::int64_t batches, std::uint64_t seed) {
    Batch empty{.time = kTime, .batch = kBatch};
    empty.ids.resize(kTime * kBatch);
    empty.targets.resize(kTime * kBatch);
    return Fresh(std::move(empty), batches, seed,
                 [this](Batch& batch, Index b, Draws draws) { write(batch, b, draws); });
  }

  void write(Batch& batch, Index b, Draws draws) {
    std::vector<Index> open;
    for (Index t = 0; t < kTime; ++t) {
      const Index depth = static_cast<Index>(open.size());
      const bool opens = depth == 0 || (depth < 3 && depth < kTime - t && draws.uniform() < 0.5f);
      if (opens) {
        open.push_back(t);
        continue;
      }
      const Index partner = open.back();
      open.pop_back();
      const auto kind = static_cast<std::int32_t>(draws.below(2));
      const Index shown = draws.below(3);
      batch.ids[at(batch, partner, b)] = shown == 0 ? kOpenA + kind : kOpen;
      batch.ids[at(batch, t, b)] = shown == 1 ? kCloseA + kind : kClose;
      batch.targets[at(batch, partner, b)] = kLabelOpenA + kind;
      batch.targets[at(batch, t, b)] = kLabelCloseA + kind;
      if (shown == 2) {
        separate += 2;
        choices += partner + 1 == t ? 1 : 2;
      }
    }
  }
};

TEST(Learning, TwoDirectionsAndACrfMatchBrackets) {
  Model model(Sequential({Embedding({.input_dim = Brackets::kSymbols, .output_dim = 8}),
                          Bidirectional({.layer = LSTM({.units = 32})}),
                          CRF({.units = Brackets::kLabels})}));
  model.compile({.optimizer = Adam{.learning_rate = 0.01f}, .clip_norm = 1, .backend = kOneThread});
  Brackets made, counted;
  Fresh data = made.source(50, 1), held_out = counted.source(8, 2);
  model.fit(data, {.epochs = 14});
  const LossSum loss = model.evaluate(held_out, StatePolicy::kReset);
  const double best = static_cast<double>(counted.choices) * std::log(2.0);
  const double separate = static_cast<double>(counted.separate) * std::log(2.0);
  EXPECT_GT(loss.nats, 0.95 * best);
  EXPECT_LT(loss.nats, best + (separate - best) / 3);
}

}  // namespace
}  // namespace rnn
