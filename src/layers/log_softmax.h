// Logarithms of a softmax, as losses have them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "rnn/layer.h"

namespace rnn {

/// Where `log_softmax` keeps what it needs: floats and bytes of the call's memory.
struct LogSoftmaxSlots {
  std::size_t normalizer = 0, nats = 0, targets = 0;
};

/// Turns logits [N,V] into logarithms of their softmax, in place: each, bit for bit, minus the loss
/// of that class.
inline void log_softmax(View<float> logits, const LogSoftmaxSlots& slots, Call& call) {
  const Index N = logits.extent(0), V = logits.extent(1);
  auto* const targets = reinterpret_cast<std::int32_t*>(
      call.memory->bytes(slots.targets, static_cast<std::size_t>(N) * sizeof(std::int32_t)).data());
  std::fill_n(targets, N, 0);  // the normalizer is that of any
  const View<float> normalizer = call.memory->floats(slots.normalizer, {N});
  call.backend->cross_entropy_forward({.logits = logits,
                                       .targets = {targets, {N}},
                                       .nats = call.memory->floats(slots.nats, {N}),
                                       .log_normalizer = normalizer});
  for (Index n = 0; n < N; ++n) {
    for (Index v = 0; v < V; ++v) logits(n, v) -= normalizer[n];
  }
}

}  // namespace rnn
