// Any bytes as the description of a network: refused, or read and written back to the same one,
// which runs when it is small.
#include "fuzz/memory_file.h"
#include "network/batch_inputs.h"
#include "rnn/backend.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "rnn/session.h"

namespace {

/// Whether a few steps of it take little: numbers in parameters and states, and those that flow.
bool is_small(const rnn::Network& network) {
  rnn::Index left = 1 << 16;
  const auto take = [&](rnn::Index numbers) {
    left -= numbers;
    return left >= 0;
  };
  for (const auto& input : network.inputs()) {
    if (!take(input.signal.size)) return false;
  }
  for (const auto& node : network.nodes()) {
    if (!take(node.output.size)) return false;
  }
  for (const auto& spec : network.parameter_specs()) {
    if (!take(spec.shape.size())) return false;
  }
  for (const auto& state : network.state_specs()) {
    if (!take(state.width)) return false;
  }
  return true;
}

/// Two sequences of different length.
void run(const rnn::Network& network) {
  static const auto backend = rnn::make_backend({.threads = {.threads = 1}});
  const rnn::Parameters parameters = network.initial_parameters(1, *backend);
  rnn::Inference inference(network, parameters, backend);
  rnn::Batch batch = rnn::blank_batch(network, 3, 2);
  batch.lengths = {3, 1};
  rnn::State state = network.zero_state(batch.batch, *backend);
  inference.run(batch, state);
  for (std::size_t output = 0; output < network.outputs().size(); ++output) {
    const auto values = inference.predictions(output);
    rnn::require(values.extent(2) == network.outputs()[output].classes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto network =
        rnn::network_from_json({reinterpret_cast<const char*>(data), size}, "network");
    const std::string text = rnn::network_to_json(network);
    rnn::require(rnn::network_to_json(rnn::network_from_json(text)) == text);
    if (is_small(network)) run(network);
  } catch (const rnn::Error&) {
  }
  return 0;
}
