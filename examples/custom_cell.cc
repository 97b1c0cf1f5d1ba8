// A recurrent cell of one's own: one step forward, one step back, in plain loops. The layer around
// it brings time, batches, lengths and state; a registered name lets it be saved.
#include <rnn/dense.h>
#include <rnn/error.h>
#include <rnn/model.h>
#include <rnn/model_file.h>
#include <rnn/recurrent_cell.h>
#include <rnn/registry.h>
#include <rnn/sequential.h>
#include <rnn/softmax.h>

#include <cmath>
#include <cstdio>

namespace {

/// A leaky integrator: h' = a * h + (1 - a) * tanh(x W), with a rate a for each unit.
struct LeakyCell {
  static constexpr std::string_view kType = "LeakyCell";
  rnn::Index units = 0;

  void exchange(rnn::Fields& fields) { fields("units", units); }
  void validate() const {
    if (units < 1) throw rnn::ConfigError("LeakyCell units: expected at least 1");
  }
  std::vector<rnn::ParameterSpec> parameters(rnn::Index input) const {
    return {{"kernel", {input, units}, rnn::Initializer::glorot_uniform()},
            {"rate", {units}, rnn::Initializer::constant(0.5f)}};
  }
  std::vector<rnn::StateSpec> states() const { return {{"h", units}}; }
  rnn::Index saved() const { return units; }  // tanh(x W)

  void forward(const rnn::CellForward& s) const {
    for (std::size_t j = 0; j < s.saved.size(); ++j) {
      const auto column = static_cast<rnn::Index>(j);
      float z = 0;
      for (std::size_t k = 0; k < s.x.size(); ++k) {
        z += s.x[k] * s.parameters[0](static_cast<rnn::Index>(k), column);
      }
      s.saved[j] = std::tanh(z);
      const float a = s.parameters[1][column];
      s.new_state[0][j] = a * s.state[0][j] + (1 - a) * s.saved[j];
    }
  }
  void backward(const rnn::CellBackward& s) const {
    for (float& value : s.dx) value = 0;
    for (std::size_t j = 0; j < s.saved.size(); ++j) {
      const auto column = static_cast<rnn::Index>(j);
      const float dh = s.dnew_state[0][j], a = s.parameters[1][column], u = s.saved[j];
      s.dstate[0][j] = dh * a;
      if (s.gradients[1]) s.gradients[1][column] += dh * (s.state[0][j] - u);
      const float dz = dh * (1 - a) * (1 - u * u);
      for (std::size_t k = 0; k < s.x.size(); ++k) {
        const auto row = static_cast<rnn::Index>(k);
        if (!s.dx.empty()) s.dx[k] += dz * s.parameters[0](row, column);
        if (s.gradients[0]) s.gradients[0](row, column) += dz * s.x[k];
      }
    }
  }
};

using Leaky = rnn::Recurrent<LeakyCell>;

/// Which of two inputs was on more often?
class Counting : public rnn::BatchSource {
 public:
  bool next(rnn::Batch& batch) override {
    constexpr rnn::Index kTime = 15, kBatch = 16;
    if (position_.batch == 20) return false;
    batch.clear();
    batch.time = kTime;
    batch.batch = kBatch;
    batch.values.resize({kTime, kBatch, 2});
    batch.values.fill(0);
    const rnn::Random random = rnn::Random(static_cast<std::uint64_t>(position_.epoch))
                                   .fold(static_cast<std::uint64_t>(position_.batch));
    batch.targets.assign(kTime * kBatch, -1);  // the last step alone has a target
    for (rnn::Index b = 0; b < kBatch; ++b) {
      int ones = 0;
      for (rnn::Index t = 0; t < kTime; ++t) {
        const rnn::Index which = random.uniform(static_cast<std::uint64_t>(t * kBatch + b)) < 0.5f;
        batch.values.view()(t, b, which) = 1;
        ones += which == 1;
      }
      batch.targets[static_cast<std::size_t>((kTime - 1) * kBatch + b)] = ones > kTime / 2;
    }
    ++position_.batch;
    return true;
  }
  void seek(const Position& position) override { position_ = position; }
  Position position() const override { return position_; }

 private:
  Position position_{};
};

}  // namespace

int main() try {
  rnn::register_layer<Leaky, Leaky::Options>("LeakyCell");
  rnn::Model model(rnn::Sequential({Leaky({.cell = {.units = 8}}), rnn::Softmax({.units = 2})}, 2));
  model.compile({.optimizer = rnn::Adam{.learning_rate = 0.02f}});
  Counting data;
  const rnn::History& history = model.fit(data, {.epochs = 10});
  std::printf("loss %.3f, at first %.3f\n", history.epochs.back().train.mean(),
              history.epochs.front().train.mean());

  // The network as a file, and back: the type is known by its name.
  rnn::Model again(rnn::network_from_json(rnn::network_to_json(model.network())));
  again.compile({});
  again.set_parameters(model.parameters());
  const auto policy = rnn::StatePolicy::kReset;
  const bool same = again.evaluate(data, policy).nats == model.evaluate(data, policy).nats;
  std::printf("read back: %s loss\n", same ? "the same" : "another");
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
