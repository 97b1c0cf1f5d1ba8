// Data and callbacks of trainings that diverge.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rnn/model.h"
#include "support/random_values.h"
#include "support/toy_network.h"

namespace rnn::test {

/// Six batches an epoch, with a bad number in the third of them in the epochs named.
class SometimesBad : public BatchSource {
 public:
  explicit SometimesBad(std::set<std::int64_t> epochs) : epochs_(std::move(epochs)) {}
  bool next(Batch& batch) override {
    if (place_.batch == 6) return false;
    batch = random_batch(4, 2, 6, static_cast<std::uint64_t>(10 * place_.epoch + place_.batch));
    batch.ids.clear();
    batch.values = random_values<float>({4, 2, 3}, Random(5));
    const bool bad = place_.batch == 2 && epochs_.contains(place_.epoch);
    if (bad) batch.values[4] = std::numeric_limits<float>::infinity();
    ++place_.batch;
    return true;
  }
  void seek(const Position& position) override { place_ = position; }
  Position position() const override { return place_; }

 private:
  std::set<std::int64_t> epochs_;
  Position place_{};
};

inline Model recovering(OnDivergence what, float learning_rate = 0.01f) {
  Model model(Sequential({LSTM({.units = 4}), Softmax({.units = 6})}, 3));
  model.compile({.optimizer = Adam{.learning_rate = learning_rate}, .on_divergence = what});
  return model;
}

/// What it was told.
class Told : public Callback {
 public:
  void on_divergence(Model&, const std::string& what) override { messages.push_back(what); }
  std::vector<std::string> messages;
};

/// Breaks a parameter after a step, once: as an update that overflows does.
class Overflow : public Callback {
 public:
  explicit Overflow(std::int64_t step) : step_(step) {}
  void on_step_end(Model& model, const StepRecord& record) override {
    if (record.steps != step_) return;
    step_ = -1;
    TensorList values = model.trained_parameters();
    values.at("softmax/bias")[1] = std::numeric_limits<float>::infinity();
    model.set_parameters(values);
  }

 private:
  std::int64_t step_;
};

}  // namespace rnn::test
