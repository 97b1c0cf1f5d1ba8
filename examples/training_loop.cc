// A training loop written by hand, twice: with a Session, which runs the network as it was put
// together, and with a GradientTape, where the program says which way values take.
#include <rnn/embedding.h>
#include <rnn/error.h>
#include <rnn/gradient_tape.h>
#include <rnn/optimizer.h>
#include <rnn/recurrent.h>
#include <rnn/sequential.h>
#include <rnn/session.h>
#include <rnn/softmax.h>
#include <rnn/text/lane_dataset.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

namespace {

/// Computes gradients for a batch, and moves the state along.
using Step = std::function<rnn::LossSum(std::int64_t, const rnn::Batch&, rnn::State&)>;

double train(const rnn::Network& network, rnn::Parameters& parameters, rnn::TensorList& gradients,
             const rnn::Backend& backend, const Step& step) {
  std::vector<std::int32_t> text;
  for (std::int32_t i = 0; i < 2000; ++i) text.push_back(i * i / 3 % 7);
  rnn::LaneDataset lanes(text, 0, {.batch = 10, .bptt = 20});
  const rnn::Optimizer adam = rnn::Adam{};
  rnn::OptimizerState remembered;
  rnn::LossSum epoch;
  std::int64_t steps = 0;
  for (std::int64_t number = 0; number < 8; ++number) {
    lanes.seek({.epoch = number});
    rnn::State state = network.zero_state(10, backend);
    rnn::Batch batch;
    epoch = {};
    while (lanes.next(batch)) {
      gradients.fill(0);
      epoch += step(steps++, batch, state);
      rnn::apply(adam, 0.01f, 1, gradients, parameters, remembered, backend);
    }
  }
  return std::exp(epoch.mean());
}

}  // namespace

int main() try {
  const rnn::Sequential network({rnn::Embedding({.input_dim = 7, .output_dim = 8}),
                                 rnn::LSTM({.units = 16}), rnn::Softmax({.units = 7})});
  const auto backend = rnn::make_backend();

  rnn::Parameters parameters = network.initial_parameters(1, *backend);
  rnn::Session session(network, parameters, backend);
  const double by_session =
      train(network, parameters, session.gradients(), *backend,
            [&](std::int64_t step, const rnn::Batch& batch, rnn::State& state) {
              session.begin_step(step);
              const rnn::LossSum loss = session.forward(batch, state);
              session.backward();
              return loss;
            });
  std::printf("session: perplexity %.3f\n", by_session);

  parameters = network.initial_parameters(1, *backend);
  rnn::GradientTape tape(network, parameters, backend);
  const double by_tape = train(network, parameters, tape.gradients(), *backend,
                               [&](std::int64_t step, const rnn::Batch& batch, rnn::State& state) {
                                 tape.begin_step(step, state);
                                 const auto x = tape.call("embedding", tape.input(batch));
                                 const auto h = tape.call("lstm", x);
                                 const auto loss = tape.loss("softmax", h, batch.targets);
                                 const rnn::LossSum sum = tape.loss_sum(loss);
                                 tape.backward(loss, 1 / static_cast<float>(sum.targets));
                                 return sum;
                               });
  std::printf("tape:    perplexity %.3f\n", by_tape);
  std::printf("tape and session %s\n", by_tape == by_session ? "agree" : "disagree");
} catch (const rnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
